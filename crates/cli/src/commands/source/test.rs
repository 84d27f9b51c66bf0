//! `longshore source test URI`

use crate::{commands::Shell, exit::Exit, failure::Outcome, registry};
use inventory::System;
use model::{ByteSize, Facets, Location, RelPath, human_count};
use serde::Serialize;
use std::{ffi::OsStr, fmt::Write as _};
use storage::{Capabilities, Publish};

/// A store, reached.
#[derive(Serialize)]
struct Reached {
    location: Location,
    /// What the server says of itself.
    server: System,
    /// What it can do.
    #[serde(serialize_with = "as_map")]
    can: Facts,
}

fn as_map<S: serde::Serializer>(facts: &Facts, out: S) -> Result<S::Ok, S::Error> {
    out.collect_map(facts.iter().map(|(name, value)| (name, value)))
}

/// Reaches a store and prints what it can do.
pub async fn run(location: &OsStr, shell: &Shell) -> Outcome<Exit> {
    let location = registry::location(location)?;
    let at = |failure: crate::failure::Failure| failure.at(&location);
    let collector = registry::open(&location, &registry::Opening::plain(&shell.settings)).await.map_err(at)?;
    let server = collector.protocol().identify().await.map_err(|error| at(error.into()))?;
    let store = collector.source();
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
    let reached = Reached { location: location.clone(), server, can };
    if shell.out.json {
        shell.out.named_document("longshore.source-test/v1", &reached)?;
    } else {
        shell.out.text(&text(&reached))?;
    }
    Ok(Exit::Done)
}

type Facts = Vec<(&'static str, String)>;

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
    let System { protocol, product, version, details } = &reached.server;
    let own = [("protocol", Some(protocol)), ("product", product.as_ref()), ("version", version.as_ref())];
    let own = own.into_iter().filter_map(|(name, value)| Some((name, value?.as_str())));
    let told = details.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let can = reached.can.iter().map(|(name, value)| (*name, value.as_str()));
    for (name, value) in own.chain(told).chain(can) {
        writeln!(out, "  {name:<26}{value}").expect("a String takes everything");
    }
    out
}
