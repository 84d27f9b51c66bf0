//! Objects and unfinished uploads on disk, with an index in memory.
//!
//! ```text
//! <root>/<bucket>/objects/<sha256 of the key>.json   what the object is, and which file holds its bytes
//! <root>/<bucket>/objects/<unique>.data              its bytes
//! <root>/<bucket>/uploads/<id>.json                  an unfinished upload in parts
//! <root>/<bucket>/uploads/<id>.<part>.json|.data     a part of it
//! ```
//!
//! A key never becomes a file name, so `a//b`, `dir/` and 1,024 bytes of anything are keys like others. The
//! rename of the `.json` is what publishes. Nothing is synced: this is for a demo, not for keeping data.

use super::checksums::Checksums;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// An object as HEAD and LIST describe it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Bytes of content.
    pub size: u64,
    /// Entity tag without quotes.
    pub etag: String,
    /// Milliseconds since the epoch.
    pub modified_ms: u64,
    /// Media type, as it was sent.
    pub content_type: Option<String>,
    /// Storage class, as it was sent.
    pub storage_class: Option<String>,
    /// User metadata: names without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
    /// Checksums over the whole content.
    pub checksums: Checksums,
    /// Name of the file that holds the bytes.
    pub file: String,
}

impl Object {
    /// When it was written.
    pub fn modified(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.modified_ms)
    }
}

/// An unfinished upload in parts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Multipart {
    /// What it will be; size, entity tag, checksums and file are set at the end.
    pub object: Object,
    /// The parts that arrived.
    #[serde(skip)]
    pub parts: BTreeMap<i32, Piece>,
}

/// Bytes that arrived.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Piece {
    /// How many.
    pub size: u64,
    /// Their MD5.
    pub md5: [u8; 16],
    /// Checksums to keep of them.
    pub checksums: Checksums,
    /// Name of the file that holds them.
    pub file: String,
    /// Milliseconds since the epoch.
    pub modified_ms: u64,
}

/// One bucket.
#[derive(Debug, Default)]
pub struct Bucket {
    /// Objects in the order of their keys.
    pub objects: BTreeMap<String, Arc<Object>>,
    /// Unfinished uploads by id.
    pub uploads: BTreeMap<String, Multipart>,
}

/// A page of a listing.
#[derive(Debug, Default)]
pub struct Listing {
    /// Objects, in order.
    pub objects: Vec<Arc<Object>>,
    /// Prefixes up to the delimiter, in order.
    pub prefixes: Vec<String>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<String>,
}

/// All buckets.
#[derive(Debug)]
pub struct Shelf {
    root: PathBuf,
    buckets: RwLock<BTreeMap<String, Bucket>>,
    counter: AtomicU64,
}

