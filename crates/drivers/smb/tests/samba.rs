//! Against Samba: `tests/rig/rig start kdc samba` and `tests/rig/rig exec cargo test -p longshore-driver-smb`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use common::{elsewhere, options};
use futures::{StreamExt as _, TryStreamExt as _};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use longshore_driver_smb::{
    Cipher, Credentials, Demand, Dialect, Secret, ShareKind, Signing, SmbOptions, SmbStore, shares,
};
use model::{Acl, Entry, Facets, Kind, Location, RelPath, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ffi::OsStr,
    fs,
    num::NonZeroUsize,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{MetadataExt as _, PermissionsExt as _, symlink},
    },
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use storage::{
    Body, ErrorKind, ListSpec, Probe, ReadSpec, Retry, RetryPolicy, Retrying, Source, collect_body,
    walk::{WalkEvent, WalkSpec, walk},
};
use tokio::runtime::Runtime;

/// Set for the copy of this program that runs in a rig of its own.
const INNER: &str = "LONGSHORE_TEST_SMB_RESTARTS";

type Case = (&'static str, fn(&Rig));

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let rig = Rig::from_env();
    let cases: &[Case] = &[
        ("a server says what it is and what was agreed", identity),
        ("shares are listed with kind and comment", share_list),
        ("names that Windows could have are listed and opened again", hostile_names),
        ("a name with a lone surrogate is listed and opened again", surrogate),
        ("times are exact to 100 ns, before 1970 too", times),
        ("a wide directory is listed in pages that resume", wide_directory),
        ("a path of sixty directories is read", deep_path),
        ("a large file is read whole and in ranges", large_file),
        ("sixty-four large reads at once give every byte", many_reads),
        ("a small file is read outside any chain, where Samba would read it in its only thread", small_files),
        ("a file that is written while it is read is not taken for whole", written_meanwhile),
        ("security descriptors and streams are read", ntfs),
        ("links of DFS are followed, and dead ones are said to be so", dfs),
        ("what is refused is said in words that help", refusals),
        ("what is not a server of SMB is said to be so", strangers),
        ("a ticket of Kerberos opens the share", kerberos),
        ("the volume tells its size", volume),
    ];
    let mut trials: Vec<Trial> = cases
        .iter()
        .map(|(name, case)| {
            let (rig, case) = (rig.clone(), *case);
            Trial::ignorable_test(*name, move || match rig {
                None => Ok(Completion::ignored_with("LONGSHORE_TEST_SMB or LONGSHORE_TEST_SMB_DIR is not set")),
                Some(rig) => {
                    case(&rig);
                    Ok(Completion::Completed)
                }
            })
        })
        .collect();
    if env::var_os(INNER).is_some() {
        let restarts: [Case; 3] = [
            ("a walk survives", walk_survives_a_restart),
            ("a read survives", read_survives_a_restart),
            ("a hanging server", frozen),
        ];
        trials = restarts
            .into_iter()
            .map(|(name, case)| {
                let rig = rig.clone().unwrap();
                Trial::test(name, move || {
                    case(&rig);
                    Ok(())
                })
            })
            .collect();
    } else {
        trials.push(Trial::ignorable_test("a walk and a read survive a server that is killed and restarted", restarts));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The server that the environment names.
#[derive(Clone)]
struct Rig {
    uri: String,
    dir: PathBuf,
}

impl Rig {
    fn from_env() -> Option<Self> {
        let uri = env::var("LONGSHORE_TEST_SMB").ok().filter(|v| !v.is_empty())?;
        let dir = env::var_os("LONGSHORE_TEST_SMB_DIR").filter(|v| !v.is_empty())?;
        Some(Self { uri, dir: dir.into() })
    }
    /// A directory for one case, and its name below the share.
    fn fresh(&self, name: &str) -> Fresh {
        Fresh::below(&self.dir, name)
    }
    fn location(&self) -> Location {
        self.uri.parse().unwrap()
    }
    fn share(&self, share: &str) -> Location {
        elsewhere(&self.location(), share, true)
    }
    async fn store(&self) -> Arc<SmbStore> {
        Arc::new(SmbStore::connect(&self.location(), options()).await.unwrap())
    }
}

struct Fresh {
    on_disk: PathBuf,
    path: RelPath,
}

impl Fresh {
    fn below(dir: &Path, name: &str) -> Self {
        let name = format!("driver-{name}-{}", std::process::id());
        let on_disk = dir.join(&name);
        fs::create_dir(&on_disk).unwrap();
        Self { on_disk, path: name.as_str().into() }
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.on_disk).unwrap();
    }
}

fn run(work: impl Future<Output = ()>) {
    Runtime::new().unwrap().block_on(work);
}

fn at(location: &str) -> Location {
    location.parse().unwrap()
}

fn variable(name: &str) -> Location {
    at(&env::var(name).unwrap())
}

async fn refused(location: &Location, options: SmbOptions) -> storage::Error {
    SmbStore::connect(location, options).await.unwrap_err()
}

async fn whole(store: &dyn Source, path: &RelPath) -> Vec<u8> {
    let reading = store.read(path, ReadSpec::default()).await.unwrap();
    collect_body(reading.body, u64::MAX).await.unwrap().concat()
}

async fn listed(store: &dyn Source, dir: &RelPath, want: Facets) -> Vec<Entry> {
    let pages: Vec<_> = store.list(dir, ListSpec { want, ..ListSpec::default() }).try_collect().await.unwrap();
    pages.into_iter().flat_map(|page| page.entries).collect()
}

fn make_tree(arguments: &[&OsStr]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/rig/make-tree");
    let made = Command::new(script).args(arguments).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Everything below a directory, and the errors on the way.
async fn walked(source: Arc<dyn Source>, root: RelPath) -> (BTreeMap<RelPath, Entry>, Vec<storage::Error>) {
    let want = Facets::MTIME;
    let mut walk = walk(source, WalkSpec { roots: vec![(root, None)], want, ..WalkSpec::default() });
    let (mut all, mut errors) = (BTreeMap::new(), Vec::new());
    while let Some(event) = walk.next().await.unwrap() {
        match event {
            WalkEvent::Page { entries, .. } => {
                for entry in entries {
                    assert!(all.insert(entry.path.clone(), entry).is_none(), "an entry came twice");
                }
            }
            WalkEvent::Unreadable { error, .. } => errors.push(error),
            WalkEvent::Done { .. } | WalkEvent::Skipped { .. } | WalkEvent::Restarted { .. } => {}
        }
    }
    (all, errors)
}

fn identity(rig: &Rig) {
    run(async {
        let store = rig.store().await;
        let known = store.identify();
        assert_eq!((known.dialect, known.server.port()), (Dialect::Smb311, 445));
        assert!(known.server_guid != [0; 16] && known.dfs && !known.guest && !known.signed && !known.encrypted);
        assert_eq!((known.signing, known.cipher), (Signing::AesGmac, Some(Cipher::Aes128Gcm)), "{known:?}");
        assert!(known.max_read >= 1 << 20 && known.max_name == 255 && known.volume != 0, "{known:?}");
        assert!(
            known.netbios_name.is_some() && known.os_version.is_some() && !known.file_system.is_empty(),
            "{known:?}"
        );
        assert!(known.time.unwrap().secs > 1_700_000_000);
        let agreed = async |name: &str, options: SmbOptions| {
            SmbStore::connect(&variable(name), options).await.unwrap().identify().clone()
        };
        let signed = agreed("LONGSHORE_TEST_SMB_SIGN", options()).await;
        assert!(signed.signed && signed.signing_required && !signed.encrypted);
        let sealed = agreed("LONGSHORE_TEST_SMB_ENC", options()).await;
        assert!(sealed.encrypted);
        let old = agreed("LONGSHORE_TEST_SMB_21", options()).await;
        assert_eq!((old.dialect, old.signing, old.cipher), (Dialect::Smb210, Signing::HmacSha256, None));
        let old = agreed("LONGSHORE_TEST_SMB_21", SmbOptions { signing: Demand::Required, ..options() }).await;
        assert!(old.signed);
        let middle = agreed("LONGSHORE_TEST_SMB_30", SmbOptions { encryption: Demand::Required, ..options() }).await;
        assert_eq!(
            (middle.dialect, middle.signing, middle.cipher, middle.encrypted),
            (Dialect::Smb300, Signing::AesCmac, Some(Cipher::Aes128Ccm), true)
        );
        let share = SmbStore::connect(&rig.share("enc"), options()).await.unwrap();
        assert!(share.identify().encrypted && share.identify().share_flags & 0x8000 != 0);
        // The words of the URI.
        let uri = rig.location().with_param("sign", "required");
        assert!(SmbStore::connect(&uri, options()).await.unwrap().identify().signed);
        let error = refused(&variable("LONGSHORE_TEST_SMB_21").with_param("encrypt", "required"), options()).await;
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    });
}

fn share_list(rig: &Rig) {
    run(async {
        let all = shares(&rig.location(), &options()).await.unwrap();
        let found = |name: &str| all.iter().find(|share| share.name == name).unwrap_or_else(|| panic!("{all:?}"));
        assert_eq!((found("data").kind, found("data").comment.as_str()), (ShareKind::Disk, "the rig's folder of data"));
        assert!(found("hidden$").hidden && !found("hidden$").administrative && !found("data").hidden);
        assert_eq!((found("IPC$").kind, found("IPC$").hidden), (ShareKind::Ipc, true));
        // Where all is signed or encrypted, too, and for a guest.
        for name in ["LONGSHORE_TEST_SMB_SIGN", "LONGSHORE_TEST_SMB_ENC", "LONGSHORE_TEST_SMB_21"] {
            assert_eq!(shares(&variable(name), &options()).await.unwrap().len(), all.len());
        }
        let guest = SmbOptions { credentials: Credentials::Guest, ..options() };
        assert!(!shares(&elsewhere(&rig.location(), "", false), &guest).await.unwrap().is_empty());
        let nobody = SmbOptions { credentials: Credentials::Anonymous, ..options() };
        assert!(!shares(&elsewhere(&rig.location(), "", false), &nobody).await.unwrap().is_empty());
    });
}

/// Names as a client of Windows could have made them, as Samba keeps them on disk.
const NAMES: &[&str] = &[
    "plain",
    " leading",
    "trailing ",
    "trailing.",
    "...",
    "caf\u{e9}",
    "cafe\u{301}",
    "\u{202e}reversed",
    "😀 emoji",
    "日本語",
    "a+b%20&c=d;e'f`g",
    "-rf",
    "CON",
    "COM1.txt",
    "#hash",
    "tab~1",
    "\u{fffe}",
    "\u{feff}bom",
    "\u{241b}2F",
    "\u{7f}del",
    "[x]{y}(z)!@$^_",
    "\u{f03a}\u{f02a}",
];

fn hostile_names(rig: &Rig) {
    let fresh = rig.fresh("names");
    for name in NAMES {
        fs::write(fresh.on_disk.join(name), name).unwrap();
    }
    let long = "\u{65e5}".repeat(85);
    fs::write(fresh.on_disk.join(&long), &long).unwrap();
    run(async {
        let store = rig.store().await;
        let found: BTreeSet<RelPath> =
            listed(&*store, &fresh.path, Facets::NONE).await.into_iter().map(|entry| entry.path).collect();
        let expected: BTreeSet<RelPath> =
            NAMES.iter().chain([&long.as_str()]).map(|name| fresh.path.join(name.as_bytes())).collect();
        assert_eq!(found, expected);
        for path in &found {
            assert_eq!(whole(&*store, path).await, path.file_name(), "{path}");
            assert_eq!(store.stat(path, Facets::NONE).await.unwrap().kind, Kind::File);
        }
        // The mapping of `catia` shows what Windows forbids under private characters.
        for name in ["a:b", "q?", "s*r", "p|e"] {
            fs::write(fresh.on_disk.join(name), name).unwrap();
        }
        let catia = SmbStore::connect(&rig.share("catia"), options()).await.unwrap();
        for (shown, name) in [("a\u{f03a}b", "a:b"), ("q\u{f03f}", "q?"), ("s\u{f02a}r", "s*r"), ("p\u{f07c}e", "p|e")]
        {
            assert_eq!(whole(&catia, &fresh.path.join(shown.as_bytes())).await, name.as_bytes());
        }
    });
}

fn surrogate(rig: &Rig) {
    // A surrogate in WTF-8 on disk: Samba shows it as the lone unit that it is, or not at all.
    let fresh = rig.fresh("surrogate");
    let name = b"lone\xED\xA0\x80x";
    fs::write(fresh.on_disk.join(OsStr::from_bytes(name)), "content").unwrap();
    fs::write(fresh.on_disk.join("other"), "other").unwrap();
    run(async {
        let store = rig.store().await;
        let found = listed(&*store, &fresh.path, Facets::NONE).await;
        assert!(found.iter().any(|entry| entry.path == fresh.path.join(b"other")), "{found:?}");
        let lone = fresh.path.join(name);
        let Some(entry) = found.iter().find(|entry| entry.path == lone) else {
            panic!("listed are {found:?}");
        };
        assert_eq!(entry.kind, Kind::File);
        // Samba lists such a name, but cannot turn it back into bytes of its disk: it says so, and so do we.
        match store.read(&lone, ReadSpec::default()).await {
            Ok(reading) => assert_eq!(collect_body(reading.body, 99).await.unwrap().concat(), b"content"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NameRefused, "{error:?}");
                assert_eq!(error.cause().as_deref(), Some("STATUS_ILLEGAL_CHARACTER"));
            }
        }
    });
}

fn times(rig: &Rig) {
    let fresh = rig.fresh("times");
    let cases = [(1_234_567_890_i64, 123_456_789_u32), (-315_619_200, 1_000), (-1, 999_999_999), (4_102_444_800, 5)];
    for (number, (secs, nanos)) in cases.iter().enumerate() {
        let path = fresh.on_disk.join(number.to_string());
        fs::write(&path, "x").unwrap();
        let touched = Command::new("touch").arg("-d").arg(format!("@{secs}.{nanos:09}")).arg(&path).status().unwrap();
        assert!(touched.success());
    }
    run(async {
        let store = rig.store().await;
        for entry in listed(&*store, &fresh.path, Facets::MTIME).await {
            let number: usize = std::str::from_utf8(entry.path.file_name()).unwrap().parse().unwrap();
            let status = fs::metadata(fresh.on_disk.join(number.to_string())).unwrap();
            let nanos = u32::try_from(status.mtime_nsec()).unwrap() / 100 * 100;
            assert_eq!(entry.stamp.mtime, Some(Timestamp { secs: status.mtime(), nanos }), "{:?}", cases[number]);
            assert_eq!(entry.stamp.file_id.unwrap().inode, status.ino());
            assert_eq!(entry.stamp.size, 1);
            let meta = entry.meta.as_ref().unwrap();
            assert_eq!(meta.mtime, entry.stamp.mtime);
            assert!(meta.birth.is_some() && meta.atime.is_some() && meta.ntfs_attributes.is_some());
            let stat = store.stat(&entry.path, Facets::MTIME.and(Facets::HARD_LINKS)).await.unwrap();
            assert_eq!((&stat.stamp, stat.nlink), (&entry.stamp, Some(1)));
        }
    });
}

fn wide_directory(rig: &Rig) {
    let fresh = rig.fresh("wide");
    make_tree(&["hostile".as_ref(), fresh.on_disk.as_os_str(), "--wide".as_ref(), "20000".as_ref()]);
    let dir = fresh.path.join(b"wide");
    let expected: Vec<_> = (0..20_000).map(|n| dir.join(format!("entry-{n:06}").as_bytes())).collect();
    let sorted = |pages: &[storage::Page]| {
        let mut names: Vec<_> = pages.iter().flat_map(|page| &page.entries).map(|entry| entry.path.clone()).collect();
        names.sort();
        names
    };
    run(async {
        let store = rig.store().await;
        let pages: Vec<_> = store.list(&dir, ListSpec::default()).try_collect().await.unwrap();
        assert!(pages.len() > 3 && pages.iter().rev().skip(1).all(|page| page.next.is_some()), "{} pages", pages.len());
        assert!(sorted(&pages) == expected);
        // Another connection, as after a restart of this program.
        let store = rig.store().await;
        let middle = pages.len() / 2;
        let from = pages[middle].next.clone();
        let spec = ListSpec { from, ..ListSpec::default() };
        let rest: Vec<_> = store.list(&dir, spec.clone()).try_collect().await.unwrap();
        assert!(sorted(&[&pages[..=middle], &rest].concat()) == expected);
        // An entry that was delivered is gone: whether the order held cannot be told any more.
        let first = pages[0].entries[0].path.clone();
        fs::remove_file(rig.dir.join(OsStr::from_bytes(first.as_bytes()))).unwrap();
        let again: storage::Result<Vec<_>> = store.list(&dir, spec).try_collect().await;
        assert_eq!(again.unwrap_err().kind(), ErrorKind::Changed);
    });
}

fn deep_path(rig: &Rig) {
    let fresh = rig.fresh("deep");
    let mut path = fresh.path.clone();
    for level in 0..60 {
        path = path.join(format!("directory-number-{level:04}-of-many").as_bytes());
    }
    let file = path.join(b"file");
    assert!(file.len() > 1024);
    fs::create_dir_all(rig.dir.join(OsStr::from_bytes(path.as_bytes()))).unwrap();
    fs::write(rig.dir.join(OsStr::from_bytes(file.as_bytes())), "deep").unwrap();
    run(async {
        let store = rig.store().await;
        let (all, errors) = walked(store.clone(), fresh.path.clone()).await;
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!((all.len(), all.last_key_value().unwrap().0), (61, &file));
        assert_eq!(whole(&*store, &file).await, b"deep");
    });
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

fn large_file(rig: &Rig) {
    let fresh = rig.fresh("large");
    let expected = noise(1, (64 << 20) + 12_345);
    fs::write(fresh.on_disk.join("file"), &expected).unwrap();
    let path = fresh.path.join(b"file");
    run(async {
        let sealed = SmbOptions { encryption: Demand::Required, ..options() };
        let signed = SmbOptions { signing: Demand::Required, ..options() };
        for (name, options) in [
            ("LONGSHORE_TEST_SMB", options()),
            ("LONGSHORE_TEST_SMB", signed),
            ("LONGSHORE_TEST_SMB", sealed.clone()),
            ("LONGSHORE_TEST_SMB_21", SmbOptions { signing: Demand::Required, ..options() }),
            ("LONGSHORE_TEST_SMB_30", sealed),
        ] {
            let store = SmbStore::connect(&variable(name), options).await.unwrap();
            assert!(whole(&store, &path).await == expected, "{name}");
            let range = 23_456_789..23_456_789 + 5_000_001;
            let reading = store.read(&path, ReadSpec { range: Some(range), ..ReadSpec::default() }).await.unwrap();
            let part = collect_body(reading.body, u64::MAX).await.unwrap().concat();
            assert!(part == expected[23_456_789..][..5_000_001], "{name}");
        }
    });
}

/// Counts requests that succeed, by their words.
#[derive(Debug, Default)]
struct Counted(Mutex<BTreeMap<&'static str, usize>>);

impl Probe for Counted {
    fn observed(&self, op: &'static str, _took: Duration, ok: bool) {
        *self.0.lock().unwrap().entry(op).or_default() += usize::from(ok);
    }
}

fn small_files(rig: &Rig) {
    let fresh = rig.fresh("small");
    let files: Vec<(RelPath, Vec<u8>)> = (0..200_u64)
        .map(|number| {
            let content = noise(number, usize::try_from(number * 40).unwrap());
            fs::write(fresh.on_disk.join(number.to_string()), &content).unwrap();
            (fresh.path.join(number.to_string().as_bytes()), content)
        })
        .collect();
    let probe = Arc::new(Counted::default());
    run(async {
        let options = SmbOptions { probe: Arc::<Counted>::clone(&probe), ..options() };
        let store = SmbStore::connect(&rig.location(), options).await.unwrap();
        probe.0.lock().unwrap().clear();
        let reads = futures::stream::iter(&files).map(|(path, content)| {
            let store = &store;
            async move { assert!(whole(store, path).await == *content, "{path}") }
        });
        reads.buffer_unordered(32).collect::<()>().await;
    });
    let counted = probe.0.lock().unwrap();
    // The one empty file needs no READ.
    let expected = [("CREATE+QUERY_INFO", 200), ("READ", 199), ("CLOSE", 200)];
    for (op, times) in expected {
        assert_eq!(counted.get(op), Some(&times), "{op} in {counted:?}");
    }
}

fn many_reads(rig: &Rig) {
    let rounds: usize = env::var("LONGSHORE_TEST_SMB_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let fresh = rig.fresh("many");
    let contents: Vec<Vec<u8>> = (0..8).map(|seed| noise(seed, 4 << 20)).collect();
    for (number, content) in contents.iter().enumerate() {
        fs::write(fresh.on_disk.join(number.to_string()), content).unwrap();
    }
    run(async {
        let contents = Arc::new(contents);
        for connections in [1, 4] {
            let connections = NonZeroUsize::new(connections).unwrap();
            for at_once in [8_usize, 32, 64] {
                let store = SmbStore::connect(&rig.location(), SmbOptions { connections, ..options() }).await.unwrap();
                for round in 0..rounds {
                    let reads = (0..at_once).map(|number| {
                        let (store, contents) = (store.clone(), Arc::clone(&contents));
                        let path = fresh.path.join((number % 8).to_string().as_bytes());
                        tokio::spawn(async move { whole(&store, &path).await == contents[number % 8] })
                    });
                    let since = Instant::now();
                    let done = tokio::time::timeout(Duration::from_mins(1), futures::future::join_all(reads)).await;
                    let done = done.unwrap_or_else(|_| panic!("{at_once} reads hang in round {round}"));
                    assert!(done.into_iter().all(|right| right.unwrap()), "{at_once} reads, round {round}");
                    if rounds > 10 && round % 20 == 0 {
                        println!("{connections} connections, {at_once} at once, round {round}: {:?}", since.elapsed());
                    }
                }
            }
        }
    });
}

fn written_meanwhile(rig: &Rig) {
    let fresh = rig.fresh("written");
    let on_disk = fresh.on_disk.join("file");
    fs::write(&on_disk, noise(3, 16 << 20)).unwrap();
    let path = fresh.path.join(b"file");
    run(async {
        let store = rig.store().await;
        let Body::Stream(mut pieces) = store.read(&path, ReadSpec::default()).await.unwrap().body else {
            panic!("not a stream")
        };
        let first = pieces.next().await.unwrap().unwrap();
        assert!(!first.is_empty());
        let mut changed = noise(3, 16 << 20);
        changed[15 << 20] ^= 1;
        fs::write(&on_disk, changed).unwrap();
        let rest: storage::Result<Vec<_>> = pieces.try_collect().await;
        assert_eq!(rest.map(|pieces| pieces.len()).unwrap_err().kind(), ErrorKind::Changed);
    });
}

fn ntfs(rig: &Rig) {
    let Some(dir) = env::var_os("LONGSHORE_TEST_SMB_NTFS_DIR") else { return };
    let fresh = Fresh::below(Path::new(&dir), "ntfs");
    fs::write(fresh.on_disk.join("file"), "content").unwrap();
    let unc = "//127.0.0.1/ntfs".to_owned();
    let inside = |name: &str| format!("{}/{name}", fresh.path);
    // A stream by another client: `put` to a name with a colon.
    let source = fresh.on_disk.join("file");
    let password = env::var("LONGSHORE_TEST_SMB_PASSWORD").unwrap();
    let put = format!("put {} \"{}:second\"", source.display(), inside("file").replace('/', "\\"));
    let ran = Command::new("smbclient").args([&unc, "-U", &format!("root%{password}"), "-c", &put]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    run(async {
        let store = SmbStore::connect(&rig.share("ntfs"), options()).await.unwrap();
        assert!(store.identify().streams && store.identify().acls, "{:?}", store.identify());
        let path = fresh.path.join(b"file");
        let want = Facets::NTFS_SD.and(Facets::STREAMS).and(Facets::MTIME);
        let meta = store.stat(&path, want).await.unwrap().meta.unwrap();
        assert_eq!(meta.streams, ["second"]);
        let Some(Acl::NtfsDescriptor(descriptor)) = &meta.acl else { panic!("{meta:?}") };
        assert!(descriptor.len() > 60 && descriptor[0] == 1, "{descriptor:?}");
        // The same in a listing, where it is asked for.
        let entries = listed(&store, &fresh.path, Facets::NTFS_SD).await;
        assert_eq!(entries[0].meta.as_ref().unwrap().acl, meta.acl);
        assert!(listed(&store, &fresh.path, Facets::MTIME).await[0].meta.as_ref().unwrap().acl.is_none());
    });
}

fn dfs(rig: &Rig) {
    let fresh = rig.fresh("dfs");
    fs::create_dir(fresh.on_disk.join("sub")).unwrap();
    fs::write(fresh.on_disk.join("sub/file"), "behind the link").unwrap();
    run(async {
        let store = SmbStore::connect(&rig.share("dfs"), options()).await.unwrap();
        assert!(store.identify().dfs_root);
        let root = listed(&store, &RelPath::ROOT, Facets::NONE).await;
        let names: BTreeSet<_> = root.iter().map(|entry| entry.path.to_string()).collect();
        assert!(["data", "guest", "loop", "nowhere", "dead"].iter().all(|name| names.contains(*name)), "{names:?}");
        assert!(root.iter().all(|entry| entry.kind.is_dir()), "{root:?}");
        let link = RelPath::from("data");
        assert!(store.stat(&link, Facets::NONE).await.unwrap().kind.is_dir());
        let below = link.join(fresh.path.as_bytes()).join(b"sub");
        assert_eq!(whole(&store, &below.join(b"file")).await, b"behind the link");
        let names: Vec<_> = listed(&store, &below, Facets::NONE).await.into_iter().map(|entry| entry.path).collect();
        assert_eq!(names, [below.join(b"file")]);
        for (name, words) in [("nowhere", "no share"), ("loop", "leads back")] {
            let error = store.list(&name.into(), ListSpec::default()).next().await.unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{name}: {error:?}");
            assert!(error.cause().unwrap().contains(words), "{name}: {error:?}");
        }
        let error = store.stat(&"dead/x".into(), Facets::NONE).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disconnected, "{error:?}");
        assert!(error.cause().unwrap().contains("no-such-host.invalid"), "{error:?}");
        // A location may begin behind a link.
        let location = rig.share("dfs").below(&below);
        let store = SmbStore::connect(&location, options()).await.unwrap();
        assert_eq!(whole(&store, &"file".into()).await, b"behind the link");
    });
}

fn refusals(rig: &Rig) {
    let fresh = rig.fresh("denied");
    fs::create_dir(fresh.on_disk.join("private")).unwrap();
    fs::write(fresh.on_disk.join("private/file"), "secret").unwrap();
    fs::set_permissions(fresh.on_disk.join("private"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(fresh.on_disk.join("unreadable"), "secret").unwrap();
    fs::set_permissions(fresh.on_disk.join("unreadable"), fs::Permissions::from_mode(0o600)).unwrap();
    symlink("nothing", fresh.on_disk.join("dangling")).unwrap();
    let password = |user: &str, word: &str| {
        let credentials =
            Credentials::Password { user: user.to_owned(), domain: String::new(), password: Secret::new(word) };
        SmbOptions { credentials, ..SmbOptions::default() }
    };
    let right = env::var("LONGSHORE_TEST_SMB_PASSWORD").unwrap();
    let user = env::var("LONGSHORE_TEST_SMB_USER").unwrap();
    let bare = elsewhere(&rig.location(), "data", false);
    run(async {
        let error = refused(&bare, password("root", "wrong")).await;
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error:?}");
        assert!(error.cause().unwrap().contains("STATUS_LOGON_FAILURE for user `root`"), "{error:?}");
        assert!(!format!("{error:?}").contains("wrong") && error.hint_text().is_some(), "{error:?}");
        // Samba makes a guest of whoever it does not know: we must not take that for a login.
        let error = refused(&bare, password("nosuchuser", &right)).await;
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error:?}");
        let error = refused(&rig.share("no-such-share"), options()).await;
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
        assert!(error.hint_text().unwrap().contains("`data`"), "{error:?}");
        let error = refused(&rig.share("closed"), options()).await;
        assert_eq!((error.kind(), error.reach()), (ErrorKind::Denied, storage::Reach::Location), "{error:?}");
        let error = refused(&rig.share(""), options()).await;
        assert!(error.kind() == ErrorKind::Invalid && error.hint_text().unwrap().contains("`data`"), "{error:?}");
        let error = refused(&rig.location().below(&"no/such/dir".into()), options()).await;
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
        let error = refused(&rig.location().below(&fresh.path.join(b"unreadable")), options()).await;
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
        let guest = SmbOptions { credentials: Credentials::Guest, ..SmbOptions::default() };
        let error = refused(&bare, guest).await;
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        let store = SmbStore::connect(&bare, password(&user, &right)).await.unwrap();
        let private = fresh.path.join(b"private");
        let error = store.list(&private, ListSpec::default()).next().await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Denied, Some(&private)), "{error:?}");
        let error = store.read(&fresh.path.join(b"unreadable"), ReadSpec::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        let (_, errors) = walked(Arc::new(store), fresh.path.clone()).await;
        assert_eq!(errors.len(), 1, "{errors:?}");
    });
}

fn strangers(_rig: &Rig) {
    run(async {
        let options = || SmbOptions { request_timeout: Duration::from_secs(2), ..SmbOptions::default() };
        let error = refused(&at("smb://127.0.0.1:9/share"), options()).await;
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Disconnected, Retry::Backoff), "{error:?}");
        assert!(error.cause().unwrap().contains("127.0.0.1:9") && error.hint_text().is_some(), "{error:?}");
        let error = refused(&at("smb://no-such-host.invalid/share"), options()).await;
        assert_eq!(error.kind(), ErrorKind::Disconnected, "{error:?}");
        let answers: [(&[u8], ErrorKind, &str); 6] = [
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", ErrorKind::Unsupported, "HTTP"),
            (b"\x15\x03\x03\0\x02\x02\x46", ErrorKind::Unsupported, "TLS"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", ErrorKind::Unsupported, "SSH"),
            (b"", ErrorKind::Unsupported, "closed"),
            (b"\0\0\0\x24\xFFSMBr\0\0\0\0\x98\x01\x60aaaaaaaaaaaaaaaaaaaaaaaa", ErrorKind::Unsupported, "SMB 1"),
            (b"\0\xFF\xFF\xFFxx", ErrorKind::Unsupported, "bytes came"),
        ];
        for (answer, kind, words) in answers {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = tokio::spawn(async move {
                use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut asked = vec![0; 300];
                let _ = stream.read(&mut asked).await.unwrap();
                stream.write_all(answer).await.unwrap();
                stream.shutdown().await.unwrap();
            });
            let error = refused(&at(&format!("smb://127.0.0.1:{port}/share")), options()).await;
            server.await.unwrap();
            assert_eq!(error.kind(), kind, "{error:?}");
            assert!(error.cause().unwrap().contains(words), "{words}: {error:?}");
        }
        // One that says nothing at all.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = refused(&at(&format!("smb://127.0.0.1:{port}/share")), options()).await;
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    });
}

fn kerberos(rig: &Rig) {
    let Some(keytab) = env::var_os("LONGSHORE_TEST_KRB_KEYTAB") else {
        println!("skipped: LONGSHORE_TEST_KRB_KEYTAB is not set: the KDC does not run");
        return;
    };
    let fresh = rig.fresh("kerberos");
    fs::write(fresh.on_disk.join("file"), "by ticket").unwrap();
    let ticket = |principal: &str, keytab: Option<PathBuf>| SmbOptions {
        credentials: Credentials::Kerberos { principal: Some(principal.to_owned()), keytab, ccache: None },
        ..SmbOptions::default()
    };
    let alice = env::var("LONGSHORE_TEST_KRB_PRINCIPAL").unwrap();
    run(async {
        // The name of the service is that of the host in the location.
        for (demand, port) in [(Demand::AsServer, 445), (Demand::Required, 445)] {
            let options = SmbOptions { encryption: demand, ..ticket(&alice, Some(PathBuf::from(&keytab))) };
            let store = match SmbStore::connect(&at(&format!("smb://localhost:{port}/data")), options).await {
                // A Samba without a domain takes the ticket, opens it, and then refuses what it says of groups.
                Err(error) if error.cause().unwrap().contains("STATUS_BAD_TOKEN_TYPE") => continue,
                store => store.unwrap(),
            };
            assert!(!store.identify().guest);
            assert_eq!(store.identify().encrypted, demand == Demand::Required);
            assert_eq!(whole(&store, &fresh.path.join(b"file")).await, b"by ticket");
        }
        let error = refused(&at("smb://127.0.0.1/data"), ticket(&alice, Some(PathBuf::from(&keytab)))).await;
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error:?}");
        let error = refused(&at("smb://localhost/data"), ticket("nobody@LAB.LOCAL", None)).await;
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error:?}");
        assert!(error.hint_text().is_some(), "{error:?}");
    });
}

