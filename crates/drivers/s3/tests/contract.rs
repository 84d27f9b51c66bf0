//! The contract of the storage doors against real servers: `LONGSHORE_TEST_S3` and `LONGSHORE_TEST_S3_SECOND` hold
//! their endpoints, the AWS environment the credentials. Every case runs as the server presents itself and with the
//! least that compatible stores have in common.

use libtest_mimic::Arguments;
use longshore_driver_s3::{S3Options, S3Store};
use model::{Location, RelPath};
use std::{process::ExitCode, sync::Arc, time::SystemTime};
use storage::contract::{NoSubject, Subject, Suite};

const FIRST: &str = "LONGSHORE_TEST_S3";
const SECOND: &str = "LONGSHORE_TEST_S3_SECOND";

/// Promises of a file tree that a key space cannot make.
const NOT_FOR_KEYS: [(&str, &str); 5] = [
    ("listing::links are listed as links", "a listing of keys tells no metadata; stat and read do"),
    ("nodes::a symbolic link is never followed", "the content of a link is its target, told as a link by the read"),
    ("nodes::nothing replaces a directory", "looking for keys below a name would double the requests of every write"),
    ("errors::nothing is written below a file", "looking for an object above would double the requests of every write"),
    ("writing::a directory that holds something is not removed", "a directory without a marker ends with its last key"),
];

/// What one kind of server cannot hold and the rules of names cannot say.
const NOT_FOR_SECOND: [(&str, &str); 2] = [
    ("s3-second::names::characters XML cannot hold", "its listings are not encoded; writing such a name is refused"),
    (
        "s3-second-generic::names::characters XML cannot hold",
        "its listings are not encoded; writing such a name is refused",
    ),
];

#[expect(clippy::print_stdout, reason = "this is a test's own output")]
fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    for (case, reason) in NOT_FOR_KEYS.into_iter().chain(NOT_FOR_SECOND) {
        println!("left out: {case}: {reason}");
        arguments.skip.push(case.to_owned());
    }
    let run = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_millis());
    let make = move |variable: &'static str, name: &'static str, parameters: &'static str| {
        move |case: String| async move {
            let Ok(endpoint) = std::env::var(variable) else {
                return Err(NoSubject::Skip(format!("{variable} is not set")));
            };
            let uri = format!("s3://longshore-contract/run-{run}/{case}{name}?endpoint={endpoint}{parameters}");
            let location: Location = uri.parse().map_err(|error| NoSubject::Fail(format!("{error}")))?;
            let store = S3Store::open(&location, S3Options::default()).await?;
            // versitygw answers 500 to one of two that create one bucket at one time.
            if store.create_bucket().await.is_err() {
                store.create_bucket().await?;
            }
            Ok(Subject::writable(Arc::new(store), RelPath::from("root")))
        }
    };
    Suite::default()
        .with("s3", make(FIRST, "", ""))
        .with("s3-generic", make(FIRST, "-generic", "&flavour=generic"))
        .with("s3-crc32c", make(FIRST, "-crc32c", "&checksum=crc32c"))
        .with("s3-second", make(SECOND, "", ""))
        .with("s3-second-generic", make(SECOND, "-generic", "&flavour=generic"))
        .run(&arguments)
}
