//! One system of an inventory with what the analysis needs of it.

use crate::{Error, Facts, Scan, scan};
use inventory::{Inventory, Profile};

/// A profile and, where entries were read, what they add to it.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The profile.
    pub profile: Profile,
    /// A scan of its entries; without one, figures by file are estimated from the profile's histograms.
    pub scan: Option<Scan>,
}

impl Subject {
    /// From a profile alone.
    pub const fn new(profile: Profile) -> Self {
        Self { profile, scan: None }
    }
    /// Reads every finished system of an inventory.
    pub fn read_all(inventory: &Inventory) -> Result<Vec<Self>, Error> {
        inventory.systems().iter().map(|system| Self::read(inventory, &system.name)).collect()
    }
    /// Reads one system.
    pub fn read(inventory: &Inventory, name: &str) -> Result<Self, Error> {
        let profile = inventory.profile(name)?;
        let files = inventory.entries_files(name)?;
        let started = &profile.walk.started_at;
        let moment: jiff::Timestamp = started.parse().map_err(|_| Error::Time { text: started.clone() })?;
        let scan = if files.is_empty() { None } else { Some(scan(&files, moment.as_second())?) };
        Ok(Self { profile, scan })
    }
    /// What the rules look at.
    pub fn facts(&self) -> Facts {
        Facts::new(&self.profile, self.scan.as_ref())
    }
}
