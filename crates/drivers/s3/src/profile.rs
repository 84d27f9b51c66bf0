//! What the shared AWS configuration says beyond keys: the region, and roles to assume.

use reqsign_aws_v4::{
    AssumeRoleCredentialProvider, Credential, DefaultCredentialProvider, ECSCredentialProvider, EnvCredentialProvider,
    IMDSv2CredentialProvider, RequestSigner,
};
use reqsign_core::{Context, Error, ProvideCredential, ProvideCredentialDyn, Result, Signer};
use std::{collections::HashMap, path::PathBuf, sync::Arc};

/// Somebody's keys, whoever that is.
type Provider = Arc<dyn ProvideCredentialDyn<Credential = Credential>>;

/// A role may be assumed from another assumed role; this many times.
const CHAIN: usize = 5;

/// The settings of one profile in `~/.aws/config` (or `AWS_CONFIG_FILE`).
pub(crate) type Settings = HashMap<String, String>;

/// The name of the profile in use.
pub(crate) fn name(named: Option<&str>, environment: impl Fn(&str) -> Option<String>) -> String {
    named
        .map(str::to_owned)
        .or_else(|| environment("AWS_PROFILE").filter(|name| !name.is_empty()))
        .unwrap_or_else(|| "default".to_owned())
}

/// The settings of a profile; empty when there is no such file or profile.
pub(crate) fn settings(profile: &str, environment: impl Fn(&str) -> Option<String>) -> Settings {
    let file = environment("AWS_CONFIG_FILE")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .or_else(|| environment("HOME").map(|home| PathBuf::from(home).join(".aws/config")));
    let text = file.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    parse(&text, profile)
}

fn parse(text: &str, profile: &str) -> Settings {
    let section = if profile == "default" { profile.to_owned() } else { format!("profile {profile}") };
    let Ok(file) = ini::Ini::load_from_str(text) else { return Settings::new() };
    file.section(Some(section))
        .map(|pairs| pairs.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
        .unwrap_or_default()
}

/// Assumes the role that a profile names (`role_arn` with `source_profile` or `credential_source`), which
/// the credential chain's own profile provider does not.
#[derive(Debug)]
pub(crate) struct RoleProvider {
    profile: Option<String>,
    region: String,
}

impl RoleProvider {
    /// For the profile in use; tokens come from the region's own STS.
    pub(crate) fn new(profile: Option<String>, region: String) -> Self {
        Self { profile, region }
    }
}

impl ProvideCredential for RoleProvider {
    type Credential = Credential;

    async fn provide_credential(&self, context: &Context) -> Result<Option<Credential>> {
        let environment = |key: &str| context.env_var(key);
        let profile = name(self.profile.as_deref(), environment);
        let read = |profile: &str| settings(profile, environment);
        let first = read(&profile);
        if !first.contains_key("role_arn") || first.contains_key("web_identity_token_file") {
            return Ok(None);
        }
        // From the role wanted back to whoever has keys of his own.
        let mut roles = vec![first];
        let mut source = loop {
            let role = roles.last().expect("it starts with one");
            let Some(next) = role.get("source_profile") else { break origin(role)? };
            let next_settings = read(next);
            // A profile may name itself: then its own keys assume its role.
            if !next_settings.contains_key("role_arn") || next_settings == *role {
                let keys = DefaultCredentialProvider::builder().no_env().with_profile(next.as_str()).no_imds().no_ecs();
                break Arc::new(keys.build()) as Provider;
            }
            if roles.len() == CHAIN {
                return Err(Error::config_invalid(format!(
                    "profile `{profile}` assumes more than {CHAIN} roles in a row"
                )));
            }
            roles.push(next_settings);
        };
        while let Some(role) = roles.pop() {
            source = Arc::new(self.assume(context, &role, source)?);
        }
        source.provide_credential(context).await
    }
}

impl RoleProvider {
    fn assume(&self, context: &Context, role: &Settings, source: Provider) -> Result<AssumeRoleCredentialProvider> {
        let setting = |key: &str| role.get(key).cloned();
        if setting("mfa_serial").is_some() {
            return Err(Error::config_invalid(
                "the profile wants a one-time code (mfa_serial), which we cannot ask for; use `aws sts assume-role` or SSO",
            ));
        }
        let arn = setting("role_arn").ok_or_else(|| Error::config_invalid("the profile has no role_arn"))?;
        let signer = Signer::new(context.clone(), source, RequestSigner::new("sts", &self.region));
        let mut provider = AssumeRoleCredentialProvider::new(arn, signer)
            .with_region(self.region.clone())
            .with_regional_sts_endpoint()
            .with_role_session_name(setting("role_session_name").unwrap_or_else(|| "longshore".to_owned()));
        if let Some(id) = setting("external_id") {
            provider = provider.with_external_id(id);
        }
        if let Some(seconds) = setting("duration_seconds").and_then(|text| text.parse().ok()) {
            provider = provider.with_duration_seconds(seconds);
        }
        Ok(provider)
    }
}

/// Where the first keys come from when no profile is named for them.
fn origin(role: &Settings) -> Result<Provider> {
    match role.get("credential_source").map(String::as_str) {
        Some("Environment") => Ok(Arc::new(EnvCredentialProvider::new())),
        Some("Ec2InstanceMetadata") => Ok(Arc::new(IMDSv2CredentialProvider::new())),
        Some("EcsContainer") => Ok(Arc::new(ECSCredentialProvider::new())),
        other => Err(Error::config_invalid(format!(
            "the profile has a role_arn but no source_profile, and its credential_source is {}",
            other.unwrap_or("missing")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[default]\nregion = eu-west-1\n\n[profile ops]\nrole_arn = arn:aws:iam::1:role/ops\nsource_profile = default\n";

    #[test]
    fn a_profile_is_read_by_its_name() {
        assert_eq!(parse(FILE, "default").get("region").map(String::as_str), Some("eu-west-1"));
        assert_eq!(parse(FILE, "ops").get("source_profile").map(String::as_str), Some("default"));
        assert!(parse(FILE, "none").is_empty());
        assert_eq!(name(None, |_| Some(String::new())), "default");
        assert_eq!(name(Some("a"), |_| Some("b".to_owned())), "a");
    }

    #[tokio::test]
    async fn a_role_without_a_source_is_an_error_and_a_profile_without_a_role_is_none() {
        let file = std::env::temp_dir().join(format!("longshore-profile-{}", std::process::id()));
        std::fs::write(&file, format!("{FILE}[profile lost]\nrole_arn = arn:aws:iam::1:role/x\n")).unwrap();
        let env = reqsign_core::StaticEnv {
            home_dir: None,
            envs: [("AWS_CONFIG_FILE".to_owned(), file.display().to_string())].into(),
        };
        let context = Context::new().with_env(env);
        let ask = |profile: &str| RoleProvider::new(Some(profile.to_owned()), "eu-west-1".to_owned());
        assert!(ask("default").provide_credential(&context).await.unwrap().is_none());
        assert!(ask("lost").provide_credential(&context).await.is_err());
        std::fs::remove_file(file).unwrap();
    }
}