fn volume(rig: &Rig) {
    run(async {
        let store = rig.store().await;
        let usage = store.usage().await.unwrap().unwrap();
        let told = Command::new("stat").args(["-f", "-c", "%b %S"]).arg(&rig.dir).output().unwrap();
        let numbers: Vec<u64> =
            String::from_utf8(told.stdout).unwrap().split_whitespace().map(|n| n.parse().unwrap()).collect();
        assert_eq!(usage.capacity, numbers[0] * numbers[1]);
        assert!(usage.used <= usage.capacity && usage.available <= usage.capacity, "{usage:?}");
    });
}

/// A rig of its own, because it is killed there: this program runs itself inside.
fn restarts() -> Result<Completion, Failed> {
    let Some(script) = env::var_os("LONGSHORE_RIG") else {
        return Ok(Completion::ignored_with("LONGSHORE_RIG, the script that starts servers, is not set"));
    };
    let dir = tempfile::tempdir()?;
    let rig = |arguments: &[&OsStr]| {
        let mut command = Command::new(&script);
        command.args(arguments).env("LONGSHORE_RIG_DIR", dir.path()).env(INNER, "1").output()
    };
    let started = rig(&["start".as_ref(), "samba".as_ref()])?;
    if started.status.code() == Some(75) {
        return Ok(Completion::ignored_with(String::from_utf8_lossy(&started.stderr).trim().to_owned()));
    }
    let this = env::current_exe()?;
    let ran = rig(&["exec".as_ref(), this.as_os_str(), "--test-threads=1".as_ref()]);
    rig(&["stop".as_ref()])?;
    let ran = ran?;
    if ran.status.success() && started.status.success() {
        return Ok(Completion::Completed);
    }
    let told = [started.stderr, ran.stdout, ran.stderr].concat();
    Err(Failed::from(String::from_utf8_lossy(&told).into_owned()))
}

