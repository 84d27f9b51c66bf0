//! Quotas: of a volume ([MS-FSCC] 2.5.2) and of its users ([MS-SMB2] 2.2.37.1, [MS-FSCC] 2.4.41). All sizes are bytes.

use super::{
    cursor::{Malformed, Reader, Writer, chained, len32},
    file::OpenId,
    header::HEADER,
};
use std::fmt::Write as _;

/// The index of quotas, which is opened like a file, below the root of every NTFS volume.
pub(crate) const INDEX: &str = r"$Extend\$Quota:$Q:$INDEX_ALLOCATION";

/// Bytes are counted for each user.
const TRACK: u32 = 1;
/// And more than the limit is refused.
const ENFORCE: u32 = 2;
/// No limit.
const NONE: u64 = u64::MAX;

/// `FileFsControlInformation` ([MS-FSCC] 2.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Control {
    pub tracked: bool,
    pub enforced: bool,
    /// Of whoever has none of his own; `None` for no limit.
    pub default_warning: Option<u64>,
    pub default_limit: Option<u64>,
}

impl Control {
    pub fn decode(raw: &[u8]) -> Result<Self, Malformed> {
        let mut at = Reader::new(raw);
        at.skip(24)?; // content indexing
        let (warning, limit) = (at.u64()?, at.u64()?);
        let flags = at.u32()?;
        Ok(Self {
            tracked: flags & (TRACK | ENFORCE) != 0,
            enforced: flags & ENFORCE != 0,
            default_warning: bound(warning),
            default_limit: bound(limit),
        })
    }
}

/// What one user has and may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserQuota {
    /// `S-1-5-21-…`
    pub sid: String,
    /// Bytes that belong to the user.
    pub used: u64,
    /// Bytes from which on the server warns.
    pub warning: Option<u64>,
    /// Most bytes that the user may have.
    pub limit: Option<u64>,
}

/// The body of QUERY_INFO for the quotas of all users, some at a time.
pub(crate) fn request(index: &OpenId, restart: bool, room: u32) -> Vec<u8> {
    let mut input = Writer::default();
    input.u8(0).u8(u8::from(restart)).u16(0).u32(0).u32(0).u32(0);
    let input = input.done();
    let mut out = Writer::default();
    out.u16(41).u8(4).u8(0).u32(room).u16(104).u16(0).u32(len32(input.len())).u32(0).u32(0).bytes(index);
    debug_assert_eq!(HEADER + out.0.len(), 104);
    out.bytes(&input);
    out.done()
}

/// `FILE_QUOTA_INFORMATION` entries ([MS-FSCC] 2.4.41).
pub(crate) fn users(raw: &[u8]) -> Result<Vec<UserQuota>, Malformed> {
    let user = |at: &mut Reader<'_>| {
        let len = at.size()?;
        at.skip(8)?; // when it was changed
        let (used, warning, limit) = (at.u64()?, at.u64()?, at.u64()?);
        let sid = sid(at.bytes(len)?)?;
        Ok(UserQuota { sid, used, warning: bound(warning), limit: bound(limit) })
    };
    chained(raw, user).collect()
}

fn bound(limit: u64) -> Option<u64> {
    (limit != NONE).then_some(limit)
}

/// A security identifier as people write it ([MS-DTYP] 2.4.2).
fn sid(raw: &[u8]) -> Result<String, Malformed> {
    let mut at = Reader::new(raw);
    let (revision, count) = (at.u8()?, at.u8()?);
    if revision != 1 || count > 15 {
        return Err(Malformed("a security identifier has an unknown form"));
    }
    let authority = at.array::<6>()?.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    let mut text = format!("S-1-{authority}");
    for _ in 0..count {
        write!(text, "-{}", at.u32()?).expect("a String takes everything");
    }
    Ok(text)
}

/// The quotas of two users, as Samba and Windows lay them out.
#[cfg(test)]
pub(crate) fn sample() -> Vec<u8> {
    let mut out = Writer::default();
    let sid = |last: u32| {
        let mut sid = Writer::default();
        sid.u8(1).u8(2).bytes(&[0, 0, 0, 0, 0, 5]).u32(21).u32(last);
        sid.done()
    };
    out.u32(56).u32(16).u64(0).u64(700).u64(800).u64(1000).bytes(&sid(500));
    out.u32(0).u32(16).u64(0).u64(7).u64(NONE).u64(NONE).bytes(&sid(501));
    out.done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_told_with_what_they_have() {
        let found = users(&sample()).unwrap();
        let of = |sid: &str, used, warning, limit| UserQuota { sid: sid.to_owned(), used, warning, limit };
        assert_eq!(found, [of("S-1-5-21-500", 700, Some(800), Some(1000)), of("S-1-5-21-501", 7, None, None)]);
        assert!(users(&[]).unwrap().is_empty());
    }

    #[test]
    fn broken_quotas_are_refused() {
        let good = sample();
        for end in (1..good.len()).filter(|end| *end != 56) {
            assert!(users(&good[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn the_control_of_a_volume_tells_its_default() {
        let mut out = Writer::default();
        out.zeros(24).u64(NONE).u64(5 << 30).u32(TRACK | ENFORCE).u32(0);
        let found = Control::decode(&out.done()).unwrap();
        let expected = Control { tracked: true, enforced: true, default_warning: None, default_limit: Some(5 << 30) };
        assert_eq!(found, expected);
    }
}
