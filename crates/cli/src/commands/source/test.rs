//! `longshore source test URI`

use super::Shell;
use crate::{
    args::Source as Typed,
    exit::Exit,
    failure::Outcome,
    registry::{self, Missing, Scheme},
};
use model::{ByteSize, Facets, Location, RelPath, human_count};
use serde::Serialize;
use std::{fmt::Write as _, sync::Arc};
use storage::{Capabilities, NoProbe, Publish, Source};

/// A store, reached.
#[derive(Serialize)]
struct Reached {
    location: Location,
    /// What the server says of itself.
    #[serde(serialize_with = "as_map")]
    server: Facts,
    /// What it can do.
    #[serde(serialize_with = "as_map")]
    can: Facts,
}

fn as_map<S: serde::Serializer>(facts: &Facts, out: S) -> Result<S::Ok, S::Error> {
    out.collect_map(facts.iter().map(|(name, value)| (name, value)))
}

/// Reaches a store and prints what it can do.
pub async fn run(typed: &Typed, shell: &Shell) -> Outcome<Exit> {
    let Typed::Test { location } = typed;
    let location = registry::location(location)?;
    let (server, store) = Box::pin(reach(&location, shell)).await.map_err(|failure| failure.at(&location))?;
    let root = store.stat(&RelPath::ROOT, Facets::NONE).await;
    let usage = store.usage().await;
    let mut can = capabilities(store.caps());
    match usage {
        Ok(Some(usage)) => {
            can.push(("volume", format!("{} of {} in use", ByteSize(usage.used), ByteSize(usage.capacity))));
        }
        Ok(None) => {}
        Err(error) => can.push(("volume", error.to_string())),
    }
    if let Err(error) = root {
        can.push(("root", error.to_string()));
    }
    let reached = Reached { location, server, can };
    if shell.out.json {
        shell.out.named_document("longshore.source-test/v1", &reached)?;
    } else {
        shell.out.text(&text(&reached))?;
    }
    Ok(Exit::Done)
}

type Facts = Vec<(&'static str, String)>;

async fn reach(location: &Location, shell: &Shell) -> Outcome<(Facts, Arc<dyn Source>)> {
    let settings = &shell.settings;
    Ok(match Scheme::of(location)? {
        Scheme::File => (
            vec![],
            registry::patient(Arc::new(registry::local(location, Missing::IsAnError, Arc::new(NoProbe))?), settings),
        ),
        Scheme::Nfs => {
            let store = registry::nfs(location, settings, Arc::new(NoProbe)).await?;
            let said = store.identify();
            let facts = vec![
                ("protocol", "NFSv3".to_owned()),
                ("address", said.server.to_string()),
                ("export", RelPath::from(&said.export[..]).to_string()),
                ("largest read", ByteSize(u64::from(said.read_max)).to_string()),
                ("largest file", ByteSize(said.max_file_size).to_string()),
                ("time granularity", format!("{} ns", human_count(said.time_granularity))),
            ];
            (facts, registry::patient(Arc::new(store), settings))
        }
        Scheme::S3 => {
            let store = registry::s3(location, settings, Arc::new(NoProbe)).await?;
            let said = store.check().await?;
            let facts = vec![
                ("protocol", "S3".to_owned()),
                ("server", said.server.unwrap_or_else(|| "does not say".to_owned())),
                ("taken for", format!("{:?}", said.flavour).to_lowercase()),
                ("region", said.region),
                ("prefix", if said.empty { "empty" } else { "holds objects" }.to_owned()),
            ];
            (facts, registry::patient(Arc::new(store), settings))
        }
    })
}

fn capabilities(caps: &Capabilities) -> Facts {
    let nodes: Vec<&str> = [
        ("directories", caps.nodes.dirs),
        ("symbolic links", caps.nodes.symlinks),
        ("hard links", caps.nodes.hard_links),
        ("devices, pipes, sockets", caps.nodes.specials),
    ]
    .into_iter()
    .filter_map(|(name, can)| can.then_some(name))
    .collect();
    let names = &caps.names;
    let limit = |n: u32| if n == 0 { "any length".to_owned() } else { format!("{} bytes", human_count(u64::from(n))) };
    let mut can = vec![
        ("tells", caps.reads.to_string()),
        ("longest path", limit(names.max_path)),
        ("longest name", limit(names.max_component)),
        ("names", if names.utf8_only { "UTF-8 only" } else { "any bytes" }.to_owned()),
        ("case", if names.case_sensitive { "matters" } else { "does not matter" }.to_owned()),
    ];
    if caps.writes.is_empty() {
        can.push(("keeps", "nothing: read only".to_owned()));
        return can;
    }
    let publish = match caps.publish {
        Publish::Atomic => "all at once",
        Publish::Rename => "all at once, by a rename",
        Publish::InPlace => "byte by byte",
    };
    can.extend([
        ("keeps", caps.writes.to_string()),
        ("holds besides files", if nodes.is_empty() { "nothing".to_owned() } else { nodes.join(", ") }),
        ("writes only if absent", if caps.conditional_write { "yes" } else { "no" }.to_owned()),
        ("a finished write appears", publish.to_owned()),
    ]);
    can
}

fn text(reached: &Reached) -> String {
    let mut out = format!("{} answers\n", reached.location);
    for (name, value) in reached.server.iter().chain(&reached.can) {
        writeln!(out, "  {name:<26}{value}").expect("a String takes everything");
    }
    out
}
