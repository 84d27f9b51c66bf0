//! Many systems at once: some servers together, a few systems of each, and one that fails stops no other.

use crate::{Collector, DiscoverOptions, Error, discover};
use futures::{StreamExt as _, stream::FuturesUnordered};
use inventory::Profile;
use model::Location;
use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    num::NonZeroUsize,
    panic::AssertUnwindSafe,
    path::Path,
    sync::Arc,
};
use storage::{ErrorKind, Gate, Limits};

/// One system to discover.
#[derive(Debug)]
pub struct Job {
    /// What to discover.
    pub collector: Collector,
    /// How; each has its own progress and latency probe.
    pub options: DiscoverOptions,
}

/// How much runs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Together {
    /// Servers at one time, 4 at first.
    pub servers: NonZeroUsize,
    /// Systems of one server at one time, 2 at first.
    pub per_server: NonZeroUsize,
}

impl Default for Together {
    fn default() -> Self {
        const { Self { servers: NonZeroUsize::new(4).expect("not 0"), per_server: NonZeroUsize::new(2).expect("not 0") } }
    }
}

/// Discovers every system into the inventory in the directory `out`. The answers come in the order of `jobs`.
/// Whoever wants to stop all of them gives all of them one token.
///
/// A system that is there twice is refused at its second place before anything starts. A panic in one costs that
/// one only.
pub async fn discover_all(jobs: Vec<Job>, out: &Path, together: Together) -> Vec<(Location, Result<Profile, Error>)> {
    let places: Vec<Location> = jobs.iter().map(|job| job.collector.location().clone()).collect();
    let mut answers: BTreeMap<usize, Result<Profile, Error>> = BTreeMap::new();
    let mut waiting: VecDeque<(usize, String, Job)> = VecDeque::new();
    let mut seen = HashMap::new();
    for (number, job) in jobs.into_iter().enumerate() {
        let location = &places[number];
        if seen.insert(identity(location), number).is_some() {
            answers.insert(number, Err(there_twice(location)));
        } else {
            waiting.push_back((number, server(location), job));
        }
    }
    let mut busy: HashMap<String, usize> = HashMap::new();
    let mut running = FuturesUnordered::new();
    loop {
        // The first that may start: of a server that is asked already, or of a new one while there is room.
        while let Some(at) = waiting.iter().position(|(_, server, _)| match busy.get(server) {
            Some(systems) => *systems < together.per_server.get(),
            None => busy.len() < together.servers.get(),
        }) {
            let Some((number, server, job)) = waiting.remove(at) else { break };
            *busy.entry(server.clone()).or_default() += 1;
            running.push(async move { (number, server, one(job, out).await) });
        }
        let Some((number, server, answer)) = running.next().await else { break };
        answers.insert(number, answer);
        if let Some(systems) = busy.get_mut(&server) {
            *systems -= 1;
            if *systems == 0 {
                busy.remove(&server);
            }
        }
    }
    places.into_iter().zip(answers.into_values()).collect()
}

async fn one(job: Job, out: &Path) -> Result<Profile, Error> {
    use futures::FutureExt as _;
    let Job { collector, options } = job;
    let work = AssertUnwindSafe(discover(&collector, out, options)).catch_unwind();
    Box::pin(work).await.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<&str>().map(|said| (*said).to_owned());
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        let failed = storage::Error::new(ErrorKind::Unexpected, "discover").because(format!("a panic: {said}"));
        Err(Error::Source(failed))
    })
}

/// The first location that names the same system as one before it.
///
/// Errors: `Source` with kind `Invalid`.
pub fn twice<'a>(locations: impl IntoIterator<Item = &'a Location>) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for location in locations {
        if !seen.insert(identity(location)) {
            return Err(there_twice(location));
        }
    }
    Ok(())
}

fn there_twice(location: &Location) -> Error {
    let refused = storage::Error::new(ErrorKind::Invalid, "discover")
        .because(format!("`{location}` is there twice"))
        .hint("name each system once");
    Error::Source(refused)
}

/// Do these name the same system?
pub fn same(a: &Location, b: &Location) -> bool {
    identity(a) == identity(b)
}

