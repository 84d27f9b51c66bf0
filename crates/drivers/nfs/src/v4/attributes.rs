//! Attributes of NFSv4.1 (RFC 8881, section 5.8) off the wire: which bits are asked for, and what comes back.

use crate::xdr::{Decoded, Malformed, Reader, Writer};
use bytes::Bytes;
use model::{Principal, Timestamp};

/// Longest file handle (`NFS4_FHSIZE`).
pub(crate) const HANDLE_MAX: usize = 128;
/// Longest owner that is taken. The protocol sets no limit; Linux sends at most 128 bytes (`IDMAP_NAMESZ`).
const OWNER_MAX: usize = 4096;
/// Words of a bitmap that are looked at. NFSv4.2 uses three.
const WORDS: usize = 4;

/// Attribute numbers (RFC 8881, sections 5.8.1 and 5.8.2).
pub(crate) mod bit {
    pub const SUPPORTED_ATTRS: u32 = 0;
    pub const TYPE: u32 = 1;
    pub const CHANGE: u32 = 3;
    pub const SIZE: u32 = 4;
    pub const LINK_SUPPORT: u32 = 5;
    pub const SYMLINK_SUPPORT: u32 = 6;
    pub const FSID: u32 = 8;
    pub const LEASE_TIME: u32 = 10;
    pub const RDATTR_ERROR: u32 = 11;
    pub const ACL: u32 = 12;
    pub const ACL_SUPPORT: u32 = 13;
    pub const CASE_INSENSITIVE: u32 = 16;
    pub const FILEHANDLE: u32 = 19;
    pub const FILEID: u32 = 20;
    pub const FILES_AVAIL: u32 = 21;
    pub const FILES_FREE: u32 = 22;
    pub const FILES_TOTAL: u32 = 23;
    pub const FS_LOCATIONS: u32 = 24;
    pub const MAX_FILE_SIZE: u32 = 27;
    pub const MAX_LINK: u32 = 28;
    pub const MAX_NAME: u32 = 29;
    pub const MAX_READ: u32 = 30;
    pub const MAX_WRITE: u32 = 31;
    pub const MODE: u32 = 33;
    pub const NUM_LINKS: u32 = 35;
    pub const OWNER: u32 = 36;
    pub const OWNER_GROUP: u32 = 37;
    pub const RAW_DEV: u32 = 41;
    pub const SPACE_AVAIL: u32 = 42;
    pub const SPACE_FREE: u32 = 43;
    pub const SPACE_TOTAL: u32 = 44;
    pub const SPACE_USED: u32 = 45;
    pub const TIME_ACCESS: u32 = 47;
    pub const TIME_CREATE: u32 = 50;
    pub const TIME_DELTA: u32 = 51;
    pub const TIME_METADATA: u32 = 52;
    pub const TIME_MODIFY: u32 = 53;
    pub const MOUNTED_ON_FILEID: u32 = 55;
}

/// A set of attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bitmap([u32; WORDS]);

impl Bitmap {
    pub const fn of(bits: &[u32]) -> Self {
        let mut words = [0; WORDS];
        let mut at = 0;
        while at < bits.len() {
            words[(bits[at] / 32) as usize] |= 1 << (bits[at] % 32);
            at += 1;
        }
        Self(words)
    }
    pub const fn has(self, bit: u32) -> bool {
        self.0[(bit / 32) as usize] & (1 << (bit % 32)) != 0
    }
    #[must_use]
    pub const fn with(mut self, bit: u32) -> Self {
        self.0[(bit / 32) as usize] |= 1 << (bit % 32);
        self
    }
    pub fn write(self, to: &mut Writer) {
        let used = WORDS - self.0.iter().rev().take_while(|word| **word == 0).count();
        to.u32(u32::try_from(used).expect("at most 4"));
        for word in &self.0[..used] {
            to.u32(*word);
        }
    }
    fn read(from: &mut Reader<'_>) -> Decoded<Self> {
        let mut words = [0; WORDS];
        for at in 0..from.count(4)? {
            let word = from.u32()?;
            match words.get_mut(at) {
                Some(place) => *place = word,
                None if word == 0 => {}
                None => return Err(Malformed("a bitmap holds attributes that nobody knows")),
            }
        }
        Ok(Self(words))
    }
    fn bits(self) -> impl Iterator<Item = u32> {
        (0_u32..)
            .zip(self.0)
            .flat_map(|(at, word)| (0..32).filter(move |bit| word & (1 << bit) != 0).map(move |bit| at * 32 + bit))
    }
}

