//! Where credentials come from. Each way runs in a process of its own, whose environment says where to look.

use crate::server::{Reply, Seen, Standin, answer};
use longshore_driver_s3::{S3Options, S3Store};
use std::{path::Path, process::Stdio};
use storage::{Target as _, WriteSpec};

/// The variable that tells the child where to write.
const CHILD: &str = "LONGSHORE_TEST_CHILD";

/// Not a test of its own: what the others run in a process with its own environment.
#[tokio::test]
async fn a_child_writes_with_what_its_environment_offers() {
    let Ok(uri) = std::env::var(CHILD) else { return };
    let store = S3Store::open(&uri.parse().unwrap(), S3Options::default()).await.unwrap();
    for _ in 0..2 {
        store.put(&"x".into(), WriteSpec::default(), vec![]).await.unwrap();
    }
}

/// Runs the child with nothing but `environment`; what it sent to the bucket, or what it said.
async fn ask(server: &Standin, more: &str, environment: &[(&str, &str)]) -> Result<Vec<Seen>, String> {
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "credentials::a_child_writes_with_what_its_environment_offers", "--nocapture"]);
    child.env_clear().env("AWS_EC2_METADATA_DISABLED", "true").env(CHILD, server.uri(more));
    child.envs(environment.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
    let output = child.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let written = server.seen().into_iter().filter(|seen| seen.target.starts_with("/bucket/")).collect();
    if output.status.success() { Ok(written) } else { Err(said) }
}

/// Answers for a bucket, for a container's and for an instance's metadata.
fn all(seen: &Seen) -> Reply {
    let json = |access: &str| {
        let keys = format!(
            "{{\"Code\":\"Success\",\"AccessKeyId\":\"{access}\",\"SecretAccessKey\":\"s\",\"Token\":\"session\",\
             \"Expiration\":\"2099-01-01T00:00:00Z\",\"Type\":\"AWS-HMAC\",\"RoleArn\":\"r\",\"Message\":\"\",\
             \"LastUpdated\":\"2026-01-01T00:00:00Z\"}}"
        );
        Reply::Say(answer("200 OK", &[], &keys))
    };
    match seen.target.as_str() {
        "/container" => json("CONTAINER"),
        "/latest/api/token" => Reply::Say(answer("200 OK", &[], "imds-token")),
        "/latest/meta-data/iam/security-credentials/" => Reply::Say(answer("200 OK", &[], "role")),
        "/latest/meta-data/iam/security-credentials/role" => json("INSTANCE"),
        _ => Reply::Say(answer("200 OK", &[("etag", "\"e\"")], "")),
    }
}

fn signed_by(seen: &Seen) -> &str {
    let text = seen.header("authorization").unwrap();
    text.split_once("Credential=").unwrap().1.split_once('/').unwrap().0
}

fn config(directory: &Path) -> String {
    let file = directory.join("config");
    let text = "[default]\naws_access_key_id = DEFAULT\naws_secret_access_key = s\n\n\
         [profile other]\naws_access_key_id = OTHER\naws_secret_access_key = s\nregion = eu-south-2\n\n\
         [profile runs]\ncredential_process = echo '{\"Version\":1,\"AccessKeyId\":\"PROCESS\",\"SecretAccessKey\":\"s\"}'\n\n\
         [profile role]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = gone\n";
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[tokio::test]
async fn the_environment_comes_before_the_profile_unless_the_location_names_one() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let keys = [("AWS_ACCESS_KEY_ID", "ENV"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_SESSION_TOKEN", "session")];
    for (more, extra, signer) in [
        ("&flavour=aws", None, "ENV"),
        ("&flavour=aws", Some(("AWS_PROFILE", "other")), "ENV"),
        ("&flavour=aws&profile=other", None, "OTHER"),
    ] {
        let server = Standin::start(false, all).await;
        let mut environment = vec![("AWS_CONFIG_FILE", config.as_str())];
        environment.extend(keys.into_iter().chain(extra));
        let written = ask(&server, more, &environment).await.unwrap();
        assert_eq!((written.len(), signed_by(&written[0])), (2, signer));
        assert_eq!(written[0].header("x-amz-security-token"), (signer == "ENV").then_some("session"));
    }
}

#[tokio::test]
async fn a_profile_gives_keys_or_runs_a_command() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    for (profile, signer) in [("default", "DEFAULT"), ("other", "OTHER"), ("runs", "PROCESS")] {
        let server = Standin::start(false, all).await;
        let environment = [("AWS_CONFIG_FILE", config.as_str()), ("AWS_PROFILE", profile), ("PATH", "/usr/bin:/bin")];
        let written = ask(&server, "&flavour=aws", &environment).await.unwrap();
        assert_eq!(signed_by(&written[0]), signer);
    }
}

#[tokio::test]
async fn a_container_and_an_instance_are_asked_once() {
    let server = Standin::start(false, all).await;
    let container = format!("http://127.0.0.1:{}/container", server.address.port());
    let written =
        ask(&server, "&flavour=aws", &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", container.as_str())]).await.unwrap();
    assert_eq!((signed_by(&written[0]), written[1].header("x-amz-security-token")), ("CONTAINER", Some("session")));
    assert_eq!(server.seen().iter().filter(|seen| seen.target == "/container").count(), 1);

    let server = Standin::start(false, all).await;
    let instance = format!("http://127.0.0.1:{}", server.address.port());
    let environment =
        [("AWS_EC2_METADATA_DISABLED", "false"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", instance.as_str())];
    let written = ask(&server, "&flavour=aws", &environment).await.unwrap();
    assert_eq!(signed_by(&written[0]), "INSTANCE");
    let asked = server.seen().into_iter().find(|seen| seen.target.ends_with("/role")).unwrap();
    assert_eq!(asked.header("x-aws-ec2-metadata-token"), Some("imds-token"));
}

#[tokio::test]
async fn nobody_to_be_is_unauthenticated_and_a_broken_role_falls_back_on_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let server = Standin::start(false, all).await;
    let said = ask(&server, "&flavour=aws", &[]).await.unwrap_err();
    assert!(said.contains("the credentials were not accepted") && said.contains("no credentials found"), "{said}");
    let instance = format!("http://127.0.0.1:{}", server.address.port());
    let environment = [
        ("AWS_CONFIG_FILE", config.as_str()),
        ("AWS_PROFILE", "role"),
        ("AWS_EC2_METADATA_DISABLED", "false"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", instance.as_str()),
    ];
    let said = ask(&server, "&flavour=aws", &environment).await.unwrap_err();
    assert!(said.contains("the credentials were not accepted"), "{said}");
    assert!(server.seen().is_empty(), "{:?}", server.seen());
}
