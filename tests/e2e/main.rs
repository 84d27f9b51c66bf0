//! End to end, against real servers as `tests/rig/rig` starts them: nfs-ganesha, Samba, Hadoop, MinIO, versitygw.
//!
//! Each case makes its own directory and bucket, and proves what it claims by an independent reader. A case whose
//! servers are not there is listed as ignored, with the reason. Cases that kill or freeze a server run alone.

#![allow(clippy::print_stderr, reason = "a test tells what it measured")]

mod bulk;
mod counted;
mod errors;
mod faults;
mod hostile;
mod kill;
mod logins;
mod premises;
mod report;

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};
use longshore_tests::Rig;
use std::sync::{PoisonError, RwLock};

/// A case.
type Case = (&'static str, fn(&Rig) -> Result<()>);
/// A case with the variables that must be set for it.
type Demanding = (&'static str, &'static [&'static str], fn(&Rig) -> Result<()>);

/// Held by cases that only use the servers, and by one that disturbs them.
static SERVERS: RwLock<()> = RwLock::new(());

const CASES: &[Case] = &[
    ("a_share_moves_from_nfs_to_s3_and_every_object_reads_back", bulk::moves_and_reads_back),
    ("a_second_run_copies_nothing_and_a_third_only_what_changed", bulk::second_and_third_run),
    ("a_run_killed_twenty_times_ends_like_one_that_was_not", kill::migration),
    ("a_discovery_killed_again_and_again_counts_every_entry_once", kill::discovery),
    ("hostile_names_and_metadata_arrive_and_come_back", hostile::from_nfs_and_back),
    ("a_local_tree_goes_to_s3_and_back_as_it_was", hostile::from_disk_and_back),
    ("wrong_credentials_are_told_as_such", errors::wrong_credentials),
    ("a_missing_bucket_is_told_as_such", errors::missing_bucket),
    ("an_unreachable_server_is_told_as_such", errors::unreachable_server),
    ("an_export_that_is_none_is_told_with_those_that_are", errors::not_an_export),
    ("an_unreadable_directory_is_named_and_the_rest_moves", errors::unreadable_directory),
    ("a_full_target_stops_the_run_and_says_so", errors::full_target),
    ("a_target_too_small_is_refused_before_a_byte_moves", errors::too_small),
    ("a_plan_with_a_typo_names_the_nearest_key", errors::plan_typo),
    ("the_report_reads_on_a_phone_and_on_a_desk", report::layout),
];

/// Cases that need a server besides nfs-ganesha and MinIO, and the variable that says it is there.
const MORE: &[Demanding] = &[
    (
        "one_discovery_reads_every_protocol_and_counts_what_independent_tools_count",
        &[
            "LONGSHORE_TEST_SMB",
            "LONGSHORE_TEST_HDFS",
            "LONGSHORE_TEST_HDFS_HA",
            "LONGSHORE_TEST_HDFS_KRB",
            "LONGSHORE_TEST_S3_SECOND",
            "LONGSHORE_TEST_SMB_AD",
            "LONGSHORE_TEST_TLS_NFS",
            "KRB5_CONFIG",
        ],
        premises::everything,
    ),
    ("a_server_is_discovered_with_all_that_it_offers", &["LONGSHORE_TEST_SMB"], premises::whole_servers),
    ("hostile_names_are_listed_on_every_protocol", &["LONGSHORE_TEST_SMB"], premises::hostile),
    ("a_wrong_password_and_a_missing_share_are_told_as_such", &["LONGSHORE_TEST_SMB"], logins::smb),
    (
        "a_certificate_of_somebody_else_and_tls_where_there_is_none_are_told_as_such",
        &["LONGSHORE_TEST_TLS_NFS"],
        logins::tls,
    ),
    ("a_missing_and_an_expired_ticket_are_told_as_such", &["LONGSHORE_TEST_HDFS_KRB", "KRB5_CONFIG"], logins::kerberos),
];

/// Cases that kill, freeze or restart a server, and so run alone.
const DISTURBING: &[Demanding] = &[
    ("an_nfs_server_that_crashes_during_a_discovery_costs_nothing", &[], faults::nfs_crash),
    ("an_smb_server_that_crashes_during_a_discovery_costs_nothing", &["LONGSHORE_TEST_SMB"], faults::smb_crash),
    ("a_name_node_that_crashes_during_a_discovery_costs_nothing", &["LONGSHORE_TEST_HDFS"], faults::hdfs_crash),
    ("another_name_node_takes_over_during_a_discovery", &["LONGSHORE_TEST_HDFS_HA"], faults::hdfs_failover),
    ("an_object_store_that_crashes_during_a_discovery_costs_nothing", &[], faults::s3_crash),
    ("a_server_that_hangs_ends_in_a_clear_error", &[], faults::hang),
];

fn main() {
    let arguments = Arguments::from_args();
    let rig = Rig::find();
    let found = rig.as_ref().map(|_| ()).map_err(Clone::clone);
    let of = |name: &'static str, needs: &[&str], alone: bool, case: fn(&Rig) -> Result<()>| {
        let missing = needs.iter().find(|name| std::env::var_os(name).is_none());
        let reason = match (&found, missing) {
            (Err(reason), _) => Some(reason.clone()),
            (Ok(()), Some(name)) => Some(format!("{name} is not set: start that server of the rig")),
            (Ok(()), None) => None,
        };
        if let Some(reason) = reason {
            eprintln!("skipped: {name}: {reason}");
            return Trial::test(name, || Ok(())).with_ignored_flag(true).with_kind("no rig");
        }
        let rig = rig.clone();
        Trial::test(name, move || {
            let rig = rig?;
            let run = || case(&rig).map_err(|error| format!("{error:#}").into());
            if alone {
                let _alone = SERVERS.write().unwrap_or_else(PoisonError::into_inner);
                run()
            } else {
                let _together = SERVERS.read().unwrap_or_else(PoisonError::into_inner);
                run()
            }
        })
    };
    let mut trials: Vec<Trial> = CASES.iter().map(|(name, case)| of(name, &[], false, *case)).collect();
    trials.extend(MORE.iter().map(|(name, needs, case)| of(name, needs, false, *case)));
    trials.extend(DISTURBING.iter().map(|(name, needs, case)| of(name, needs, true, *case)));
    libtest_mimic::run(&arguments, trials).exit();
}