fn rig_command(arguments: &[&str]) {
    let ran = Command::new(env::var_os("LONGSHORE_RIG").unwrap()).args(arguments).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

/// Kills the server, sees that it is gone, and has it back a little later.
async fn kill_and_restart(store: &SmbStore) -> tokio::task::JoinHandle<()> {
    tokio::task::spawn_blocking(|| rig_command(&["kill", "samba"])).await.unwrap();
    let gone = store.stat(&RelPath::ROOT, Facets::NONE).await.unwrap_err();
    assert_eq!((gone.kind(), gone.retry()), (ErrorKind::Disconnected, Retry::Backoff), "{gone:?}");
    tokio::task::spawn_blocking(|| rig_command(&["start", "samba"]))
}

/// Patient enough for a server that starts on a busy machine.
fn patient(store: &Arc<SmbStore>) -> Retrying<SmbStore> {
    let policy = RetryPolicy { tries: 60, longest: Duration::from_secs(1), ..RetryPolicy::default() };
    Retrying::new(store.clone(), policy, 1)
}

fn walk_survives_a_restart(rig: &Rig) {
    let fresh = rig.fresh("restart-walk");
    for dir in 0..40 {
        let dir = fresh.on_disk.join(dir.to_string());
        fs::create_dir(&dir).unwrap();
        for file in 0..700 {
            fs::write(dir.join(file.to_string()), "").unwrap();
        }
    }
    run(async {
        let store = rig.store().await;
        let spec = WalkSpec { roots: vec![(fresh.path.clone(), None)], ..WalkSpec::default() };
        let mut walk = walk(Arc::new(patient(&store)), spec);
        let mut found = Vec::new();
        let mut restarted = None;
        while let Some(event) = walk.next().await.unwrap() {
            match event {
                WalkEvent::Page { entries, .. } => found.extend(entries.into_iter().map(|entry| entry.path)),
                WalkEvent::Unreadable { dir, error } => panic!("{dir}: {error:?}"),
                WalkEvent::Done { .. } | WalkEvent::Skipped { .. } | WalkEvent::Restarted { .. } => {}
            }
            if found.len() > 5000 && restarted.is_none() {
                restarted = Some(kill_and_restart(&store).await);
            }
        }
        restarted.expect("the walk was too short").await.unwrap();
        let all: BTreeSet<_> = found.iter().collect();
        assert_eq!((all.len(), found.len()), (40 * 701, 40 * 701));
    });
}

fn read_survives_a_restart(rig: &Rig) {
    let fresh = rig.fresh("restart-read");
    let expected = noise(9, 64 << 20);
    fs::write(fresh.on_disk.join("file"), &expected).unwrap();
    run(async {
        let store = rig.store().await;
        let reading = patient(&store).read(&fresh.path.join(b"file"), ReadSpec::default()).await.unwrap();
        let Body::Stream(mut pieces) = reading.body else { panic!("not a stream") };
        let mut back = Vec::new();
        let mut restarted = None;
        while let Some(piece) = pieces.next().await {
            back.extend_from_slice(&piece.unwrap());
            if back.len() > 10 << 20 && restarted.is_none() {
                restarted = Some(kill_and_restart(&store).await);
            }
        }
        restarted.unwrap().await.unwrap();
        assert!(back == expected);
    });
}

fn frozen(rig: &Rig) {
    run(async {
        let options = SmbOptions { request_timeout: Duration::from_secs(2), ..options() };
        let store = SmbStore::connect(&rig.location(), options.clone()).await.unwrap();
        // Each connection has a process of its own on the server, which the rig does not know.
        let smbd = |signal: &str| {
            let script = format!(
                "here=$(readlink /proc/self/ns/net); for p in $(pgrep -x smbd); do \
                 [ \"$(readlink /proc/$p/ns/net)\" = \"$here\" ] && kill -{signal} $p; done; true"
            );
            assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
        };
        smbd("STOP");
        let since = Instant::now();
        let root = RelPath::ROOT;
        let calls = (0..20).map(|_| store.stat(&root, Facets::NONE));
        let answers = futures::future::join_all(calls).await;
        let took = since.elapsed();
        let error = refused(&rig.location(), options).await;
        smbd("CONT");
        for answer in answers {
            assert_eq!(answer.unwrap_err().kind(), ErrorKind::Timeout);
        }
        assert!(took < Duration::from_secs(8), "{took:?}");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
        store.stat(&RelPath::ROOT, Facets::NONE).await.unwrap();
    });
}
