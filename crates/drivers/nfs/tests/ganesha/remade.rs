//! A directory that is removed and made anew on the server's disk, under a server that remembers the old one.
//!
//! nfs-ganesha knows by their times that directories changed, and file systems take those from a clock that stands
//! still for up to 10 ms. What changes twice within one tick, with a look of the server between, is shown as it was at
//! that look. So the clock must have moved before and after a directory is made anew, and nobody else may look at the
//! directory that it is in: other tests look at the export's root all the time.

use crate::{common::Fresh, version::Server};
use futures::TryStreamExt as _;
use model::{Facets, RelPath};
use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};
use storage::{ErrorKind, ListSpec, ReadSpec, Source, collect_body};
use tokio::runtime::Runtime;

/// How often it is made anew: nfs-ganesha answers differently each second time.
const ROUNDS: usize = 5;

/// The directory that is made anew: in one of this test's own.
struct Remade {
    around: Fresh,
    on_disk: PathBuf,
    path: RelPath,
}

impl Remade {
    fn below(around: Fresh) -> Self {
        let (on_disk, path) = (around.on_disk.join("remade"), around.path.join(b"remade"));
        Self { around, on_disk, path }
    }

    /// Removes the directory, and makes it again with other files in it.
    fn remake(&self, round: usize) {
        tick(&self.around.on_disk);
        if round > 0 {
            fs::remove_dir_all(&self.on_disk).unwrap();
        }
        fs::create_dir_all(self.on_disk.join("in/deeper")).unwrap();
        for file in ["file", "in/file", "in/deeper/file"] {
            fs::write(self.on_disk.join(format!("{file}-{round}")), format!("content {round}")).unwrap();
        }
        tick(&self.around.on_disk);
    }
}

/// Waits until the clock of the file system has moved on.
fn tick(dir: &Path) {
    let file = dir.join("tick");
    let time = || {
        fs::write(&file, "").unwrap();
        let told = fs::metadata(&file).unwrap();
        (told.ctime(), told.ctime_nsec())
    };
    let before = time();
    while time() == before {
        thread::sleep(Duration::from_millis(1));
    }
}

async fn listed(source: &Arc<dyn Source>, dir: &RelPath) -> Vec<String> {
    let pages: Vec<_> = source.list(dir, ListSpec::default()).try_collect().await.unwrap();
    let names = pages.iter().flat_map(|page| &page.entries).map(|entry| entry.path.file_name().to_vec());
    let mut names: Vec<_> = names.map(|name| String::from_utf8(name).unwrap()).collect();
    names.sort();
    names
}

/// Each open comes from a connection of its own, first at the directory, then at one in it, then once more.
pub fn is_opened(server: &Server) {
    Runtime::new().unwrap().block_on(async {
        let remade = Remade::below(server.rig.fresh("remade-open"));
        for round in 0..ROUNDS {
            remade.remake(round);
            for (path, expected) in [
                (remade.path.clone(), vec![format!("file-{round}"), "in".to_owned()]),
                (remade.path.join(b"in/deeper"), vec![format!("file-{round}")]),
                (remade.path.join(b"in"), vec!["deeper".to_owned(), format!("file-{round}")]),
                (remade.path.clone(), vec![format!("file-{round}"), "in".to_owned()]),
            ] {
                let source = server
                    .open(server.rig.location().below(&path))
                    .await
                    .unwrap_or_else(|e| panic!("{round} {path}: {e:?}"));
                assert_eq!(listed(&source, &RelPath::ROOT).await, expected, "{round} {path}");
            }
        }
        // What is really gone is not found, and soon.
        fs::remove_dir_all(&remade.on_disk).unwrap();
        let gone = server.open(server.rig.location().below(&remade.path)).await.expect_err("nothing is there");
        assert_eq!(gone.kind(), ErrorKind::NotFound, "{gone:?}");
    });
}

/// One store at the export and one at the directory itself go on over it.
pub fn is_listed(server: &Server) {
    Runtime::new().unwrap().block_on(async {
        let remade = Remade::below(server.rig.fresh("remade-list"));
        remade.remake(0);
        let above = (server.open(server.rig.location()).await.unwrap(), remade.path.clone());
        let itself = (server.open(server.rig.location().below(&remade.path)).await.unwrap(), RelPath::ROOT);
        for round in 1..=2 * ROUNDS {
            for (source, at) in [&above, &itself] {
                let below = |name: &str| if at.is_root() { name.into() } else { at.join(name.as_bytes()) };
                // The deepest first in every second round, so that what leads there is out of date, too.
                let mut dirs = [at.clone(), below("in"), below("in/deeper")];
                if round % 2 == 0 {
                    dirs.reverse();
                }
                for dir in &dirs {
                    let names = listed(source, dir).await;
                    assert!(names.contains(&format!("file-{}", round - 1)), "{round} {dir}: {names:?}");
                }
            }
            remade.remake(round);
            for (source, at) in [&above, &itself] {
                let file = format!("in/deeper/file-{round}");
                let path: RelPath = if at.is_root() { file.as_str().into() } else { at.join(file.as_bytes()) };
                let content = if round % 3 == 0 {
                    let entry =
                        source.stat(&path, Facets::NONE).await.unwrap_or_else(|e| panic!("{round} {path}: {e:?}"));
                    source.read(&path, ReadSpec { locator: entry.locator, ..ReadSpec::default() }).await
                } else {
                    source.read(&path, ReadSpec::default()).await
                };
                let content = content.unwrap_or_else(|e| panic!("{round} {path}: {e:?}"));
                assert_eq!(
                    collect_body(content.body, 99).await.unwrap().concat(),
                    format!("content {round}").as_bytes()
                );
            }
        }
        let missing = above.0.stat(&remade.path.join(b"in/nothing"), Facets::NONE).await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    });
}

/// A listing that has begun when the directory is made anew tells of one directory, or that it changed.
pub fn is_not_mixed(server: &Server) {
    Runtime::new().unwrap().block_on(async {
        const FILES: usize = 3000;
        let remade = Remade::below(server.rig.fresh("remade-mixed"));
        let fill = |round: usize| {
            (0..FILES).for_each(|n| fs::write(remade.on_disk.join(format!("{n:04}-of-{round}")), "").unwrap());
            tick(&remade.around.on_disk);
        };
        remade.remake(0);
        fill(0);
        let source = server.open(server.rig.location()).await.unwrap();
        for round in 1..=ROUNDS {
            let mut pages = source.list(&remade.path, ListSpec::default());
            let mut names: Vec<_> = pages.try_next().await.unwrap().unwrap().entries;
            remade.remake(round);
            fill(round);
            let rest: storage::Result<Vec<_>> = pages.try_collect().await;
            match rest {
                Err(error) => assert_eq!(error.kind(), ErrorKind::Changed, "{round}: {error:?}"),
                Ok(rest) => {
                    names.extend(rest.into_iter().flat_map(|page| page.entries));
                    let of = format!("-of-{}", round - 1);
                    let old = names.iter().filter(|entry| entry.path.file_name().ends_with(of.as_bytes())).count();
                    assert_eq!((old, names.len()), (FILES, FILES + 2), "{round}: it tells of two directories");
                }
            }
            let now = listed(&source, &remade.path).await;
            assert_eq!(now.len(), FILES + 2, "{round}");
        }
    });
}
