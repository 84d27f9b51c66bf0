//! End to end, against real servers: nfs-ganesha and MinIO as `tests/rig/rig` starts them.
//!
//! Each case makes its own export directory and bucket, and proves what it claims by an independent reader. A case
//! whose servers are not there is listed as ignored, with the reason.

#![allow(clippy::print_stderr, reason = "a test tells what it measured")]

mod bulk;
mod errors;
mod hostile;
mod kill;
mod report;

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};
use longshore_tests::Rig;

/// A case and what it needs.
type Case = (&'static str, fn(&Rig) -> Result<()>);

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

fn main() {
    let arguments = Arguments::from_args();
    let rig = Rig::find();
    let trials = CASES
        .iter()
        .map(|(name, case)| match rig.clone() {
            Ok(rig) => Trial::test(*name, move || case(&rig).map_err(|error| format!("{error:#}").into())),
            Err(reason) => {
                eprintln!("skipped: {name}: {reason}");
                Trial::test(*name, || Ok(())).with_ignored_flag(true).with_kind("no rig")
            }
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}
