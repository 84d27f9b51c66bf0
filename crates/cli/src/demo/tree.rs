//! A share as it might be found: departments, odd ages, owners, and every kind of difficult name.
//!
//! The same number of files always makes the same tree, so a second run finds nothing new, and a run that was
//! cut off simply makes it again.

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};
use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write as _},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileExt as _, PermissionsExt as _, chown, symlink},
    },
    path::{Path, PathBuf},
};

/// 2025-09-01T00:00:00Z: no file is younger.
const YOUNGEST: i64 = 1_756_684_800;
/// Seconds of eight years: no ordinary file is older than this.
const AGES: u64 = 8 * 365 * 86_400;
/// The one large file, so that an upload in parts is part of the demo.
const LARGE: u64 = 40 << 20;

const DEPARTMENTS: [&str; 6] =
    ["engineering/drawings", "engineering/tests", "finance/invoices", "marketing/photos", "home/anna", "home/béla"];
const EXTENSIONS: [&str; 8] = ["pdf", "docx", "xlsx", "jpg", "csv", "log", "dwg", "txt"];

/// Makes the tree with about `files` files; `log` hears of names that the file system here cannot hold.
pub fn make(root: &Path, files: u32, log: &mut dyn FnMut(String)) -> io::Result<()> {
    let mut maker = Maker { root, owners: rustix::process::geteuid().is_root(), dirs: Vec::new() };
    for number in 0..files {
        maker.ordinary(number)?;
    }
    maker.large()?;
    maker.links()?;
    maker.odd_modes()?;
    for name in difficult_names() {
        if let Err(error) = maker.difficult(&name) {
            log(format!(
                "left out, the file system here cannot hold it: `{}` ({error})",
                model::RelPath::from(&name[..])
            ));
        }
    }
    maker.age_directories()
}

struct Maker<'a> {
    root: &'a Path,
    /// Files can be given to other owners.
    owners: bool,
    dirs: Vec<PathBuf>,
}

impl Maker<'_> {
    /// A file of a department: most are small, a few are not.
    fn ordinary(&mut self, number: u32) -> io::Result<()> {
        let mut dice = Dice(u64::from(number));
        let department = DEPARTMENTS[dice.below(6)];
        let extension = EXTENSIONS[dice.below(8)];
        let size = match dice.roll(1000) {
            0..20 => 0,
            20..620 => 200 + dice.roll(8_000),
            620..920 => 8_192 + dice.roll(56_000),
            920..997 => 65_536 + dice.roll(400_000),
            _ => (1 << 20) + dice.roll(2 << 20),
        };
        let folder = format!("{department}/{}/{:02}", 2018 + dice.roll(8), dice.roll(12) + 1);
        let path = self.directory(Path::new(&folder))?.join(format!("{extension}-{number:06}.{extension}"));
        write(&path, size, u64::from(number))?;
        self.own(&path, dice.roll(5), [0o640, 0o644, 0o600, 0o664][dice.below(4)])?;
        age(&path, YOUNGEST - seconds(dice.roll(AGES)), dice.roll(1_000_000_000))
    }

    fn large(&mut self) -> io::Result<()> {
        let path = self.directory(Path::new("marketing/film"))?.join("keynote 2024.mov");
        write(&path, LARGE, 4_000_000)?;
        age(&path, YOUNGEST - 86_400 * 300, 123_456_789)?;
        // Mostly a hole.
        let path = self.directory(Path::new("engineering/tests"))?.join("disk.img");
        let file = File::create(&path)?;
        file.set_len(2 << 20)?;
        file.write_all_at(b"boot", 0)?;
        age(&path, YOUNGEST - 86_400 * 1500, 1)
    }

    fn links(&mut self) -> io::Result<()> {
        let folder = self.directory(Path::new("links"))?;
        write(&folder.join("original.txt"), 1000, 5_000_000)?;
        age(&folder.join("original.txt"), YOUNGEST - 9_000_000, 999_999_999)?;
        for name in ["second name.txt", "third name.txt"] {
            again(fs::hard_link(folder.join("original.txt"), folder.join(name)))?;
        }
        let bytes = OsStr::from_bytes(b"../difficult names/\xFF\xFE");
        for (target, name) in [
            (OsStr::new("original.txt"), "to a file"),
            (OsStr::new("../engineering"), "to a directory"),
            (OsStr::new("nowhere/at all"), "to nothing"),
            (OsStr::new("/etc/hostname"), "to the outside"),
            (bytes, "to bytes that are no text"),
        ] {
            again(symlink(target, folder.join(name)))?;
            age(&folder.join(name), YOUNGEST - 8_000_000, 42)?;
        }
        self.directory(Path::new("empty/also empty"))?;
        Ok(())
    }

    fn odd_modes(&mut self) -> io::Result<()> {
        let folder = self.directory(Path::new("odd modes"))?;
        for (name, mode) in [("setuid", 0o4755), ("setgid", 0o2755), ("sticky", 0o1644), ("only mine", 0o400)] {
            let path = folder.join(name);
            if path.exists() {
                // A file without the right to write is made anew like any other.
                fs::remove_file(&path)?;
            }
            write(&path, 64, u64::from(mode))?;
            self.own(&path, 1, mode)?;
            // The oldest time that NFSv3 can tell, and the last nanosecond of a second.
            age(&path, 0, 999_999_999)?;
        }
        Ok(())
    }

    fn difficult(&mut self, name: &[u8]) -> io::Result<()> {
        let path = self.directory(Path::new("difficult names"))?.join(OsStr::from_bytes(name));
        if name.ends_with(b"/") {
            fs::create_dir_all(&path)?;
            write(&path.join("inside"), 10, 7)?;
            age(&path.join("inside"), YOUNGEST - 500, 500)?;
            self.dirs.push(path);
            return Ok(());
        }
        write(&path, 100 + name.len() as u64, 6_000_000 + name.len() as u64)?;
        age(&path, YOUNGEST - 100_000, 987_654_321)
    }

    fn directory(&mut self, below: &Path) -> io::Result<PathBuf> {
        let path = self.root.join(below);
        if !self.dirs.contains(&path) {
            fs::create_dir_all(&path)?;
            self.dirs.push(path.clone());
        }
        Ok(path)
    }

    /// Gives a file an owner where we may, then the mode: a change of owner takes setuid away.
    fn own(&self, path: &Path, who: u64, mode: u32) -> io::Result<()> {
        if self.owners {
            let id = 1000 + u32::try_from(who).unwrap_or(0);
            chown(path, Some(id), Some(id))?;
        }
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    }

    /// Last, because everything that is made in a directory changes its time.
    fn age_directories(&self) -> io::Result<()> {
        for dir in &self.dirs {
            let mut next = dir.as_path();
            while next.starts_with(self.root) {
                age(next, YOUNGEST - 3600, 1_000)?;
                let Some(parent) = next.parent() else { break };
                next = parent;
            }
        }
        Ok(())
    }
}