/// What a server told of a file, of its file system, and of itself. Absent is what it did not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub supported: Option<Bitmap>,
    /// `nfs_ftype4`: 1 is a regular file, 2 a directory, …
    pub kind: Option<u32>,
    pub change: Option<u64>,
    pub size: Option<u64>,
    pub hard_links: Option<bool>,
    pub symlinks: Option<bool>,
    pub fsid: Option<(u64, u64)>,
    /// Seconds.
    pub lease_time: Option<u32>,
    /// Why a READDIR has no attributes of this entry.
    pub error: Option<u32>,
    /// `nfsace4<>` as it came.
    pub acl: Option<Bytes>,
    pub acl_support: Option<u32>,
    pub case_insensitive: Option<bool>,
    pub handle: Option<Bytes>,
    pub fileid: Option<u64>,
    pub files_free: Option<u64>,
    pub files_total: Option<u64>,
    pub locations: Option<Locations>,
    pub max_file_size: Option<u64>,
    pub max_link: Option<u32>,
    pub max_name: Option<u32>,
    pub max_read: Option<u64>,
    pub max_write: Option<u64>,
    pub mode: Option<u32>,
    pub links: Option<u32>,
    pub owner: Option<Principal>,
    pub group: Option<Principal>,
    /// Major, minor.
    pub device: Option<(u32, u32)>,
    pub space_avail: Option<u64>,
    pub space_free: Option<u64>,
    pub space_total: Option<u64>,
    pub space_used: Option<u64>,
    pub accessed: Option<Timestamp>,
    pub created: Option<Timestamp>,
    pub time_delta: Option<Timestamp>,
    pub modified: Option<Timestamp>,
}

/// Where a file system really is (`fs_locations4`): server and path of each, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Locations(pub Vec<String>);

impl Attributes {
    /// Reads a `fattr4`. An attribute that nobody knows cannot be skipped, so it makes the answer useless; a
    /// server tells only what it is asked for.
    pub fn read(from: &mut Reader<'_>) -> Decoded<Self> {
        let told = Bitmap::read(from)?;
        let mut values = Reader(from.opaque(usize::MAX)?);
        let mut attributes = Self::default();
        for attribute in told.bits() {
            attributes.value(attribute, &mut values)?;
        }
        if values.0.is_empty() { Ok(attributes) } else { Err(Malformed("attributes are followed by more bytes")) }
    }

