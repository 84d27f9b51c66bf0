//! `longshore discover URI... -o DIR`

mod show;
mod wanted;

use super::Shell;
use crate::{
    args::Discover,
    clock,
    exit::Exit,
    failure::{Failure, Outcome},
    registry::{self, Opening},
};
use collectors::{DiscoverOptions, Job, LatencyProbe, Progress, ProgressClock, Together, discover_all};
use futures::{StreamExt as _, stream};
use inventory::Profile;
use std::{num::NonZeroUsize, sync::Arc};
use storage::{Gate, Limited, Source, wrap::Windowed};
use wanted::Wanted;

/// Systems that are opened at one time.
const OPENING: usize = 8;

/// Discovers many systems into one inventory.
pub async fn run(typed: &Discover, shell: &Shell) -> Outcome<Exit> {
    let wanted = Wanted::all(typed, shell)?;
    let mut tally = Tally { exit: Exit::Done, profiles: Vec::new() };
    let wanted = each_system(wanted, shell, &mut tally).await;
    collectors::twice(wanted.iter().map(|wanted| &wanted.location)).map_err(Failure::from)?;

    let gates = collectors::gates(wanted.iter().map(|wanted| (&wanted.location, &wanted.limits)));
    let opening = stream::iter(
        wanted
            .iter()
            .zip(gates)
            .map(|(wanted, gate)| async { (&wanted.location, Box::pin(job(wanted, gate, typed, shell)).await) }),
    );
    let mut opened = opening.buffered(OPENING);
    let mut jobs = Vec::new();
    while let Some((location, job)) = opened.next().await {
        match job {
            Ok(job) => jobs.push(job),
            // The other systems are worth their time all the same.
            Err(failure) => tally.failed(&failure.at(location), shell),
        }
    }
    drop(opened);

    let progress = show::progress(&jobs, shell);
    let servers = usize::try_from(typed.servers).unwrap_or(usize::MAX);
    let together = Together { servers: NonZeroUsize::new(servers).unwrap_or(NonZeroUsize::MIN), ..Together::default() };
    let found = Box::pin(discover_all(jobs, &typed.output, together)).await;
    progress.finish().await;
    for (location, answer) in found {
        match answer {
            Ok(profile) => tally.found(profile, shell)?,
            Err(error) => tally.failed(&Failure::from(error).at(&location), shell),
        }
    }
    if shell.out.json {
        let body = serde_json::json!({"inventory": typed.output, "systems": tally.profiles});
        shell.out.named_document("longshore.discovery/v1", &body)?;
    } else if !tally.profiles.is_empty() {
        shell.out.note(&format!("inventory: {}", typed.output.display()));
    }
    Ok(if shell.stop.asked() { shell.stop.exit() } else { tally.exit })
}

/// What came of it all.
struct Tally {
    exit: Exit,
    profiles: Vec<Profile>,
}

impl Tally {
    fn found(&mut self, profile: Profile, shell: &Shell) -> Outcome<()> {
        if profile.unreadable_count > 0 {
            self.exit = self.exit.worse(Exit::LeftOver);
        }
        if !shell.out.json {
            shell.out.text(&reports::terminal::discovery(&profile, shell.out.width))?;
        }
        self.profiles.push(profile);
        Ok(())
    }
    fn failed(&mut self, failure: &Failure, shell: &Shell) {
        crate::show_failure(shell, failure);
        self.exit = self.exit.worse(failure.exit);
    }
}

/// Puts the exports, shares or buckets of a server in its place.
async fn each_system(wanted: Vec<Wanted>, shell: &Shell, tally: &mut Tally) -> Vec<Wanted> {
    let (mut all, mut of_servers) = (Vec::new(), Vec::new());
    for server in wanted {
        let how = Opening { password: server.password.clone(), ..Opening::plain(&shell.settings) };
        match Box::pin(registry::parts(&server.location, &how)).await {
            Ok(None) => all.push(server),
            Ok(Some(parts)) => {
                for part in parts {
                    match part.left_out {
                        None => of_servers.push(Wanted { location: part.location, ..server.clone() }),
                        Some(why) => shell.out.note(&format!("left out: {} ({why})", part.location)),
                    }
                }
            }
            Err(failure) => tally.failed(&failure.at(&server.location), shell),
        }
    }
    // What is named by itself has settings of its own.
    of_servers.retain(|part| !all.iter().any(|named: &Wanted| collectors::same(&named.location, &part.location)));
    all.append(&mut of_servers);
    all
}

/// Opens a system, with everything around it that spares its server.
async fn job(wanted: &Wanted, gate: Arc<Gate>, typed: &Discover, shell: &Shell) -> Outcome<Job> {
    let latency = Arc::new(LatencyProbe::new());
    let progress = Arc::new(Progress::default());
    let options = DiscoverOptions {
        concurrency: wanted.concurrency,
        progress: Arc::clone(&progress),
        latency: Arc::clone(&latency),
        stop: shell.stop.token.clone(),
        fresh: typed.fresh,
        considerate: !typed.inconsiderate,
        ..DiscoverOptions::new(clock::now())
    };
    let window = wanted.window.clone();
    let spared = move |driver: Arc<dyn Source>| -> Arc<dyn Source> {
        let source = Arc::new(Limited::through(driver, Arc::clone(&gate)));
        match &window {
            Some(window) => {
                let clock = ProgressClock { now: clock::now, offset: clock::offset, progress: Arc::clone(&progress) };
                Arc::new(Windowed::new(source, window.clone(), Arc::new(clock)))
            }
            None => source,
        }
    };
    let how = Opening {
        probe: latency,
        password: wanted.password.clone(),
        spared: Some(Arc::new(spared)),
        ..Opening::plain(&shell.settings)
    };
    let collector = Box::pin(registry::open(&wanted.location, &how)).await?;
    Ok(Job { collector, options })
}

/// Does a path hold an inventory?
pub fn is_inventory(path: &std::path::Path) -> bool {
    path.join("inventory.json").is_file()
}