/// Names that copying programs stumble over. One that ends with `/` is a directory.
fn difficult_names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = [
        &b"\xFF\xFE invalid utf-8"[..],
        b"caf\xE9 latin-1.txt",
        b"dir \xFF with invalid utf-8/",
        b"new\nline",
        b"tab\tand\x01control",
        b" leading and trailing space ",
        b"trailing dot.",
        b"back\\slash",
        b"a:b*c?d\"e<f>g|h",
        b"CON",
        b"percent%2Fencoded%00",
        b"plus+and&amp;#hash;",
        b"-rf",
        b"~",
        b"...",
        b"emoji \xF0\x9F\x90\x8B",
        b"README",
        b"readme",
        b"ReadMe",
        // One word in two normal forms: two names.
        b"caf\xC3\xA9",
        b"cafe\xCC\x81",
        // Right-to-left override: looks like `gpj.exe` reversed.
        b"photo\xE2\x80\xAEgpj.exe",
        // What our own escape uses.
        b"\xE2\x90\x9B escape",
        b"\xED\xA0\x80 lone surrogate",
    ]
    .iter()
    .map(|name| name.to_vec())
    .collect();
    names.push([&[b'n'; 251][..], b".txt"].concat());
    names.push("ü".repeat(127).into_bytes());
    names
}

/// Content that is the same every time and does not compress to nothing.
fn write(path: &Path, size: u64, seed: u64) -> io::Result<()> {
    let mut out = io::BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut dice = Dice(seed ^ 0x5eed);
    let mut left = size;
    while left > 0 {
        let word = dice.next().to_le_bytes();
        let take = usize::try_from(left.min(8)).unwrap_or(8);
        out.write_all(&word[..take])?;
        left -= take as u64;
    }
    out.flush()
}

fn age(path: &Path, secs: i64, nanos: u64) -> io::Result<()> {
    let tv_nsec = i64::try_from(nanos).unwrap_or(0);
    let mtime = Timespec { tv_sec: secs, tv_nsec };
    // Read a day after it was written.
    let times = Timestamps { last_access: Timespec { tv_sec: secs + 86_400, tv_nsec }, last_modification: mtime };
    Ok(rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// A link that is there already is fine.
fn again(made: io::Result<()>) -> io::Result<()> {
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn seconds(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(0)
}

/// SplitMix64 (Steele, Lea and Flood 2014): a few lines, and the same numbers everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    fn roll(&mut self, sides: u64) -> u64 {
        self.next() % sides
    }
    fn below(&mut self, sides: usize) -> usize {
        usize::try_from(self.roll(sides as u64)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeMap, os::unix::fs::MetadataExt as _};

    fn snapshot(root: &Path, into: &mut BTreeMap<PathBuf, (u64, i64, i64, u32)>) {
        for entry in fs::read_dir(root).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            into.insert(path.clone(), (meta.size(), meta.mtime(), meta.mtime_nsec(), meta.mode()));
            if meta.is_dir() {
                snapshot(&path, into);
            }
        }
    }

    #[test]
    fn a_tree_that_is_made_again_is_the_same_tree() {
        let folder = tempfile::tempdir().unwrap();
        let (mut first, mut second) = (BTreeMap::new(), BTreeMap::new());
        make(folder.path(), 50, &mut |left_out| panic!("{left_out}")).unwrap();
        snapshot(folder.path(), &mut first);
        make(folder.path(), 50, &mut |_| {}).unwrap();
        snapshot(folder.path(), &mut second);
        assert!(first.len() > 100, "{}", first.len());
        assert_eq!(first, second);
    }
}
