//! Against nfs-ganesha, NFSv3 and NFSv4.1: `tests/rig/rig start ganesha` and
//! `tests/rig/rig exec cargo test -p longshore-driver-nfs --test ganesha`.
//!
//! Cases that both versions share are written once, by subject; those of one version stand in `v3` and `v4`.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod listing;
mod reading;
mod refused;
mod remade;
mod requests;
mod restarts;
mod tree;
mod v3;
mod v4;
mod version;
mod volume;

use libtest_mimic::{Arguments, Completion, Trial};
use std::{env, process::ExitCode};
use version::{Case, Server, Version};

const VERSIONS: [&Version; 2] = [&v3::VERSION, &v4::VERSION];

/// What holds for both versions.
const SHARED: &[Case] = &[
    ("a hostile tree is listed byte for byte", listing::hostile_tree),
    ("a wide directory is listed in pages that resume", listing::wide_directory),
    ("a large file is read whole and in ranges", reading::large_file),
    ("a directory below the export can be opened", reading::below_the_export),
    ("a user without permission is denied", refused::denied),
    ("a directory that may be read and not searched is denied", refused::not_searched),
    ("a directory made anew is opened", remade::is_opened),
    ("a directory made anew is listed and read by a store that knew the old one", remade::is_listed),
    ("a directory made anew while it is listed is not mixed with the old one", remade::is_not_mixed),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = match env::var(restarts::INNER) {
        Ok(inner) => {
            let version = VERSIONS.into_iter().find(|version| version.parameter == inner);
            restarts::trials(version.expect("a version that is tested here"))
        }
        Err(_) => VERSIONS.into_iter().flat_map(trials).collect(),
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials(version: &'static Version) -> Vec<Trial> {
    // What takes long begins first, beside the others.
    let slow = version.slow.iter().map(|case| (case, true));
    let cases = slow.chain(SHARED.iter().chain(version.own).map(|case| (case, false)));
    let mut trials: Vec<Trial> = cases
        .map(|(&(name, case), slow)| {
            Trial::ignorable_test(version.case_name(name), move || match Server::from_env(version) {
                None => Ok(Completion::ignored_with("LONGSHORE_TEST_NFS or LONGSHORE_TEST_NFS_DIR is not set")),
                Some(_) if slow && env::var_os("LONGSHORE_TEST_SLOW").is_none() => {
                    Ok(Completion::ignored_with("it takes 80 seconds; LONGSHORE_TEST_SLOW is not set"))
                }
                Some(server) => {
                    case(&server);
                    Ok(Completion::Completed)
                }
            })
        })
        .collect();
    let name = "walks and reads survive a server that is killed and restarted, and a frozen one is told";
    trials.push(Trial::ignorable_test(version.case_name(name), || restarts::in_a_rig_of_its_own(version)));
    trials
}
