//! Names on their way from the source to the target.

use model::{NameMap, NameRefusal, RelPath};
use plan::NamePolicy;
use storage::Capabilities;

/// The move's rule for names: where each source path lies at the target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names {
    policy: NamePolicy,
    map: NameMap,
}

impl Names {
    pub(crate) fn new(policy: NamePolicy, target: &Capabilities) -> Self {
        let map = match policy {
            NamePolicy::Refuse | NamePolicy::Restore => NameMap::refusing(target.names),
            NamePolicy::Escape => NameMap::escaping(target.names),
        };
        Self { policy, map: map.under_prefix(target.prefix_len) }
    }

    /// Where `path` lies at the target, or why it cannot lie there.
    pub(crate) fn to(&self, path: &RelPath) -> Result<RelPath, NameRefusal> {
        match self.policy {
            NamePolicy::Refuse | NamePolicy::Escape => self.map.to(path),
            // A name that `escape` cannot have written is somebody else's and stays as it is.
            NamePolicy::Restore => self.map.to(&NameMap::restore(path).unwrap_or_else(|| path.clone())),
        }
    }

    /// What a person can do about a refusal.
    pub(crate) fn hint(&self, refusal: &NameRefusal) -> Option<&'static str> {
        match (self.policy, refusal) {
            (NamePolicy::Refuse, NameRefusal::NotUtf8 | NameRefusal::Reserved | NameRefusal::Forbidden(_)) => {
                Some("`names = \"escape\"` in the plan stores it under a reversible name")
            }
            (_, NameRefusal::ComponentTooLong { .. } | NameRefusal::PathTooLong { .. }) => {
                Some("shorten the path at the source, or move the upper directories in a plan of their own")
            }
            _ => None,
        }
    }
}
