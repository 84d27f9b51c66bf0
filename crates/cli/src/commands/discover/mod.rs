//! `longshore discover URI... -o DIR`

use super::Shell;
use crate::{
    args::Discover,
    clock,
    exit::Exit,
    failure::{Failure, Outcome},
    progress::{Progress, Reading},
    registry::{self, Scheme},
};
use collectors::{Collector, DiscoverOptions, LatencyProbe, LocalCollector, NfsCollector, ObjectCollector};
use inventory::Profile;
use model::Location;
use std::{num::NonZeroUsize, path::Path, sync::Arc};

/// Discovers one location after the other into one inventory.
pub async fn run(typed: &Discover, shell: &Shell) -> Outcome<Exit> {
    let locations = typed.locations.iter().map(|uri| registry::location(uri)).collect::<Outcome<Vec<_>>>()?;
    let mut profiles = Vec::new();
    let mut exit = Exit::Done;
    for location in &locations {
        match Box::pin(one(location, typed, shell)).await {
            Ok(profile) => {
                if profile.unreadable_count > 0 {
                    exit = exit.worse(Exit::LeftOver);
                }
                if !shell.out.json {
                    shell.out.text(&reports::terminal::discovery(&profile, shell.out.width))?;
                }
                profiles.push(profile);
            }
            Err(failure) if shell.stop.asked() => {
                crate::show_failure(shell, &failure);
                return Ok(shell.stop.exit());
            }
            Err(failure) => {
                // The other systems are worth their time all the same.
                crate::show_failure(shell, &failure);
                exit = exit.worse(failure.exit);
            }
        }
    }
    if shell.out.json {
        let body = serde_json::json!({"inventory": typed.output, "systems": profiles});
        shell.out.named_document("longshore.discovery/v1", &body)?;
    } else if !profiles.is_empty() {
        shell.out.note(&format!("inventory: {}", typed.output.display()));
    }
    Ok(exit)
}

async fn one(location: &Location, typed: &Discover, shell: &Shell) -> Outcome<Profile> {
    let latency = Arc::new(LatencyProbe::new());
    let collector = collector(location, shell, &latency).await.map_err(|failure| failure.at(location))?;
    let concurrency = usize::try_from(shell.settings.concurrency.value).unwrap_or(usize::MAX);
    let options = DiscoverOptions {
        concurrency: NonZeroUsize::new(concurrency).unwrap_or(NonZeroUsize::MIN),
        latency,
        stop: shell.stop.token.clone(),
        fresh: typed.fresh,
        ..DiscoverOptions::new(clock::now())
    };
    let found = Arc::clone(&options.progress);
    let progress = Progress::show(&shell.settings, "discover", move || {
        let now = found.numbers();
        Reading { phase: "walking", items: now.entries, bytes: now.bytes, failed: now.unreadable, ..Reading::default() }
    });
    let profile = Box::pin(collectors::discover(collector.as_ref(), &typed.output, options)).await;
    progress.finish().await;
    profile.map_err(|error| Failure::from(error).at(location))
}

/// What looks at a location: the driver with the probe, behind retries and deadlines.
async fn collector(location: &Location, shell: &Shell, latency: &Arc<LatencyProbe>) -> Outcome<Box<dyn Collector>> {
    let settings = &shell.settings;
    let probe = latency.clone();
    let wrap = |source: Arc<dyn storage::Source>| registry::patient(source, settings) as Arc<dyn storage::Source>;
    Ok(match Scheme::of(location)? {
        Scheme::File => {
            let store = registry::local(location, registry::Missing::IsAnError, probe)?;
            Box::new(LocalCollector::new(store, location).wrapped(wrap))
        }
        Scheme::Nfs => Box::new(NfsCollector::new(registry::nfs(location, settings, probe).await?).wrapped(wrap)),
        Scheme::S3 => {
            Box::new(ObjectCollector::new(registry::s3(location, settings, probe).await?, location).wrapped(wrap))
        }
    })
}

/// Does a path hold an inventory?
pub fn is_inventory(path: &Path) -> bool {
    path.join("inventory.json").is_file()
}