    fn value(&mut self, attribute: u32, from: &mut Reader<'_>) -> Decoded<()> {
        match attribute {
            bit::SUPPORTED_ATTRS => self.supported = Some(Bitmap::read(from)?),
            bit::TYPE => self.kind = Some(from.u32()?),
            bit::CHANGE => self.change = Some(from.u64()?),
            bit::SIZE => self.size = Some(from.u64()?),
            bit::LINK_SUPPORT => self.hard_links = Some(from.bool()?),
            bit::SYMLINK_SUPPORT => self.symlinks = Some(from.bool()?),
            bit::FSID => self.fsid = Some((from.u64()?, from.u64()?)),
            bit::LEASE_TIME => self.lease_time = Some(from.u32()?),
            // Servers say that there is no error, too.
            bit::RDATTR_ERROR => self.error = Some(from.u32()?).filter(|status| *status != 0),
            bit::ACL => self.acl = Some(acl(from)?),
            bit::ACL_SUPPORT => self.acl_support = Some(from.u32()?),
            bit::CASE_INSENSITIVE => self.case_insensitive = Some(from.bool()?),
            bit::FILEHANDLE => self.handle = Some(Bytes::copy_from_slice(from.opaque(HANDLE_MAX)?)),
            bit::FILEID => self.fileid = Some(from.u64()?),
            // The field of `mounted_on_fileid` is used by none: the entry is the root of what is mounted there.
            bit::FILES_AVAIL | bit::MOUNTED_ON_FILEID => drop(from.u64()?),
            bit::FILES_FREE => self.files_free = Some(from.u64()?),
            bit::FILES_TOTAL => self.files_total = Some(from.u64()?),
            bit::FS_LOCATIONS => self.locations = Some(locations(from)?),
            bit::MAX_FILE_SIZE => self.max_file_size = Some(from.u64()?),
            bit::MAX_LINK => self.max_link = Some(from.u32()?),
            bit::MAX_NAME => self.max_name = Some(from.u32()?),
            bit::MAX_READ => self.max_read = Some(from.u64()?),
            bit::MAX_WRITE => self.max_write = Some(from.u64()?),
            bit::MODE => self.mode = Some(from.u32()?),
            bit::NUM_LINKS => self.links = Some(from.u32()?),
            bit::OWNER => self.owner = Some(principal(from.opaque(OWNER_MAX)?)),
            bit::OWNER_GROUP => self.group = Some(principal(from.opaque(OWNER_MAX)?)),
            bit::RAW_DEV => self.device = Some((from.u32()?, from.u32()?)),
            bit::SPACE_AVAIL => self.space_avail = Some(from.u64()?),
            bit::SPACE_FREE => self.space_free = Some(from.u64()?),
            bit::SPACE_TOTAL => self.space_total = Some(from.u64()?),
            bit::SPACE_USED => self.space_used = Some(from.u64()?),
            bit::TIME_ACCESS => self.accessed = Some(time(from)?),
            bit::TIME_CREATE => self.created = Some(time(from)?),
            bit::TIME_DELTA => self.time_delta = Some(time(from)?),
            bit::TIME_METADATA => drop(time(from)?),
            bit::TIME_MODIFY => self.modified = Some(time(from)?),
            _ => return Err(Malformed("an attribute came that was not asked for")),
        }
        Ok(())
    }
}

/// Seconds are signed and 64 bits wide (RFC 8881, section 3.3.1): from before 1970 to the end of time.
pub(crate) fn time(from: &mut Reader<'_>) -> Decoded<Timestamp> {
    Ok(Timestamp { secs: from.i64()?, nanos: from.u32()?.min(999_999_999) })
}

/// A number where the server does not map ids to names (RFC 8881, section 5.9), else the name as it came.
fn principal(raw: &[u8]) -> Principal {
    let canonical = raw == b"0" || raw.first().is_some_and(|first| (b'1'..=b'9').contains(first));
    let id = std::str::from_utf8(raw).ok().filter(|_| canonical).and_then(|text| text.parse().ok());
    id.map_or_else(|| Principal::Name(String::from_utf8_lossy(raw).into_owned()), Principal::Id)
}

/// The list as it came, once it is known to be one.
fn acl(from: &mut Reader<'_>) -> Decoded<Bytes> {
    let all = from.0;
    for _ in 0..from.count(16)? {
        from.raw(12)?;
        from.opaque(OWNER_MAX)?;
    }
    Ok(Bytes::copy_from_slice(&all[..all.len() - from.0.len()]))
}

/// Places of a file system that are kept: they are for people. Every server of a place is told with the place's path,
/// so that a short answer could else take memory without end.
const PLACES: usize = 16;
/// Longest path of a place, and longest name of a server, bytes.
const PATH_MAX: usize = 4096;
const SERVER_MAX: usize = 1024;

