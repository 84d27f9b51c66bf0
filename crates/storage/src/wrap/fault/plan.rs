//! What is to fail, and when.

use crate::{ErrorKind, checksum};
use bytes::Bytes;
use model::RelPath;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Rules for faults, and the seed that decides those left to chance.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    /// The same seed fails the same calls.
    pub seed: u64,
    /// The first rule that hits a call decides.
    pub rules: Vec<FaultRule>,
}

impl FaultPlan {
    /// What a bad network does: connections lost before and after the work was done, throttling, and
    /// bodies cut, each to so many of a thousand calls.
    pub fn transient(seed: u64, per_mille: u32) -> Self {
        let when = When::Chance { per_mille };
        let faults = [
            Fault::Before(ErrorKind::Disconnected),
            Fault::After(ErrorKind::Disconnected),
            Fault::Before(ErrorKind::Throttled),
        ];
        let under = RelPath::ROOT;
        // Of a single entry a network knows nothing.
        let everywhere = Door::ALL.into_iter().filter(|door| *door != Door::Entry).flat_map(|door| {
            let under = under.clone();
            faults.into_iter().map(move |fault| FaultRule { door, under: under.clone(), fault, when })
        });
        let cut = Fault::Cut { at: 1000, kind: ErrorKind::Disconnected };
        let cut = FaultRule { door: Door::Read, under: RelPath::ROOT, fault: cut, when };
        Self { seed, rules: everywhere.chain([cut]).collect() }
    }
}

/// One way to fail.
#[derive(Clone, Debug)]
pub struct FaultRule {
    /// Where.
    pub door: Door,
    /// Only for paths in this directory (or exactly this path); the root for all.
    pub under: RelPath,
    /// How.
    pub fault: Fault,
    /// When.
    pub when: When,
}

/// A call that can fail. Part, finish and abort belong to the path of their upload; each page of a
/// listing is a call, and each entry on it is one more, whose failure leaves the entry unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the method of the same name")]
pub enum Door {
    List,
    Entry,
    Stat,
    Read,
    Usage,
    Put,
    Create,
    Resume,
    Part,
    Finish,
    Abort,
    Abandoned,
    Discard,
    Apply,
    Make,
    Remove,
}

impl Door {
    /// Every door.
    pub const ALL: [Self; 16] = [
        Self::List,
        Self::Entry,
        Self::Stat,
        Self::Read,
        Self::Usage,
        Self::Put,
        Self::Create,
        Self::Resume,
        Self::Part,
        Self::Finish,
        Self::Abort,
        Self::Abandoned,
        Self::Discard,
        Self::Apply,
        Self::Make,
        Self::Remove,
    ];

    pub(super) const fn op(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Entry | Self::Stat => "look at",
            Self::Read => "read",
            Self::Usage => "ask for the size of",
            Self::Put => "write",
            Self::Create => "open a write of",
            Self::Resume => "resume the write of",
            Self::Part => "write a part of",
            Self::Finish => "finish the write of",
            Self::Abort => "abort the write of",
            Self::Abandoned => "look for unfinished writes of",
            Self::Discard => "drop the unfinished write of",
            Self::Apply => "write the metadata of",
            Self::Make => "make",
            Self::Remove => "remove",
        }
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call fails and has no effect.
    Before(ErrorKind),
    /// The call takes effect, but its answer is lost.
    After(ErrorKind),
    /// The call waits first.
    Stall(Duration),
    /// A body breaks off after so many of its bytes.
    Cut {
        /// Bytes that still come.
        at: u64,
        /// The error after them.
        kind: ErrorKind,
    },
    /// A body ends after so many of its bytes as if that were all: a driver that lies.
    Truncate {
        /// Bytes that still come.
        at: u64,
    },
    /// Entries tell a size that is wrong by this much.
    SizeLie(i64),
}

/// Which calls a rule hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// All of them.
    Always,
    /// This one of each path, counted from 0.
    Nth {
        /// The call.
        call: u32,
    },
    /// So many of a thousand, as the seed decides.
    Chance {
        /// Calls of a thousand.
        per_mille: u32,
    },
}

/// A fault that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injected {
    /// Where.
    pub door: Door,
    /// At which path.
    pub path: RelPath,
    /// Which call of that door and path, from 0.
    pub call: u32,
    /// How.
    pub fault: Fault,
}

/// The plan at work.
#[derive(Debug)]
pub(super) struct Dice {
    plan: FaultPlan,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    calls: HashMap<(Door, RelPath), u32>,
    injected: Vec<Injected>,
}

impl Dice {
    pub(super) fn new(plan: FaultPlan) -> Self {
        Self { plan, state: Mutex::default() }
    }

    /// Counts a call and says how it fails, if it does.
    pub(super) fn draw(&self, door: Door, path: &RelPath) -> Option<Fault> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let count = state.calls.entry((door, path.clone())).or_default();
        let call = *count;
        *count += 1;
        let hits = |(place, rule): &(usize, &FaultRule)| {
            rule.door == door && path.starts_with(&rule.under) && self.hits(rule.when, *place, path, call)
        };
        let fault = self.plan.rules.iter().enumerate().find(hits)?.1.fault;
        state.injected.push(Injected { door, path: path.clone(), call, fault });
        Some(fault)
    }

    fn hits(&self, when: When, place: usize, path: &RelPath, call: u32) -> bool {
        match when {
            When::Always => true,
            When::Nth { call: nth } => nth == call,
            When::Chance { per_mille } => {
                let mut text = self.plan.seed.to_le_bytes().to_vec();
                text.extend_from_slice(&(place as u64).to_le_bytes());
                text.extend_from_slice(&call.to_le_bytes());
                text.extend_from_slice(path.as_bytes());
                let seed = checksum::crc64nvme(&[Bytes::from(text)]);
                fastrand::Rng::with_seed(seed).u32(0..1000) < per_mille
            }
        }
    }

    pub(super) fn injected(&self) -> Vec<Injected> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).injected.clone()
    }
}
