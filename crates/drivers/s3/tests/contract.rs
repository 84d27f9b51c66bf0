//! The contract of the storage doors against a real server: `LONGSHORE_TEST_S3` holds its endpoint, the AWS
//! environment the credentials. Every case runs as the server presents itself and with the least that
//! compatible stores have in common.

use libtest_mimic::Arguments;
use longshore_driver_s3::{S3Options, S3Store};
use model::{Location, RelPath};
use std::{process::ExitCode, sync::Arc, time::SystemTime};
use storage::contract::{NoSubject, Subject, Suite};

/// Promises of a file tree that a key space cannot make.
const NOT_FOR_KEYS: [(&str, &str); 5] = [
    ("listing::links are listed as links", "a listing of keys tells no metadata; stat and read do"),
    ("nodes::a symbolic link is never followed", "the content of a link is its target, told as a link by the read"),
    ("nodes::nothing replaces a directory", "looking for keys below a name would double the requests of every write"),
    ("errors::nothing is written below a file", "looking for an object above would double the requests of every write"),
    ("writing::a directory that holds something is not removed", "a directory without a marker ends with its last key"),
];

#[expect(clippy::print_stdout, reason = "this is a test's own output")]
fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    for (case, reason) in NOT_FOR_KEYS {
        println!("not for a key space: {case}: {reason}");
        arguments.skip.push(case.to_owned());
    }
    let run = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_millis());
    let make = move |name: &'static str, parameters: &'static str| {
        move |case: String| async move {
            let Ok(endpoint) = std::env::var("LONGSHORE_TEST_S3") else {
                return Err(NoSubject::Skip("LONGSHORE_TEST_S3 is not set".to_owned()));
            };
            let uri = format!("s3://longshore-contract/run-{run}/{case}{name}?endpoint={endpoint}{parameters}");
            let location: Location = uri.parse().map_err(|error| NoSubject::Fail(format!("{error}")))?;
            let store = S3Store::open(&location, S3Options::default()).await?;
            store.create_bucket().await?;
            Ok(Subject::writable(Arc::new(store), RelPath::from("root")))
        }
    };
    Suite::default()
        .with("s3", make("", ""))
        .with("s3-generic", make("-generic", "&flavour=generic"))
        .with("s3-crc32c", make("-crc32c", "&checksum=crc32c"))
        .run(&arguments)
}