fn locations(from: &mut Reader<'_>) -> Decoded<Locations> {
    path(from)?;
    let mut found = Vec::new();
    for _ in 0..from.count(8)? {
        let mut servers = Vec::new();
        for _ in 0..from.count(4)? {
            let server = from.opaque(SERVER_MAX)?;
            if found.len() + servers.len() < PLACES {
                servers.push(String::from_utf8_lossy(server).into_owned());
            }
        }
        let path = path(from)?;
        found.extend(servers.into_iter().map(|server| format!("{server}:{path}")));
    }
    Ok(Locations(found))
}

/// A `pathname4`: its components, as text for people.
fn path(from: &mut Reader<'_>) -> Decoded<String> {
    let (mut text, mut len) = (String::new(), 0);
    for _ in 0..from.count(4)? {
        let name = from.opaque(PATH_MAX)?;
        len += 1 + name.len();
        if len > PATH_MAX {
            return Err(Malformed("a path that is longer than any"));
        }
        text.push('/');
        text.push_str(&model::RelPath::from(name).to_string());
    }
    Ok(if text.is_empty() { "/".to_owned() } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fattr(bits: &[u32], values: impl FnOnce(&mut Writer)) -> Bytes {
        let mut body = Writer::default();
        values(&mut body);
        let mut raw = Writer::default();
        Bitmap::of(bits).write(&mut raw);
        raw.opaque(&body.into_bytes());
        raw.into_bytes()
    }

    #[test]
    fn times_before_1970_and_after_2106_come_through() {
        let raw = fattr(&[bit::TIME_ACCESS, bit::TIME_MODIFY], |w| {
            w.fixed(&(-315_619_200_i64).to_be_bytes()).u32(7).u64(1 << 33).u32(999_999_999);
        });
        let told = Attributes::read(&mut Reader(&raw)).unwrap();
        assert_eq!(told.accessed, Some(Timestamp { secs: -315_619_200, nanos: 7 }));
        assert_eq!(told.modified, Some(Timestamp { secs: 1 << 33, nanos: 999_999_999 }));
    }

    #[test]
    fn an_owner_is_a_number_only_where_it_is_written_as_one() {
        for (text, expected) in [("0", Some(0)), ("1000", Some(1000)), ("4294967295", Some(u32::MAX))] {
            assert_eq!(Some(principal(text.as_bytes())), expected.map(Principal::Id), "{text}");
        }
        for text in ["007", "+1", "4294967296", "", "anna@example.org", "1000@example.org"] {
            assert_eq!(principal(text.as_bytes()), Principal::Name(text.to_owned()));
        }
    }

    #[test]
    fn what_was_not_asked_for_or_does_not_end_where_it_says_is_refused() {
        let raw = fattr(&[bit::TYPE, 14], |w| {
            w.u32(1).u32(1);
        });
        assert!(Attributes::read(&mut Reader(&raw)).is_err());
        let raw = fattr(&[bit::TYPE], |w| {
            w.u32(1).u32(1);
        });
        assert!(Attributes::read(&mut Reader(&raw)).is_err());
    }

    #[test]
    fn a_referral_tells_every_place() {
        let raw = fattr(&[bit::FS_LOCATIONS], |w| {
            w.u32(1)
                .opaque(b"here")
                .u32(1)
                .u32(2)
                .opaque(b"a.example")
                .opaque(b"b.example")
                .u32(2)
                .opaque(b"x")
                .opaque(b"\xff");
        });
        let told = Attributes::read(&mut Reader(&raw)).unwrap().locations.unwrap();
        assert_eq!(told.0, ["a.example:/x/\\xFF", "b.example:/x/\\xFF"]);
    }

    #[test]
    fn an_acl_is_kept_as_it_came() {
        let raw = fattr(&[bit::ACL], |w| {
            w.u32(1).u32(0).u32(0).u32(0x0016_01ff).opaque(b"OWNER@");
        });
        let told = Attributes::read(&mut Reader(&raw)).unwrap().acl.unwrap();
        assert_eq!(told.len(), 4 + 12 + 4 + 8);
        assert!(told.ends_with(b"OWNER@\0\0"));
    }
}