/// What makes two locations one system: protocol (with its version where one is asked for), server, port where it
/// is not the usual one, path, and what the parameters say of these.
fn identity(location: &Location) -> (String, String, Option<u16>, Vec<u8>, [Option<String>; 2]) {
    let usual = match location.scheme() {
        "nfs" => Some(2049),
        "smb" => Some(445),
        "hdfs" => Some(8020),
        _ => None,
    };
    let port = location.port().filter(|port| Some(*port) != usual);
    let path = location.prefix().as_bytes().to_vec();
    let host = location.host().to_ascii_lowercase();
    let scheme = location
        .param("version")
        .map_or_else(|| location.scheme().to_owned(), |version| format!("{} {version}", location.scheme()));
    // Another endpoint is another server; another directory of one image another system.
    let told = ["endpoint", "below"].map(|name| location.param(name).map(str::to_owned));
    (scheme, host, port, path, told)
}

/// The server of a location, which is what a budget belongs to: the host, or the endpoint of an object store.
/// Local directories are all of one server, this host.
pub fn server(location: &Location) -> String {
    let host = || location.host().to_ascii_lowercase();
    match location.scheme() {
        "file" => "this host".to_owned(),
        "s3" => location.param("endpoint").map_or_else(|| "s3".to_owned(), str::to_ascii_lowercase),
        _ => host(),
    }
}

/// The budget of the server of each system, in the order of the systems: systems of one server get the same gate.
/// Where they ask for different limits, the strictest of each figure holds for all of them together.
pub fn gates<'a>(systems: impl IntoIterator<Item = (&'a Location, &'a Limits)>) -> Vec<Arc<Gate>> {
    let mut strictest: HashMap<String, Limits> = HashMap::new();
    let mut servers = Vec::new();
    for (location, limits) in systems {
        servers.push(server(location));
        strictest
            .entry(server(location))
            .and_modify(|so_far| *so_far = so_far.strictest(limits))
            .or_insert_with(|| limits.clone());
    }
    let gates: HashMap<_, _> =
        strictest.into_iter().map(|(server, limits)| (server, Arc::new(Gate::new(&limits)))).collect();
    servers.iter().filter_map(|server| gates.get(server).cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::{NonZeroU32, NonZeroU64};

    fn at(uri: &str) -> Location {
        uri.parse().unwrap()
    }

    #[test]
    fn one_system_under_two_spellings_is_there_twice() {
        let all = ["nfs://Filer/export", "nfs://filer:2049/export/", "nfs://filer/export2"].map(at);
        let error = twice(&all[..]).unwrap_err();
        assert!(error.to_string().contains("cannot discover"), "{error}");
        assert!(twice(&all[1..]).is_ok());
        assert!(twice(&[at("s3://b?endpoint=http://a"), at("s3://b?endpoint=http://b")]).is_ok());
        assert!(twice(&[at("nfs://filer:2050/export"), at("nfs://filer/export")]).is_ok());
    }

    #[test]
    fn systems_of_one_server_share_a_gate_and_the_strictest_limits() {
        let few = Limits {
            in_flight: NonZeroUsize::new(3).unwrap(),
            bytes_per_second: None,
            requests_per_second: NonZeroU32::new(100),
        };
        let slow = Limits {
            in_flight: NonZeroUsize::MAX,
            bytes_per_second: NonZeroU64::new(1),
            requests_per_second: NonZeroU32::new(200),
        };
        let both = Limits { bytes_per_second: slow.bytes_per_second, ..few.clone() };
        assert_eq!((few.strictest(&slow), slow.strictest(&few)), (both.clone(), both));
        let systems = [at("nfs://filer/a"), at("smb://FILER/b"), at("nfs://other/a")];
        let gates = gates(systems.iter().zip([&few, &slow, &slow]));
        assert!(gates.len() == 3 && Arc::ptr_eq(&gates[0], &gates[1]) && !Arc::ptr_eq(&gates[0], &gates[2]));
        assert_eq!(server(&at("file:///a")), server(&at("file:///b")));
        assert_eq!(server(&at("s3://a?endpoint=http://Min.io")), server(&at("s3://b?endpoint=http://min.io")));
    }
}