impl Shelf {
    /// Opens what is in the folder; makes it where it is missing.
    pub fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        let mut buckets = BTreeMap::new();
        for entry in fs::read_dir(root)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                buckets.insert(name, load(&entry.path())?);
            }
        }
        Ok(Self { root: root.to_owned(), buckets: RwLock::new(buckets), counter: AtomicU64::new(0) })
    }

    /// Makes a bucket; false when it is there already.
    pub fn create_bucket(&self, name: &str) -> io::Result<bool> {
        let mut buckets = self.write();
        if buckets.contains_key(name) {
            return Ok(false);
        }
        for folder in ["objects", "uploads"] {
            fs::create_dir_all(self.root.join(name).join(folder))?;
        }
        buckets.insert(name.to_owned(), Bucket::default());
        Ok(true)
    }

    /// The buckets, to look at.
    pub fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, Bucket>> {
        self.buckets.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The buckets, to change.
    pub fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Bucket>> {
        self.buckets.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name that nobody had before.
    pub fn unique(&self) -> String {
        let serial = self.counter.fetch_add(1, Ordering::Relaxed);
        let seed = format!("{:?} {} {serial}", SystemTime::now(), std::process::id());
        hex(&Sha256::digest(seed.as_bytes())[..16])
    }

    /// Where an object's bytes are.
    pub fn object_file(&self, bucket: &str, file: &str) -> PathBuf {
        self.root.join(bucket).join("objects").join(file)
    }

    /// Where a part's bytes are.
    pub fn part_file(&self, bucket: &str, file: &str) -> PathBuf {
        self.root.join(bucket).join("uploads").join(file)
    }

    /// Publishes an object whose bytes are on disk already, and removes the bytes of the one it replaces.
    pub fn publish(&self, bucket_name: &str, bucket: &mut Bucket, object: Object) -> io::Result<Arc<Object>> {
        save(&self.record(bucket_name, &object.key), &object)?;
        let object = Arc::new(object);
        if let Some(old) = bucket.objects.insert(object.key.clone(), Arc::clone(&object)) {
            fs::remove_file(self.object_file(bucket_name, &old.file))?;
        }
        Ok(object)
    }

    /// Removes an object; nothing happens where there is none.
    pub fn remove(&self, bucket_name: &str, bucket: &mut Bucket, key: &str) -> io::Result<()> {
        let Some(old) = bucket.objects.remove(key) else { return Ok(()) };
        fs::remove_file(self.record(bucket_name, key))?;
        fs::remove_file(self.object_file(bucket_name, &old.file))
    }

    /// Remembers a new upload in parts.
    pub fn begin(&self, bucket_name: &str, bucket: &mut Bucket, object: Object) -> io::Result<String> {
        let id = self.unique();
        let upload = Multipart { object, parts: BTreeMap::new() };
        save(&self.part_file(bucket_name, &format!("{id}.json")), &upload)?;
        bucket.uploads.insert(id.clone(), upload);
        Ok(id)
    }

    /// Remembers a part whose bytes are on disk already.
    pub fn add_part(&self, bucket: &str, id: &str, upload: &mut Multipart, number: i32, part: Piece) -> io::Result<()> {
        save(&self.part_file(bucket, &format!("{id}.{number}.json")), &part)?;
        match upload.parts.insert(number, part) {
            Some(old) => fs::remove_file(self.part_file(bucket, &old.file)),
            None => Ok(()),
        }
    }

    /// Forgets an upload in parts and its bytes.
    pub fn forget(&self, bucket_name: &str, bucket: &mut Bucket, id: &str) -> io::Result<()> {
        let Some(upload) = bucket.uploads.remove(id) else { return Ok(()) };
        fs::remove_file(self.part_file(bucket_name, &format!("{id}.json")))?;
        for (number, part) in upload.parts {
            fs::remove_file(self.part_file(bucket_name, &format!("{id}.{number}.json")))?;
            fs::remove_file(self.part_file(bucket_name, &part.file))?;
        }
        Ok(())
    }

    fn record(&self, bucket: &str, key: &str) -> PathBuf {
        self.object_file(bucket, &format!("{}.json", hex(&Sha256::digest(key.as_bytes()))))
    }
}

impl Bucket {
    /// Keys that start with `prefix` and come after `after`; those with `delimiter` behind the prefix are
    /// folded into one prefix each.
    pub fn list(&self, prefix: &str, delimiter: Option<&str>, after: Option<&str>, limit: usize) -> Listing {
        let mut page = Listing::default();
        let mut last = None;
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        for (key, object) in self.objects.range::<str, _>((start, Bound::Unbounded)) {
            let Some(rest) = key.strip_prefix(prefix) else { break };
            let folded = delimiter.and_then(|d| rest.find(d).map(|at| &key[..prefix.len() + at + d.len()]));
            if folded.is_some_and(|f| after == Some(f) || page.prefixes.last().is_some_and(|p| p == f)) {
                continue;
            }
            if page.objects.len() + page.prefixes.len() == limit {
                page.next = last;
                break;
            }
            last = Some(folded.unwrap_or(key).to_owned());
            match folded {
                Some(folded) => page.prefixes.push(folded.to_owned()),
                None => page.objects.push(Arc::clone(object)),
            }
        }
        page
    }
}

/// Milliseconds since the epoch.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Lower-case hexadecimal.
pub fn hex(raw: &[u8]) -> String {
    use std::fmt::Write as _;
    raw.iter().fold(String::with_capacity(2 * raw.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

fn save(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    fs::write(&draft, serde_json::to_vec(value)?)?;
    fs::rename(draft, path)
}

/// Reads a bucket from disk, and removes bytes that no record names: writes that were cut off.
fn load(folder: &Path) -> io::Result<Bucket> {
    let mut bucket = Bucket::default();
    let mut named = BTreeSet::new();
    for (_, object) in records::<Object>(&folder.join("objects"), |_| true)? {
        named.insert(object.file.clone());
        bucket.objects.insert(object.key.clone(), Arc::new(object));
    }
    sweep(&folder.join("objects"), &named)?;

    named.clear();
    bucket.uploads = records::<Multipart>(&folder.join("uploads"), |stem| !stem.contains('.'))?.into_iter().collect();
    for (stem, part) in records::<Piece>(&folder.join("uploads"), |stem| stem.contains('.'))? {
        let upload = stem.split_once('.').and_then(|(id, number)| Some((id, number.parse().ok()?)));
        if let Some((id, number)) = upload
            && let Some(upload) = bucket.uploads.get_mut(id)
        {
            named.insert(part.file.clone());
            upload.parts.insert(number, part);
        }
    }
    sweep(&folder.join("uploads"), &named)?;
    Ok(bucket)
}

fn records<T: DeserializeOwned>(folder: &Path, wanted: impl Fn(&str) -> bool) -> io::Result<Vec<(String, T)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(stem) = name.strip_suffix(".json")
            && wanted(stem)
        {
            found.push((stem.to_owned(), serde_json::from_slice(&fs::read(entry.path())?)?));
        }
    }
    Ok(found)
}

#[expect(clippy::case_sensitive_file_extension_comparisons, reason = "the names are ours")]
fn sweep(folder: &Path, named: &BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let leftover = name.ends_with(".new") || (name.ends_with(".data") && !named.contains(&name));
        if leftover {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(keys: &[&str]) -> Bucket {
        let object = |key: &&str| Object {
            key: (*key).to_owned(),
            size: 0,
            etag: String::new(),
            modified_ms: 0,
            content_type: None,
            storage_class: None,
            metadata: BTreeMap::new(),
            checksums: Checksums::default(),
            file: String::new(),
        };
        Bucket {
            objects: keys.iter().map(|key| ((*key).to_owned(), Arc::new(object(key)))).collect(),
            uploads: BTreeMap::new(),
        }
    }

    #[test]
    fn pages_of_a_folded_listing_show_every_key_and_prefix_once() {
        let bucket = bucket(&["a", "d/", "d//x", "d/a", "d/b", "e", "x/1"]);
        for limit in 1..6 {
            let (mut keys, mut prefixes, mut after) = (Vec::new(), Vec::new(), None::<String>);
            loop {
                let page = bucket.list("", Some("/"), after.as_deref(), limit);
                keys.extend(page.objects.iter().map(|o| o.key.clone()));
                prefixes.extend(page.prefixes);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(keys, ["a", "e"], "{limit}");
            assert_eq!(prefixes, ["d/", "x/"], "{limit}");
        }
        let below: Vec<_> = bucket.list("d/", None, None, 9).objects.iter().map(|o| o.key.clone()).collect();
        assert_eq!(below, ["d/", "d//x", "d/a", "d/b"]);
    }
}
