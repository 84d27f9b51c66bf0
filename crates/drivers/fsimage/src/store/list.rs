//! Listing a directory in pages, in the order of its names' bytes.
//!
//! A cursor holds which image it is of and the name that was listed last, so it stays good when the same image is
//! opened again, and is refused for any other.

use super::{FsimageStore, Inner};
use crate::{
    Details,
    details::{details, entry},
    inode::Node,
    tree::{Run, Tree, own},
};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use model::{Entry, RelPath};
use storage::{Cursor, Error, ErrorKind, ListSpec, Result};

/// Entries with their details, and where to go on.
#[derive(Clone, Debug)]
pub struct DetailedPage {
    /// What was listed.
    pub entries: Vec<(Entry, Details)>,
    /// Where to go on; `None` at the end.
    pub next: Option<Cursor>,
}

/// Bytes of a cursor before the name: the transaction and the namespace of the image.
const HEAD: usize = 12;

pub(super) fn pages(store: &FsimageStore, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<DetailedPage>> {
    let start = Some((store.clone(), dir.clone(), spec, None::<Run>));
    stream::unfold(start, |state| async {
        let (store, dir, spec, run) = state?;
        let (at, asked) = (dir.clone(), spec.clone());
        let page = store.blocking("list", &dir, move |inner| inner.page(&at, &asked, run)).await;
        match page {
            Err(error) => Some((Err(error), None)),
            Ok((page, run)) => {
                let more = page.next.is_some().then_some((store, dir, spec, Some(run)));
                Some((Ok(page), more))
            }
        }
    })
    .boxed()
}

impl Inner {
    fn page(&self, dir: &RelPath, spec: &ListSpec, run: Option<Run>) -> Result<(DetailedPage, Run)> {
        let broken = |broken: crate::failure::Broken| broken.told("list", dir);
        let mut run = match run {
            Some(run) => run,
            None => self.start(dir, spec)?,
        };
        let mut entries = Vec::new();
        let mut last = None;
        while entries.len() < self.options.page_entries.max(1) {
            let Some((name, record)) = run.next(&self.tree).map_err(broken)? else { break };
            let node = Node::load(record).map_err(own).map_err(broken)?;
            let strings = &self.tree.strings;
            let path = dir.join(name);
            last = Some(self.cursor(name));
            let details = details(&node, strings);
            entries.push((entry(&node, path, spec.want, strings, self.facts.namespace_id), details));
        }
        let next = if run.is_done() { None } else { last };
        Ok((DetailedPage { entries, next }, run))
    }

    fn start(&self, dir: &RelPath, spec: &ListSpec) -> Result<Run> {
        let error = |kind| Error::new(kind, "list").at(dir);
        if spec.recursive {
            return Err(error(ErrorKind::Unsupported).because("directories are listed singly"));
        }
        let found = self.find(dir, "list")?;
        let place = found.dir.ok_or_else(|| error(ErrorKind::Invalid).because("it is no directory"))?;
        let place = &self.tree.dirs[place];
        let Some(Cursor(from)) = &spec.from else { return Ok(Tree::entries(place)) };
        let strange = || error(ErrorKind::Changed).because("the cursor is of another image");
        let name = from.strip_prefix(&self.head()[..]).ok_or_else(strange)?;
        // The first name after the last one that was listed: names hold no NUL.
        let after = [name, &[0]].concat();
        self.tree.seek(place, &after).map_err(|broken| broken.told("list", dir))
    }

    fn head(&self) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        head[..8].copy_from_slice(&self.facts.txid.to_be_bytes());
        head[8..].copy_from_slice(&self.facts.namespace_id.to_be_bytes());
        head
    }

    fn cursor(&self, name: &[u8]) -> Cursor {
        Cursor(Bytes::from([&self.head()[..], name].concat()))
    }
}
