//! How far all systems together are.

use crate::{
    commands::Shell,
    progress::{Progress, Reading},
};
use collectors::{Job, ProgressNumbers};
use std::sync::Arc;

/// One line for all systems.
pub fn progress(jobs: &[Job], shell: &Shell) -> Progress {
    let found: Vec<_> = jobs.iter().map(|job| Arc::clone(&job.options.progress)).collect();
    let name = if found.len() > 1 { format!("discover {} systems", found.len()) } else { "discover".to_owned() };
    Progress::show(&shell.settings, &name, move || reading(found.iter().map(|system| system.numbers())))
}

fn reading(systems: impl Iterator<Item = ProgressNumbers>) -> Reading {
    let mut waiting = false;
    let now = systems.reduce(|all, system| {
        waiting |= system.waiting_until.is_some();
        all.and(system)
    });
    let now = now.unwrap_or_default();
    waiting |= now.waiting_until.is_some();
    Reading {
        phase: if waiting { "waiting for the window:" } else { "walking" },
        items: now.entries,
        of_items: now.expected.unwrap_or_default(),
        bytes: now.bytes,
        failed: now.unreadable,
        ..Reading::default()
    }
}
