//! What servers do their own way, against real ones: `LONGSHORE_TEST_S3` holds the endpoint of MinIO,
//! `LONGSHORE_TEST_S3_SECOND` that of versitygw, the AWS environment the credentials. The table of names in `flavour.rs` is proven here byte by byte: what the rules allow comes
//! back exactly, what they refuse the server refuses or loses.

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use longshore_driver_s3::{Fact, Flavour, Keys, Quirks, S3Options, S3Store, SurveyLimits, Versioning, buckets};
use model::{Facets, Kind, Metadata, NameMap, NameRules, Posix, Principal, RelPath, Timestamp};
use std::{
    process::{Command, ExitCode},
    time::SystemTime,
};
use storage::{ErrorKind, ListSpec, Node, Reach, ReadSpec, Source as _, Target as _, WriteSpec, collect_body};

type Outcome = Result<(), Failed>;
type Test = fn(Lab) -> BoxFuture<'static, Outcome>;

/// Where a test works.
#[derive(Clone)]
struct Lab {
    endpoint: String,
    run: u128,
    flavour: Flavour,
}

macro_rules! promise {
    ($holds:expr, $($words:tt)*) => { if !$holds { return Err(Failed::from(format!($($words)*))); } };
}

const BOTH: [(&str, Test); 11] = [
    ("every single byte is held or refused as the rules say", |lab| every_byte(lab).boxed()),
    ("hard names are held or refused as the rules say", |lab| hard_names(lab).boxed()),
    ("directories and links are told with their metadata", |lab| nodes(lab).boxed()),
    ("a flat listing has markers as directories in the order of keys", |lab| flat(lab).boxed()),
    ("owners by name, a storage class and digests are kept", |lab| extras(lab).boxed()),
    ("a preflight finds the bucket and may write", |lab| preflight(lab).boxed()),
    ("a preflight says which of key, secret and bucket is wrong", |lab| refused(lab).boxed()),
    ("a wrong digest is refused by the server, sent as header or as signature", |lab| digests(lab).boxed()),
    ("buckets are listed at a server without a bucket", |lab| bucket_list(lab).boxed()),
    ("a survey tells versions, marks of deletion and open uploads, and what is not told", |lab| survey(lab).boxed()),
    ("plain HTTP where TLS is expected is told as that", |lab| no_tls(lab).boxed()),
];

const MINIO_ONLY: [(&str, Test); 2] = [
    ("an object below an object is not shown, so the rules do not claim it", |lab| item_and_prefix(lab).boxed()),
    ("a directory whose marker does not fit is still one", |lab| long_directories(lab).boxed()),
];

