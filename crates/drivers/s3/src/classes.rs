//! Storage classes, counted as listings pass by: a listing tells them, an entry has no place for them.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// What is in one storage class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassCount {
    /// Objects, directory markers included.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Counts objects and bytes by storage class. Given to a store in its options, it counts what every listing of that
/// store delivers: each object once for each time it is listed, never what was fetched ahead and thrown away.
#[derive(Debug, Default)]
pub struct ClassTally {
    counts: Mutex<BTreeMap<String, ClassCount>>,
}

impl ClassTally {
    /// What was counted so far, by the server's own word (`STANDARD_IA`); empty for objects of which the server
    /// told none.
    pub fn counts(&self) -> BTreeMap<String, ClassCount> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins anew, for a listing that is begun anew.
    pub fn reset(&self) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn add<'a>(&self, objects: impl Iterator<Item = (Option<&'a str>, u64)>) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (class, bytes) in objects {
            let class = class.unwrap_or_default();
            // Not `entry`: it would allocate the name for every object.
            if !counts.contains_key(class) {
                counts.insert(class.to_owned(), ClassCount::default());
            }
            if let Some(count) = counts.get_mut(class) {
                count.objects += 1;
                count.bytes = count.bytes.saturating_add(bytes);
            }
        }
    }
}
