//! TLS in front of nfs-ganesha: `tests/rig/rig start ganesha minio tls` and
//! `tests/rig/rig exec cargo test -p longshore-driver-nfs --test tls`.
//!
//! The tunnel is stunnel's. RPC with TLS (RFC 9289) is offered by no server of Debian 12: that it works is tested against
//! a server that is played (`src/rpc/tls_tests.rs`), and here that servers without it are told so.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use common::Rig;
use futures::TryStreamExt as _;
use libtest_mimic::{Arguments, Completion, Trial};
use longshore_driver_nfs::{NfsOptions, NfsStore, exports, v4::Nfs4Store};
use model::Location;
use std::{
    env, fs,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};
use storage::{Error, ErrorKind, ListSpec, ReadSpec, Retry, Source, collect_body};
use tokio::runtime::Runtime;

const LIMIT: Duration = Duration::from_secs(2);

/// The server, and its tunnel as the environment names it: with `tls=direct` and the CA of its certificate.
#[derive(Clone)]
struct Tunnel {
    rig: Rig,
    location: Location,
    other_ca: String,
    version: &'static str,
}

impl Tunnel {
    fn from_env(version: &'static str) -> Option<Self> {
        let named = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let location: Location = named("LONGSHORE_TEST_TLS_NFS")?.parse().unwrap();
        let location = if version == "3" { location } else { location.with_param("version", version) };
        Some(Self { rig: Rig::from_env(version)?, location, other_ca: named("LONGSHORE_TEST_TLS_OTHER_CA")?, version })
    }

    async fn open(&self, at: &Location) -> storage::Result<Arc<dyn Source>> {
        let options = NfsOptions { connect_timeout: LIMIT, request_timeout: LIMIT, ..NfsOptions::default() };
        Ok(match self.version {
            "3" => Arc::new(NfsStore::connect(at, options).await?),
            _ => Arc::new(Nfs4Store::connect(at, options).await?),
        })
    }

    /// The error of a location that cannot be opened; it comes before long.
    async fn refused(&self, at: &Location) -> Error {
        let since = Instant::now();
        let error = self.open(at).await.err().unwrap_or_else(|| panic!("{at} is open"));
        assert!(since.elapsed() < LIMIT * 3, "{at}: {:?}", since.elapsed());
        println!("{at}\n  {error:?}\n  hint: {}", error.hint_text().unwrap_or("none"));
        error
    }
}

type Case = (&'static str, fn(&Tunnel));

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let cases: [Case; 5] = [
        ("a tree is listed and read through a tunnel", through_a_tunnel),
        ("a certificate of an unknown ca or another host is refused", distrusted),
        ("a plain server that is asked for tls is told", plain_server),
        ("a tunnel that is spoken to plainly is told", plain_client),
        ("a ca bundle that is none is told by its name", no_bundle),
    ];
    let trials = ["3", "4.1"].into_iter().flat_map(|version| {
        cases.into_iter().map(move |(name, case)| {
            Trial::ignorable_test(format!("version {version}: {name}"), move || match Tunnel::from_env(version) {
                None => {
                    Ok(Completion::ignored_with("LONGSHORE_TEST_TLS_NFS is not set: `rig start ganesha minio tls`"))
                }
                Some(tunnel) => {
                    case(&tunnel);
                    Ok(Completion::Completed)
                }
            })
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn through_a_tunnel(tunnel: &Tunnel) {
    let fresh = tunnel.rig.fresh("tunnel");
    fs::create_dir(fresh.on_disk.join("dir")).unwrap();
    let large: Vec<u8> = (0..20_000_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    fs::write(fresh.on_disk.join("dir/large"), &large).unwrap();
    Runtime::new().unwrap().block_on(async {
        for host in ["127.0.0.1", "localhost"] {
            let named = Location::new("nfs", host, tunnel.location.path().to_vec());
            let named = named.with_port(tunnel.location.port().unwrap());
            let at = tunnel.location.params().fold(named, |at, (key, value)| at.with_param(key, value));
            let source = tunnel.open(&at).await.unwrap();
            let dir = fresh.path.join(b"dir");
            let pages: Vec<_> = source.list(&dir, ListSpec::default()).try_collect().await.unwrap();
            assert_eq!(pages[0].entries[0].path, dir.join(b"large"));
            let reading = source.read(&dir.join(b"large"), ReadSpec::default()).await.unwrap();
            assert!(collect_body(reading.body, u64::MAX).await.unwrap().concat() == large);
            if tunnel.version == "3" {
                let all = exports(&at, &NfsOptions::default()).await.unwrap();
                assert!(all.iter().any(|export| export.path == "/data"), "{all:?}");
            }
        }
    });
}

fn distrusted(tunnel: &Tunnel) {
    Runtime::new().unwrap().block_on(async {
        for at in [tunnel.location.clone().with_param("ca", &tunnel.other_ca)] {
            let error = tunnel.refused(&at).await;
            assert_eq!((error.kind(), error.retry()), (ErrorKind::Disconnected, Retry::Never));
            assert!(error.hint_text().unwrap().contains("?ca=FILE"));
        }
        // The same address under a name that the certificate does not hold.
        let other = Location::new("nfs", "::ffff:127.0.0.1", tunnel.location.path().to_vec());
        let other = other.with_port(tunnel.location.port().unwrap());
        let at = tunnel.location.params().fold(other, |at, (key, value)| at.with_param(key, value));
        let error = tunnel.refused(&at).await;
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Disconnected, Retry::Never));
        assert!(error.hint_text().unwrap().contains("name that its certificate holds"));
    });
}

fn plain_server(tunnel: &Tunnel) {
    let ca = tunnel.location.param("ca").unwrap();
    Runtime::new().unwrap().block_on(async {
        let asked = tunnel.refused(&tunnel.rig.location().with_param("tls", "").with_param("ca", ca)).await;
        assert_eq!((asked.kind(), asked.retry()), (ErrorKind::Disconnected, Retry::Never));
        assert!(asked.cause().unwrap().contains("asked for TLS"), "{asked:?}");
        assert!(asked.hint_text().unwrap().contains("leave `?tls` out"));
        let direct = tunnel.refused(&tunnel.rig.location().with_param("tls", "direct").with_param("ca", ca)).await;
        assert!(matches!(direct.kind(), ErrorKind::Disconnected | ErrorKind::Timeout), "{direct:?}");
        assert!(direct.cause().unwrap().contains("TLS"), "{direct:?}");
    });
}

fn plain_client(tunnel: &Tunnel) {
    Runtime::new().unwrap().block_on(async {
        let plain = tunnel.refused(&tunnel.location.clone().without_params(&["tls", "ca"])).await;
        let asking = tunnel.refused(&tunnel.location.clone().with_param("tls", "starttls")).await;
        for error in [plain, asking] {
            // stunnel sends an alert or only resets the connection.
            assert_eq!(error.kind(), ErrorKind::Disconnected, "{error:?}");
            let told = format!("{} {}", error.cause().unwrap(), error.hint_text().unwrap_or_default());
            assert!(told.contains("?tls=direct"), "{error:?}");
        }
    });
}

fn no_bundle(tunnel: &Tunnel) {
    Runtime::new().unwrap().block_on(async {
        let error = tunnel.refused(&tunnel.location.clone().with_param("ca", "/no/such/bundle.pem")).await;
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.cause().unwrap().contains("/no/such/bundle.pem"), "{error:?}");
    });
}
