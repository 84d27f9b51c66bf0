//! Writes a large image of our own making: `synthesize IMAGE FILES DIRS`.
//!
//! Inodes stand in the order of a hash of their id, as in a NameNode's table, and so do the directories.
#![allow(clippy::print_stdout, clippy::cast_possible_truncation)] // a tool for measuring; its numbers are small

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

use std::{error::Error, path::Path};
use synthetic::{ImageWriter, Message, ROOT, children, directory, file};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [path, files, dirs] = &words[..] else { return Err("usage: synthesize IMAGE FILES DIRS".into()) };
    let (files, dirs): (u64, u64) = (files.parse()?, dirs.parse()?);
    let mut out = ImageWriter::create(Path::new(path), "")?;
    out.common()?;
    // Directories have the ids after the root: a tree with ten below each; files come after them, spread evenly.
    let first_file = ROOT + dirs;
    let total = dirs + files;
    out.begin("INODE");
    out.message(&Message::default().number(1, ROOT + total).number(2, total))?;
    for at in 0..total {
        let id = ROOT + scattered(at, total);
        let inode = match id {
            ROOT => directory(id, b""),
            _ if id < first_file => directory(id, format!("directory-{id:08}").as_bytes()),
            _ => file(id, format!("part-{id:010}-of-the-data.parquet").as_bytes(), id % (1 << 30)),
        };
        out.message(&inode)?;
    }
    out.end();
    out.begin("INODE_DIR");
    for at in 0..dirs {
        let place = scattered(at, dirs);
        let subs = (place * 10 + 1..=place * 10 + 10).take_while(|sub| *sub < dirs).map(|sub| ROOT + sub);
        let own = (place..files).step_by(dirs as usize).map(|file| first_file + file);
        out.message(&children(ROOT + place, subs.chain(own)))?;
    }
    out.end();
    out.finish()?;
    println!("{total} inodes in {dirs} directories");
    Ok(())
}

/// A permutation of `0..total`: each number once, in no useful order.
fn scattered(at: u64, total: u64) -> u64 {
    let mut step = (total / 2 + total / 7) | 1;
    while common(step, total) != 1 {
        step += 2;
    }
    (at * step) % total
}

fn common(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common(b, a % b) }
}