fn main() -> ExitCode {
    let run = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_millis());
    let servers = [("LONGSHORE_TEST_S3", Flavour::Minio), ("LONGSHORE_TEST_S3_SECOND", Flavour::Versity)];
    let mut trials = Vec::new();
    for (variable, flavour) in servers {
        let only: &[(&str, Test)] = if flavour == Flavour::Minio { &MINIO_ONLY } else { &[] };
        for (name, test) in BOTH.iter().chain(only).copied() {
            let name = format!("{}::{name}", flavour.word());
            trials.push(Trial::ignorable_test(name, move || {
                let Ok(endpoint) = std::env::var(variable) else {
                    return Ok(Completion::ignored_with(format!("{variable} is not set")));
                };
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
                runtime.map_err(|error| error.to_string())?.block_on(async {
                    let lab = Lab { endpoint, run, flavour };
                    let probe = open(&lab, "flavour", "", S3Options::default()).await?;
                    if probe.flavour() != flavour {
                        return Ok(Completion::ignored_with(format!("the server is not {}", flavour.word())));
                    }
                    test(lab).await.map(|()| Completion::Completed)
                })
            }));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

async fn open(lab: &Lab, place: &str, more: &str, options: S3Options) -> Result<S3Store, Failed> {
    let uri = format!("s3://longshore-minio/{}/{place}?endpoint={}{more}", lab.run, lab.endpoint);
    let store = S3Store::open(&uri.parse()?, options).await?;
    store.create_bucket().await?;
    Ok(store)
}

/// A store that sends whatever it is given.
async fn open_without_rules(lab: &Lab, place: &str) -> Result<S3Store, Failed> {
    let quirks = Quirks { names: NameRules::ANY, marker_suffix: b"", plain_listing: false, ..lab.flavour.quirks() };
    open(lab, place, "", S3Options { quirks: Some(quirks), ..S3Options::default() }).await
}

async fn put(store: &S3Store, path: &RelPath) -> storage::Result<()> {
    let data = vec![Bytes::copy_from_slice(path.as_bytes())];
    store.put(path, WriteSpec::default(), data).await.map(drop)
}

async fn content(store: &S3Store, path: &RelPath) -> storage::Result<Vec<u8>> {
    let reading = store.read(path, ReadSpec::default()).await?;
    Ok(collect_body(reading.body, 1 << 20).await?.concat())
}

async fn listed(store: &S3Store, recursive: bool) -> storage::Result<Vec<(RelPath, Kind)>> {
    let spec = ListSpec { recursive, ..ListSpec::default() };
    let pages: Vec<_> = store.list(&RelPath::ROOT, spec).try_collect().await?;
    Ok(pages.into_iter().flat_map(|page| page.entries).map(|entry| (entry.path, entry.kind)).collect())
}

/// Whether all of `paths`, written together in a place of their own, come back exactly: from a flat listing,
/// from a walk, and as content.
async fn survive(store: &S3Store, paths: &[RelPath]) -> Result<(), String> {
    for path in paths {
        put(store, path).await.map_err(|error| format!("{error:?}"))?;
    }
    let mut sorted = paths.to_vec();
    sorted.sort();
    let mut flat: Vec<RelPath> =
        listed(store, true).await.map_err(|e| format!("{e:?}"))?.into_iter().map(|e| e.0).collect();
    flat.sort();
    if flat != sorted {
        return Err(format!("listed are {flat:?}"));
    }
    let mut walked = Vec::new();
    let mut directories = vec![RelPath::ROOT];
    while let Some(directory) = directories.pop() {
        let pages: Vec<_> =
            store.list(&directory, ListSpec::default()).try_collect().await.map_err(|e| format!("{e:?}"))?;
        for entry in pages.into_iter().flat_map(|page| page.entries) {
            if entry.kind.is_dir() { directories.push(entry.path) } else { walked.push(entry.path) }
        }
    }
    walked.sort();
    if walked != sorted {
        return Err(format!("walked are {walked:?}"));
    }
    for path in paths {
        let found = content(store, path).await.map_err(|error| format!("{error:?}"))?;
        if found != path.as_bytes() {
            return Err(format!("`{path}` holds the content of `{}`", RelPath::from_bytes(found)));
        }
    }
    Ok(())
}

/// Holds a set of names, each in a place of its own, to the rules.
async fn hold_to_rules(lab: &Lab, place: &'static str, names: Vec<Vec<u8>>) -> Outcome {
    let checks = names.into_iter().enumerate().map(|(number, name)| async move {
        let path = RelPath::from_bytes(name);
        let place = format!("{place}-{number}");
        let strict = open(lab, &place, "", S3Options::default()).await?;
        match put(&strict, &path).await {
            Ok(()) => survive(&strict, std::slice::from_ref(&path))
                .await
                .map_err(|why| Failed::from(format!("`{path}`: {why}"))),
            Err(error) => {
                promise!(error.kind() == ErrorKind::NameRefused, "`{path}`: {error:?}");
                let ours = error.cause().is_some_and(|cause| !cause.contains("HTTP"));
                promise!(ours, "`{path}` is allowed by the rules, but the server says {error:?}");
                let loose = open_without_rules(lab, &place).await?;
                // Some names can be made once, and never again.
                let made = put(&loose, &path).await.is_ok();
                let held = made && survive(&loose, std::slice::from_ref(&path)).await.is_ok();
                // A gateway's files can be made under a long name and not replaced, its directories can: the rule,
                // which is one for both, is that of files.
                let directory = path.as_bytes().contains(&b'/');
                promise!(!held || directory, "`{path}` is refused by the rules, but the server holds it");
                Ok(())
            }
        }
    });
    stream::iter(checks).buffer_unordered(16).try_collect::<Vec<()>>().await.map(drop)
}

async fn every_byte(lab: Lab) -> Outcome {
    let mut names = Vec::new();
    for byte in 0..=255_u8 {
        names.extend([vec![byte], vec![b'x', byte], vec![byte, b'y'], vec![b'x', byte, b'y']]);
        names.extend([vec![b'd', b'/', byte, b'z'], vec![b'd', byte, b'/', b'z']]);
    }
    // The server holds content under `x/`, but a file tree has no such name, and the rules do not tell a
    // trailing slash from an empty component in the middle, which it refuses.
    names.retain(|name| name != b"x/");
    hold_to_rules(&lab, "byte", names).await
}

async fn hard_names(lab: Lab) -> Outcome {
    let mut names: Vec<Vec<u8>> = [
        "x/./y",
        "x/../y",
        "..",
        ".",
        "...",
        "x..y/..z/w..",
        "x//y",
        "a\r\nb",
        " ",
        "x ",
        " x",
        "x.",
        "con",
        "%41+%2F%",
        "a&b<c>\"d'",
        "a?b*c:d#e;f=g,h@i!$~()[]{}|^`",
        "x?uploads",
        "caf\u{e9}",
        "cafe\u{301}",
        "\u{AC00}\u{B098}",
        "\u{1F600}",
        "a\u{202E}b",
        "a\u{FFFE}b",
        "a\u{FFFF}b",
        "a\u{2028}b",
        "a\u{0}b",
        "a\\b",
        "xl.meta",
        "a/xl.meta",
        "a/part.1",
        ".minio.sys/x",
        "a__XLDIR__",
        "a__XLDIR__/b",
        "b/a__XLDIR__",
        "a__XLDIR__b",
        "__XLDIR__.txt",
        "__xldir__",
        "a\u{241B}2Fb",
        "-rf",
    ]
    .map(|name| name.as_bytes().to_vec())
    .to_vec();
    names.push(b"x\xED\xA0\x80y".to_vec());
    names.extend([255, 256].map(|len| vec![b'x'; len]));
    names.extend([255, 256].map(|len| [vec![b'x'; len], b"/f".to_vec()].concat()));
    hold_to_rules(&lab, "hard", names).await?;
    let twins = ["Straw", "straw", "caf\u{e9}", "cafe\u{301}"].map(RelPath::from);
    survive(&open(&lab, "twins", "", S3Options::default()).await?, &twins).await?;
    // The longest key, of short and of long components, and one byte more.
    for (number, component) in [9, 250].into_iter().enumerate() {
        let store = open(&lab, &format!("long-{number}"), "", S3Options::default()).await?;
        // versitygw keeps longer keys than S3 allows, and shorter components: its rules are held to above.
        if store.caps().names.max_component < 250 {
            break;
        }
        let room = 1024 - store.caps().prefix_len;
        let mut key: Vec<u8> = [vec![b'k'; component], b"/".to_vec()].concat().into_iter().cycle().take(room).collect();
        key[room - 1] = b'z';
        key[room - 2] = b'z';
        survive(&store, &[RelPath::from_bytes(key.clone())]).await?;
        key.push(b'z');
        let error =
            put(&open_without_rules(&lab, &format!("long-{number}")).await?, &RelPath::from_bytes(key.clone())).await;
        promise!(error.as_ref().is_err_and(|e| e.kind() == ErrorKind::NameRefused), "1025 bytes answer {error:?}");
        promise!(put(&store, &RelPath::from_bytes(key)).await.is_err(), "1025 bytes are not refused by the rules");
    }
    Ok(())
}

async fn item_and_prefix(lab: Lab) -> Outcome {
    promise!(!Flavour::Minio.quirks().names.item_and_prefix, "the rules claim it");
    let store = open(&lab, "both", "", S3Options::default()).await?;
    let lost = survive(&store, &["a".into(), "a/b".into()]).await;
    promise!(lost.is_err(), "the server holds both: the rules could claim it");
    Ok(())
}

async fn long_directories(lab: Lab) -> Outcome {
    for (len, marked) in [(246, true), (247, false), (255, false)] {
        let store = open(&lab, &format!("dir-{len}"), "", S3Options::default()).await?;
        let directory = RelPath::from_bytes(vec![b'd'; len]);
        let made = store.make(&directory, Node::Dir, &Metadata::default()).await;
        promise!(made.is_ok() == marked, "a marker of {len} bytes answers {made:?}");
        let kind = made.err().map(|error| error.kind());
        promise!(
            kind.is_none_or(|kind| kind == ErrorKind::NameRefused),
            "a marker of {len} bytes is refused as {kind:?}"
        );
        put(&store, &directory.join(b"file")).await?;
        let found = store.stat(&directory, Facets::POSIX).await?;
        promise!(found.kind.is_dir(), "a directory of {len} bytes is {found:?}");
    }
    Ok(())
}

fn sample() -> Metadata {
    let posix = Posix { mode: 0o2750, owner: Principal::Id(1000), group: Principal::Id(1001) };
    let mtime = Some(Timestamp { secs: 1_595_002_920, nanos: 123_456_789 });
    Metadata { mtime, posix: Some(posix), ..Metadata::default() }
}

async fn nodes(lab: Lab) -> Outcome {
    let store = open(&lab, "nodes", "", S3Options::default()).await?;
    let want = Facets::POSIX.and(Facets::USER_META);
    store.make(&"empty".into(), Node::Dir, &sample()).await?;
    let found = store.stat(&"empty".into(), want).await?;
    promise!(found.kind.is_dir() && found.meta.as_deref() == Some(&sample()), "the directory is {found:?}");
    // A file gives way to a directory, and a directory with nothing in it can be removed.
    put(&store, &"was".into()).await?;
    store.make(&"was".into(), Node::Dir, &Metadata::default()).await?;
    promise!(store.stat(&"was".into(), want).await?.kind.is_dir(), "the file is still there");
    store.remove(&"was".into(), None).await?;
    let target = Bytes::from_static(b"../no\xFFwhere");
    store.make(&"link".into(), Node::Symlink { target: target.clone() }, &sample()).await?;
    let found = store.stat(&"link".into(), want).await?;
    promise!(found.kind == Kind::Symlink { target: target.clone() }, "the link is {found:?}");
    let read = store.read(&"link".into(), ReadSpec::default()).await?;
    promise!(read.entry.kind == Kind::Symlink { target }, "read as {:?}", read.entry);
    let mut meta = sample();
    meta.mtime = Some(Timestamp { secs: 7, nanos: 7 });
    for path in ["empty", "link"] {
        store.apply(&path.into(), &meta, Facets::MTIME).await?;
        let after = store.stat(&path.into(), want).await?;
        promise!(after.meta.as_deref() == Some(&meta), "after apply `{path}` is {after:?}");
        promise!(!after.kind.is_file(), "after apply `{path}` is a file");
    }
    let walked = listed(&store, false).await?;
    promise!(walked.iter().map(|(path, _)| path.clone()).eq(["empty".into(), "link".into()]), "listed are {walked:?}");
    Ok(())
}

async fn flat(lab: Lab) -> Outcome {
    let store = open(&lab, "flat", "", S3Options::default()).await?;
    store.make(&RelPath::ROOT, Node::Dir, &sample()).await?;
    store.make(&"d".into(), Node::Dir, &Metadata::default()).await?;
    for path in ["d/x", "d-e", "d0", "e/y"] {
        put(&store, &path.into()).await?;
    }
    let found = listed(&store, true).await?;
    let words: Vec<String> = found.iter().map(|(path, kind)| format!("{path}:{}", kind.word())).collect();
    promise!(words == ["d-e:file", "d:dir", "d/x:file", "d0:file", "e/y:file"], "the flat listing is {words:?}");
    let found = listed(&store, false).await?;
    let words: Vec<String> = found.iter().map(|(path, kind)| format!("{path}:{}", kind.word())).collect();
    promise!(words == ["d-e:file", "d:dir", "d0:file", "e:dir"], "the root's listing is {words:?}");
    let root = store.stat(&RelPath::ROOT, Facets::POSIX).await?;
    promise!(root.meta.as_deref() == Some(&sample()), "the root is {root:?}");
    Ok(())
}

async fn extras(lab: Lab) -> Outcome {
    let store = open(&lab, "extras", "", S3Options::default()).await?;
    let mut meta = sample();
    meta.posix = Some(Posix { mode: 0o644, owner: Principal::Name("anna".into()), group: Principal::Id(5) });
    meta.user = vec![("farbe".into(), "gr\u{fc}n, mit  Rand ".into()), ("leer".into(), String::new())];
    let spec =
        WriteSpec { meta: meta.clone(), storage_class: Some("REDUCED_REDUNDANCY".into()), ..WriteSpec::default() };
    let told = store.put(&"x".into(), spec, vec![Bytes::from_static(b"123456789")]).await?;
    promise!(told.digests.crc64nvme == Some(0xAE8B_1486_0A79_9888), "the server tells {told:?}");
    let want = Facets::POSIX.and(Facets::USER_META).and(Facets::DIGESTS);
    let found = store.stat(&"x".into(), want).await?;
    promise!(found.meta.as_deref() == Some(&meta), "stat tells {:?}", found.meta);
    promise!(found.digests.as_ref().is_some_and(|d| d.md5.is_some() && d.crc64nvme.is_some()), "{:?}", found.digests);
    // What is applied leaves the storage class and the checksum alone.
    store.apply(&"x".into(), &sample(), Facets::MODE.and(Facets::OWNER)).await?;
    let found = store.stat(&"x".into(), want).await?;
    promise!(found.digests.as_ref().is_some_and(|d| d.crc64nvme.is_some()), "after apply {:?}", found.digests);
    promise!(found.meta.as_ref().is_some_and(|m| m.posix == sample().posix && m.user == meta.user), "{:?}", found.meta);
    Ok(())
}

async fn preflight(lab: Lab) -> Outcome {
    let store = open(&lab, "preflight", "", S3Options::default()).await?;
    let reached = store.check().await?;
    promise!(
        reached.empty && reached.server.as_deref().is_some_and(|s| Flavour::of_server(s) == lab.flavour),
        "{reached:?}"
    );
    promise!(store.list_buckets().await?.contains(&"longshore-minio".to_owned()), "the bucket is not listed");
    let wrote = store.probe_write().await?;
    promise!(wrote.checksum && wrote.removable, "{wrote:?}");
    promise!(store.check().await?.empty, "the probe left something");
    Ok(())
}

async fn refused(lab: Lab) -> Outcome {
    let keys = |access: &str, secret: &str| Keys { access: access.into(), secret: secret.into(), token: None };
    let access = std::env::var("AWS_ACCESS_KEY_ID").unwrap_or_default();
    let good = open(&lab, "refused", "", S3Options::default()).await?;
    for (keys, word) in [(keys("nobody", "x"), "access key"), (keys(&access, "wrong"), "secret key")] {
        let uri = format!("s3://longshore-minio?endpoint={}", lab.endpoint);
        let store = S3Store::open(&uri.parse()?, S3Options { keys: Some(keys), ..S3Options::default() }).await?;
        let Err(error) = store.check().await else { return Err("wrong keys are accepted".into()) };
        promise!(error.kind() == ErrorKind::Unauthenticated && error.reach() == Reach::Location, "{error:?}");
        promise!(error.hint_text().is_some_and(|hint| hint.contains(word)), "{:?}", error.hint_text());
    }
    let uri = format!("s3://no-such-bucket-{}?endpoint={}", lab.run, lab.endpoint);
    let store = S3Store::open(&uri.parse()?, S3Options::default()).await?;
    let Err(error) = store.check().await else { return Err("a missing bucket is reached".into()) };
    promise!(
        error.kind() == ErrorKind::NotFound && error.cause().is_some_and(|c| c.starts_with("NoSuchBucket")),
        "{error:?}"
    );
    let uri = format!("s3://longshore-minio?endpoint={}&anonymous=true", lab.endpoint);
    let Err(error) = S3Store::open(&uri.parse()?, S3Options::default()).await?.check().await else {
        return Err("a stranger may list".into());
    };
    promise!(error.kind() == ErrorKind::Denied, "{error:?}");
    drop(good);
    Ok(())
}

async fn digests(lab: Lab) -> Outcome {
    let store = open(&lab, "digests", "", S3Options::default()).await?;
    let none = model::Digests::default();
    for (name, digests) in [
        ("crc64nvme", model::Digests { crc64nvme: Some(1), ..none }),
        ("crc32c", model::Digests { crc32c: Some(1), ..none }),
        ("md5", model::Digests { md5: Some([1; 16]), ..none }),
        ("sha256", model::Digests { sha256: Some([1; 32]), ..none }),
    ] {
        let spec = WriteSpec { digests, ..WriteSpec::default() };
        let answer = store.put(&name.into(), spec, vec![Bytes::from_static(b"abc")]).await;
        promise!(answer.as_ref().is_err_and(|e| e.kind() == ErrorKind::Corrupt), "a wrong {name} answers {answer:?}");
    }
    promise!(listed(&store, true).await?.is_empty(), "something was written");
    let map = NameMap::refusing(store.caps().names);
    promise!(map.to(&"x".into()).is_ok(), "the rules refuse everything");
    Ok(())
}

async fn bucket_list(lab: Lab) -> Outcome {
    drop(open(&lab, "buckets", "", S3Options::default()).await?);
    for uri in ["s3://", "s3:///"] {
        let uri = format!("{uri}?endpoint={}", lab.endpoint);
        let all = buckets(&uri.parse()?, &S3Options::default()).await?;
        let ours = all.iter().find(|bucket| bucket.name == "longshore-minio");
        promise!(ours.is_some_and(|bucket| bucket.created.is_some()), "{uri}: {all:?}");
    }
    let named = format!("s3://longshore-minio?endpoint={}", lab.endpoint);
    let refused = buckets(&named.parse()?, &S3Options::default()).await;
    promise!(refused.as_ref().is_err_and(|e| e.kind() == ErrorKind::Invalid), "{refused:?}");
    let keys = Keys { access: "nobody".into(), secret: "x".into(), token: None };
    let options = S3Options { keys: Some(keys), ..S3Options::default() };
    let refused = buckets(&format!("s3:///?endpoint={}", lab.endpoint).parse()?, &options).await;
    promise!(refused.as_ref().is_err_and(|e| e.kind() == ErrorKind::Unauthenticated), "{refused:?}");
    Ok(())
}

/// Has the AWS command line do what this driver has no reason to do.
fn aws(lab: &Lab, arguments: &[&str]) -> Result<(), Failed> {
    let done = Command::new("aws").args(["--endpoint-url", &lab.endpoint, "s3api"]).args(arguments).output();
    let done = done.map_err(|why| format!("`aws` cannot be run: {why}"))?;
    promise!(done.status.success(), "aws {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

async fn survey(lab: Lab) -> Outcome {
    let bucket = format!("longshore-survey-{}", lab.run);
    let uri = format!("s3://{bucket}?endpoint={}", lab.endpoint);
    let store = S3Store::open(&uri.parse()?, S3Options::default()).await?;
    store.create_bucket().await?;
    let limits = SurveyLimits::default();
    let plain = store.survey(&limits).await?;
    promise!(plain.versioning == Fact::Known(Versioning::Never), "{plain:?}");
    promise!(plain.versions == Fact::Known(None) && plain.lock == Fact::Known(None), "{plain:?}");
    promise!(plain.region.known().is_some_and(|region| region == "us-east-1"), "{plain:?}");
    aws(&lab, &["put-bucket-versioning", "--bucket", &bucket, "--versioning-configuration", "Status=Enabled"])?;
    for round in 0..3_u8 {
        for name in ["a", "b+ c", "d/e"] {
            store.put(&name.into(), WriteSpec::default(), vec![Bytes::from(vec![round; 10])]).await?;
        }
    }
    store.remove(&"a".into(), None).await?;
    let upload = store.create(&"open".into(), WriteSpec::default()).await?;
    let part = vec![Bytes::from(vec![7; 6 << 20])];
    let sum = storage::checksum::crc64nvme(&part);
    upload.part(0, 0, part, sum).await?;
    let told = store.survey(&limits).await?;
    promise!(told.versioning == Fact::Known(Versioning::Enabled), "{told:?}");
    let Some(Some(versions)) = told.versions.known() else { return Err(format!("{told:?}").into()) };
    promise!((versions.current.objects, versions.current.bytes) == (2, 20), "{versions:?}");
    promise!((versions.noncurrent.objects, versions.noncurrent.bytes) == (7, 70), "{versions:?}");
    promise!((versions.delete_markers, versions.deleted, versions.partial) == (1, 1, false), "{versions:?}");
    let Some(uploads) = told.uploads.known() else { return Err(format!("{told:?}").into()) };
    promise!((uploads.uploads, uploads.bytes, uploads.sized) == (1, 6 << 20, 1), "{uploads:?}");
    promise!(uploads.oldest.is_some() && !uploads.partial, "{uploads:?}");
    let none = store.survey(&SurveyLimits { version_pages: 0, upload_pages: 0, uploads_sized: 0 }).await?;
    promise!(none.versions.known().is_some_and(|v| v.as_ref().is_some_and(|v| v.partial)), "{none:?}");
    if lab.flavour == Flavour::Versity {
        let Fact::Unknown { kind, why } = &told.lifecycle else { return Err(format!("{told:?}").into()) };
        promise!(*kind == ErrorKind::Unsupported && why.contains("NotImplemented"), "{told:?}");
    } else {
        promise!(told.lifecycle == Fact::Known(Vec::new()), "{told:?}");
        let rules = r#"{"Rules":[{"ID":"r","Status":"Enabled","Filter":{"Prefix":"logs/"},"Expiration":{"Days":30},"NoncurrentVersionExpiration":{"NoncurrentDays":7}}]}"#;
        aws(&lab, &["put-bucket-lifecycle-configuration", "--bucket", &bucket, "--lifecycle-configuration", rules])?;
        let told = store.survey(&limits).await?;
        let Some([rule]) = told.lifecycle.known().map(Vec::as_slice) else { return Err(format!("{told:?}").into()) };
        let expected = (true, "logs/", Some("30 days"), Some(7));
        let found = (rule.enabled, rule.prefix.as_str(), rule.expires.as_deref(), rule.noncurrent_expires_days);
        promise!(found == expected, "{rule:?}");
    }
    Ok(())
}

async fn no_tls(lab: Lab) -> Outcome {
    let uri = format!("s3://longshore-minio?flavour=generic&endpoint={}", lab.endpoint.replace("http:", "https:"));
    let error = S3Store::open(&uri.parse()?, S3Options::default()).await?.check().await;
    let Err(error) = error else { return Err("TLS is spoken where it is not".into()) };
    promise!(error.cause().is_some_and(|cause| cause.contains("write `http://`")), "{error:?}");
    Ok(())
}
