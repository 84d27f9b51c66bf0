//! Against Samba: `tests/rig/rig start kdc samba samba_ad` and
//! `tests/rig/rig exec cargo test -p longshore-driver-smb`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../common/mod.rs"]
mod common;
mod dfs;
mod domain;
mod listing;
mod names;
mod ntfs;
mod reading;
mod refusals;
mod relay;
mod restarts;
mod rig;
mod server;
mod strangers;

use libtest_mimic::{Arguments, Completion, Trial};
use rig::Rig;
use std::{env, process::ExitCode};

/// Set for the copy of this program that runs in a rig of its own.
const INNER: &str = "LONGSHORE_TEST_SMB_RESTARTS";

type Trials = Vec<Trial>;
type Case = (&'static str, fn(&Rig));

const CASES: &[Case] = &[
    ("a server says what it is and what was agreed", server::identity),
    ("shares are listed with kind and comment", server::share_list),
    ("names that Windows could have are listed and opened again", names::hostile_names),
    ("a name with a lone surrogate is listed and opened again", names::surrogate),
    ("times are exact to 100 ns, before 1970 too", listing::times),
    ("a wide directory is listed in pages that resume", listing::wide_directory),
    ("a path of sixty directories is read", listing::deep_path),
    ("a large file is read whole and in ranges", reading::large_file),
    ("sixty-four large reads at once give every byte", reading::many_reads),
    ("a small file is read outside any chain, where Samba would read it in its only thread", reading::small_files),
    ("reads that bring less than they were asked for are completed", relay::short_reads),
    ("a file that is written while it is read is not taken for whole", reading::written_meanwhile),
    ("security descriptors and streams are read", ntfs::ntfs),
    ("links of DFS are followed, and dead ones are said to be so", dfs::dfs),
    ("what is refused is said in words that help", refusals::refusals),
    ("what is not a server of SMB is said to be so", strangers::strangers),
    ("the volume tells its size", server::volume),
    ("quotas of users are told where there are any", server::quotas),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let rig = Rig::from_env();
    if env::var_os(INNER).is_some() {
        arguments.test_threads = Some(1);
        let trials = restarts::cases(&rig.expect("the rig that was started for this"));
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    let mut trials: Trials = CASES
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
    trials.extend(domain::cases(rig.as_ref()));
    let name = "walks and reads survive a server that is killed and restarted, and a frozen one is told";
    trials.push(Trial::ignorable_test(name, restarts::in_a_rig_of_its_own));
    libtest_mimic::run(&arguments, trials).exit_code()
}
