//! Users of an Active Directory domain, by ticket and by password: `LONGSHORE_TEST_SMB_AD` is the URI of a share of
//! its controller, over the directory that `LONGSHORE_TEST_SMB_DIR` names.

use crate::{
    Trials,
    common::elsewhere,
    rig::{Rig, at, refused, run, whole},
};
use libtest_mimic::{Completion, Trial};
use longshore_driver_smb::{
    Cipher, Credentials, Demand, Dialect, Identity, Secret, ShareKind, SmbOptions, SmbStore, shares,
};
use model::{Facets, Location, RelPath};
use std::{
    env, fs,
    path::PathBuf,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};
use storage::{ErrorKind, ListSpec, Source as _};

type Case = (&'static str, fn(&Rig, &Domain));

const CASES: &[Case] = &[
    ("a ticket opens shares, signed and encrypted with its keys", tickets),
    ("a user of a domain logs in by password, however the name is written", passwords),
    ("logins that a domain refuses are said in words that help", refusals),
    ("a session outlives the ticket it began with once there is a new one", expiry),
];

/// The cases, for a rig that may lack the domain.
pub fn cases(rig: Option<&Rig>) -> Trials {
    let mut trials: Trials = CASES
        .iter()
        .map(|(name, case)| {
            let (both, case) = (rig.cloned().zip(Domain::from_env()), *case);
            Trial::ignorable_test(*name, move || match both {
                None => Ok(Completion::ignored_with("LONGSHORE_TEST_SMB_AD is not set: no domain controller runs")),
                Some((rig, domain)) => {
                    case(&rig, &domain);
                    Ok(Completion::Completed)
                }
            })
        })
        .collect();
    let rig = rig.cloned();
    trials.push(Trial::ignorable_test("a server without a domain refuses the groups in a ticket", move || {
        match rig.zip(env::var("LONGSHORE_TEST_KRB_KEYTAB").ok()) {
            None => Ok(Completion::ignored_with("LONGSHORE_TEST_KRB_KEYTAB is not set: the KDC does not run")),
            Some((rig, keytab)) => {
                without_a_domain(&rig, &keytab);
                Ok(Completion::Completed)
            }
        }
    }));
    trials
}

/// The domain that the environment names.
#[derive(Clone)]
pub struct Domain {
    pub location: Location,
    name: String,
    realm: String,
    password: String,
    /// Keytabs, `USER.keytab`.
    keytabs: PathBuf,
}

impl Domain {
    /// Nothing where there is none.
    pub fn from_env() -> Option<Self> {
        let of = |name: &str| env::var(format!("LONGSHORE_TEST_SMB_AD{name}")).ok().filter(|v| !v.is_empty());
        Some(Self {
            location: of("")?.parse().unwrap(),
            name: of("_DOMAIN")?,
            realm: of("_REALM")?,
            password: of("_PASSWORD")?,
            keytabs: of("_KEYTABS")?.into(),
        })
    }

    fn principal(&self, user: &str) -> String {
        format!("{user}@{}", self.realm)
    }

    fn keytab(&self, user: &str) -> PathBuf {
        self.keytabs.join(format!("{user}.keytab"))
    }

    /// As a user of the domain, by keytab.
    pub fn by_keytab(&self, user: &str) -> SmbOptions {
        by_ticket(Some(self.principal(user)), Some(self.keytab(user)), None)
    }

    fn share(&self, share: &str) -> Location {
        elsewhere(&self.location, share, false)
    }

    /// The location with another name in its tickets.
    fn service(&self, service: &str) -> Location {
        self.location.clone().with_param("service", service)
    }

    /// Fills a cache with one ticket, for the service itself, that lives for so many seconds. (Samba takes a ticket to
    /// get tickets with that lives for two minutes or less for one that may only change the password.)
    fn login(&self, user: &str, cache: &Cache, seconds: u32) {
        self.kinit(user, cache, seconds, &format!("cifs/{}", self.location.param("service").unwrap()));
    }

    fn kinit(&self, user: &str, cache: &Cache, seconds: u32, service: &str) {
        let mut command = Command::new("kinit");
        command.args(["-S", service, "-l", &format!("{seconds}s"), "-c", &cache.name(), "-k", "-t"]);
        let ran = command.arg(self.keytab(user)).arg(self.principal(user)).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
}

fn by_ticket(principal: Option<String>, keytab: Option<PathBuf>, ccache: Option<String>) -> SmbOptions {
    SmbOptions { credentials: Credentials::Kerberos { principal, keytab, ccache }, ..SmbOptions::default() }
}

fn by_password(user: &str, domain: &str, password: &str) -> SmbOptions {
    let credentials =
        Credentials::Password { user: user.to_owned(), domain: domain.to_owned(), password: Secret::new(password) };
    SmbOptions { credentials, ..SmbOptions::default() }
}

/// A cache of tickets of one case.
struct Cache(tempfile::TempDir);

impl Cache {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn name(&self) -> String {
        format!("FILE:{}", self.0.path().join("ccache").display())
    }
}

/// Connects, reads `file`, and tells what was agreed.
async fn reads(location: &Location, options: SmbOptions, file: &RelPath) -> Identity {
    let store = SmbStore::connect(location, options).await.unwrap();
    assert_eq!(whole(&store, file).await, b"of the domain", "{location}");
    store.identify().clone()
}

fn tickets(rig: &Rig, domain: &Domain) {
    let fresh = rig.fresh("tickets");
    fs::write(fresh.on_disk.join("file"), "of the domain").unwrap();
    let file = fresh.path.join(b"file");
    let cache = Cache::new();
    domain.login("alice", &cache, 600);
    run(async {
        let whose = Some(domain.principal("alice"));
        for options in [
            domain.by_keytab("alice"),
            by_ticket(whose.clone(), None, Some(cache.name())),
            by_ticket(None, None, Some(cache.name())),
        ] {
            let plain = reads(&domain.location, options.clone(), &file).await;
            assert_eq!((plain.dialect, plain.cipher), (Dialect::Smb311, Some(Cipher::Aes256Gcm)), "{plain:?}");
            assert!(!plain.guest && plain.signed && !plain.encrypted, "{plain:?}");
            let sealed = SmbOptions { encryption: Demand::Required, ..options.clone() };
            assert!(reads(&domain.location, sealed, &file).await.encrypted);
            // By demand of the share.
            assert!(reads(&domain.share("enc"), options.clone(), &file).await.encrypted);
            let found = shares(&domain.location, &options).await.unwrap();
            assert!(found.iter().any(|share| share.name == "enc" && share.kind == ShareKind::Disk), "{found:?}");
        }
        // The user of the URI, with what the keytab holds.
        let named = domain.location.clone().with_user(&format!("{};bob", domain.realm));
        let keytab = by_ticket(None, Some(domain.keytab("bob")), None);
        assert!(!reads(&named, keytab, &file).await.guest);
        // The server knows who it is: a share for one user is closed to others.
        let error = refused(&domain.share("bob"), domain.by_keytab("alice")).await;
        assert_eq!((error.kind(), error.reach()), (ErrorKind::Denied, storage::Reach::Location), "{error:?}");
        reads(&domain.share("bob"), domain.by_keytab("bob"), &file).await;
    });
}

fn passwords(rig: &Rig, domain: &Domain) {
    let fresh = rig.fresh("passwords");
    fs::write(fresh.on_disk.join("file"), "of the domain").unwrap();
    let file = fresh.path.join(b"file");
    let Domain { name, realm, password, .. } = domain;
    run(async {
        for (user, of) in [
            ("bob".to_owned(), name.as_str()),
            ("bob".to_owned(), realm.as_str()),
            ("bob".to_owned(), ""),
            (domain.principal("bob"), ""),
            (domain.principal("bob").to_lowercase(), ""),
            ("BOB".to_owned(), &name.to_lowercase()),
        ] {
            let known = reads(&domain.share("bob"), by_password(&user, of, password), &file).await;
            assert!(!known.guest, "{user} of {of}");
            assert_eq!(known.netbios_domain.as_ref(), Some(name), "{known:?}");
        }
        // As a URI has it.
        let written = domain.share("bob").with_user(&format!("{name};bob"));
        let sealed = SmbOptions { encryption: Demand::Required, ..by_password("", "", password) };
        assert!(reads(&written, sealed, &file).await.encrypted);
    });
}

fn refusals(_rig: &Rig, domain: &Domain) {
    let Domain { name, password, .. } = domain;
    let empty = Cache::new();
    let expired = Cache::new();
    domain.kinit("alice", &expired, 1, &format!("krbtgt/{}", domain.realm));
    std::thread::sleep(Duration::from_secs(2));
    let tickets = [
        ("no cache", domain.location.clone(), by_ticket(None, None, Some(empty.name())), "kinit"),
        ("an old ticket", domain.location.clone(), by_ticket(None, None, Some(expired.name())), "has expired"),
        (
            "nobody of this name in the keytab",
            domain.location.clone(),
            by_ticket(Some(domain.principal("alice")), Some(domain.keytab("bob")), None),
            "kinit",
        ),
        (
            "a realm that nobody knows",
            domain.location.clone(),
            by_ticket(Some("alice@ELSEWHERE.EXAMPLE".into()), Some(domain.keytab("alice")), None),
            "kinit",
        ),
        ("no such service", domain.service("other.lab.example"), domain.by_keytab("alice"), "?service=NAME"),
        ("an address", domain.share("data").without_params(&["service"]), domain.by_keytab("alice"), "?service=NAME"),
        (
            "no keytab",
            domain.location.clone(),
            by_ticket(Some(domain.principal("alice")), Some("/no/such/keytab".into()), None),
            "keytab",
        ),
        ("must change the password", domain.location.clone(), domain.by_keytab("dave"), "password must be changed"),
        ("is disabled", domain.location.clone(), domain.by_keytab("carol"), "disabled"),
    ];
    let logins = [
        ("bob", name.as_str(), "wrong", "STATUS_LOGON_FAILURE"),
        ("nosuchuser", name, password, "STATUS_LOGON_FAILURE"),
        ("carol", name, password, "STATUS_ACCOUNT_DISABLED"),
        ("dave", name, password, "STATUS_PASSWORD_MUST_CHANGE"),
    ];
    run(async {
        for (what, location, options, words) in tickets {
            let error = refused(&location, options).await;
            println!("{what}: {error}: {:?}; hint: {:?}", error.cause(), error.hint_text());
            assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{what}: {error:?}");
            assert!(error.hint_text().is_some_and(|hint| hint.contains(words)), "{what}: {error:?}");
        }
        for (user, of, password, words) in logins {
            let error = refused(&domain.location, by_password(user, of, password)).await;
            println!("{user}: {error}: {:?}; hint: {:?}", error.cause(), error.hint_text());
            assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{user} of {of}: {error:?}");
            assert!(error.cause().unwrap().contains(words) && error.hint_text().is_some(), "{user} of {of}: {error:?}");
        }
    });
}

fn expiry(rig: &Rig, domain: &Domain) {
    let fresh = rig.fresh("expiry");
    fs::write(fresh.on_disk.join("file"), "of the domain").unwrap();
    let file = fresh.path.join(b"file");
    let cache = Cache::new();
    domain.login("alice", &cache, 5);
    let since = Instant::now();
    run(async {
        let options = by_ticket(None, None, Some(cache.name()));
        let store = Arc::new(SmbStore::connect(&domain.location, options).await.unwrap());
        assert_eq!(whole(&*store, &file).await, b"of the domain");
        tokio::time::sleep(Duration::from_secs(7).saturating_sub(since.elapsed())).await;
        // The server ends the session with the ticket; there is no other ticket yet.
        let error = store.stat(&file, Facets::NONE).await;
        println!("with the old ticket: {error:?}");
        let error = store.stat(&file, Facets::NONE).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error:?}");
        assert!(error.hint_text().unwrap().contains("kinit"), "{error:?}");
        domain.login("alice", &cache, 600);
        assert_eq!(whole(&*store, &file).await, b"of the domain");
        let listing = store.list(&fresh.path, ListSpec::default());
        assert_eq!(futures::TryStreamExt::try_collect::<Vec<_>>(listing).await.unwrap().len(), 1);
    });
}

/// Samba opens the ticket of a realm that is no domain, and then cannot do with what it says of groups.
fn without_a_domain(rig: &Rig, keytab: &str) {
    let alice = env::var("LONGSHORE_TEST_KRB_PRINCIPAL").unwrap();
    let location = at("smb://localhost/data");
    assert_eq!(rig.location().path(), location.path());
    run(async {
        let error = refused(&location, by_ticket(Some(alice), Some(keytab.into()), None)).await;
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error:?}");
        assert!(error.cause().unwrap().contains("STATUS_BAD_TOKEN_TYPE"), "{error:?}");
    });
}
