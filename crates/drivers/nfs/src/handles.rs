//! File handles of directories that were met, in bounded memory.

use bytes::Bytes;
use model::RelPath;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Directories whose handles are remembered, in each of two generations. With paths of 100 bytes and handles
/// of 64, both take about 5 MB.
const REMEMBERED: usize = 16 << 10;

/// Two generations of handles: when the young one is full, it becomes the old one, and what was not used
/// since is forgotten. As good as least-recently-used here, and without its links.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    young: HashMap<RelPath, Bytes>,
    old: HashMap<RelPath, Bytes>,
}

impl Handles {
    pub fn get(&mut self, dir: &RelPath) -> Option<Bytes> {
        if let Some(handle) = self.young.get(dir) {
            return Some(handle.clone());
        }
        let handle = self.old.remove(dir)?;
        self.insert(dir.clone(), handle.clone());
        Some(handle)
    }

    pub fn insert(&mut self, dir: RelPath, handle: Bytes) {
        if self.young.len() >= REMEMBERED {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(dir, handle);
    }

    /// The nearest directory at or above `path` whose handle is known.
    pub fn nearest(&mut self, path: &RelPath) -> Option<(RelPath, Bytes)> {
        let mut at = path.clone();
        while let Some(above) = at.parent() {
            if let Some(handle) = self.get(&at) {
                return Some((at, handle));
            }
            at = above;
        }
        None
    }

    /// Forgets `path` and everything above it.
    pub fn forget(&mut self, path: &RelPath) {
        let mut next = Some(path.clone());
        while let Some(dir) = next {
            self.young.remove(&dir);
            self.old.remove(&dir);
            next = dir.parent();
        }
    }
}

/// Nothing under the locks of this crate can leave what they guard half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_in_use_outlive_those_that_are_not_and_memory_is_bounded() {
        let mut handles = Handles::default();
        let dir = |n: usize| RelPath::from(format!("d{n}").as_str());
        for n in 0..5 * REMEMBERED {
            handles.insert(dir(n), Bytes::new());
            assert!(handles.get(&dir(0)).is_some(), "{n}");
        }
        assert!(handles.get(&dir(1)).is_none());
        assert!(handles.young.len() + handles.old.len() <= 2 * REMEMBERED);
    }

    #[test]
    fn a_stale_path_is_forgotten_with_everything_above_it() {
        let mut handles = Handles::default();
        for path in ["a", "a/b", "a/c"] {
            handles.insert(path.into(), Bytes::new());
        }
        assert_eq!(handles.nearest(&"a/b/x/y".into()).unwrap().0, "a/b".into());
        handles.forget(&"a/b/file".into());
        assert!(handles.nearest(&"a/b".into()).is_none());
        assert!(handles.get(&"a/c".into()).is_some());
    }
}
