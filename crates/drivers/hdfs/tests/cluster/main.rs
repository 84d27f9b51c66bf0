//! Against real clusters: `tests/rig/rig start hdfs hdfs_ha hdfs_krb`, then
//! `tests/rig/rig exec cargo test -p longshore-driver-hdfs`. What is not started is skipped.
#![allow(clippy::unwrap_used, clippy::large_futures, clippy::print_stdout, clippy::print_stderr)]

#[path = "../filling/mod.rs"]
mod filling;

mod facts;
mod failover;
mod faults;
mod kerberos;
mod reading;
mod refusals;
mod rig;
mod wide;
mod zones;

use libtest_mimic::{Arguments, Completion, Trial};
use std::{env, process::ExitCode, sync::RwLock};

/// A case, and what it needs of the environment.
struct Case {
    name: &'static str,
    needs: &'static str,
    /// It kills or freezes servers, so nothing else may run meanwhile.
    alone: bool,
    run: fn(),
}

const PLAIN: &str = "LONGSHORE_TEST_HDFS";
const HA: &str = "LONGSHORE_TEST_HDFS_HA";
const KERBEROS: &str = "LONGSHORE_TEST_HDFS_KRB";
/// How often it is to be done with each number of reads, such as 100; it takes minutes.
const LONG: &str = "LONGSHORE_TEST_HDFS_LONG";

/// How many entries one directory gets, such as 1000000; it takes minutes.
const MILLION: &str = "LONGSHORE_TEST_HDFS_MILLION";

/// The location that a process of its own opens; see [`kerberos::child`].
const CHILD: &str = "LONGSHORE_TEST_HDFS_CHILD";

static ALONE: RwLock<()> = RwLock::new(());

fn main() -> ExitCode {
    if let Ok(location) = env::var(CHILD) {
        kerberos::child(&location);
        return ExitCode::SUCCESS;
    }
    let together = |name, needs, run| Case { name, needs, alone: false, run };
    let alone = |name, needs, run| Case { name, needs, alone: true, run };
    let cases = [
        together("a wide directory is listed in pages that resume", PLAIN, wide::wide as fn()),
        together("a deep tree with closed rooms is walked, and the count agrees", PLAIN, reading::deep_and_closed),
        together(
            "a file that is open for writing is refused, however much of it shows",
            PLAIN,
            reading::open_for_write,
        ),
        together("where HTTP is silent, what may be open is refused, too", PLAIN, reading::open_without_http),
        together("large files are read whole, in ranges, and many at once", PLAIN, reading::large),
        together("the cluster describes itself", PLAIN, facts::cluster),
        together("snapshots, quotas, policies, zones, ACLs and attributes are told", PLAIN, facts::directories),
        together("files in encryption zones are refused, and the zones are named", PLAIN, zones::refused),
        together("an image is fetched and its age is said", PLAIN, facts::image),
        together("what is no NameNode is said to be none", PLAIN, refusals::not_a_name_node),
        together("what cannot be reached is said to be so", PLAIN, refusals::unreachable),
        alone("a walk survives a NameNode that is killed and restarted", PLAIN, faults::name_node_restarts),
        alone("a read survives a DataNode that is killed", PLAIN, faults::data_node_dies),
        alone("a frozen NameNode and frozen DataNodes are a timeout in time", PLAIN, faults::frozen),
        alone("a frozen DataNode is passed over", PLAIN, faults::one_frozen),
        alone("a million entries in one directory are walked in the memory of a thousand", MILLION, wide::million),
        alone("8, 32 and 64 large reads at once have the right digest, again and again", LONG, reading::many_times),
        alone("a walk and a read survive the crash of the active NameNode", HA, failover::crash_during_both),
        alone("without an active NameNode it is said so", HA, failover::standby_only),
        alone("a frozen active NameNode does not hold us for ever", HA, failover::frozen_active),
        together("a keytab opens the door, and its absence closes it", KERBEROS, kerberos::keytab),
        together("a ticket cache opens the door, until it has expired", KERBEROS, kerberos::cache),
        together("protection of data is kept to, or refused with a reason", KERBEROS, kerberos::protections),
        together("clocks that are apart are said to be so", KERBEROS, kerberos::skew),
        together("pages behind Kerberos are read, the image by those who may", KERBEROS, kerberos::pages),
    ];
    let trials = cases.into_iter().map(|case| {
        Trial::ignorable_test(case.name, move || {
            if env::var_os(case.needs).is_none_or(|value| value.is_empty()) {
                return Ok(Completion::ignored_with(format!("skipped: {} is not set", case.needs)));
            }
            // A case that failed leaves the lock poisoned, which says nothing about the next.
            if case.alone {
                let _only_me = ALONE.write().unwrap_or_else(std::sync::PoisonError::into_inner);
                (case.run)();
            } else {
                let _with_others = ALONE.read().unwrap_or_else(std::sync::PoisonError::into_inner);
                (case.run)();
            }
            Ok(Completion::Completed)
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
