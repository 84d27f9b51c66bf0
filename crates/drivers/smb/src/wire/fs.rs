//! What a volume tells of itself ([MS-FSCC] 2.5).

use super::cursor::{Malformed, Reader};
use crate::names;

/// `FileFsVolumeInformation` ([MS-FSCC] 2.5.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Volume {
    pub created: u64,
    pub serial: u32,
    pub label: String,
}

impl Volume {
    pub fn decode(raw: &[u8]) -> Result<Self, Malformed> {
        let mut at = Reader::new(raw);
        let created = at.u64()?;
        let serial = at.u32()?;
        let len = at.size()?;
        at.skip(2)?;
        // A label that was cut to fit does no harm.
        Ok(Self { created, serial, label: names::text(at.rest().get(..len).unwrap_or(at.rest())) })
    }
}

/// `FileFsAttributeInformation` ([MS-FSCC] 2.5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FsAttributes {
    pub attributes: u32,
    pub max_name: u32,
    pub name: String,
}

impl FsAttributes {
    pub fn decode(raw: &[u8]) -> Result<Self, Malformed> {
        let mut at = Reader::new(raw);
        let attributes = at.u32()?;
        let max_name = at.u32()?;
        let len = at.size()?;
        Ok(Self { attributes, max_name, name: names::text(at.rest().get(..len).unwrap_or(at.rest())) })
    }
}

/// `FileFsFullSizeInformation` ([MS-FSCC] 2.5.4), in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FullSize {
    /// Of the volume, or of the caller's quota.
    pub total: u64,
    /// Free for the caller, whose quota counts.
    pub available: u64,
    /// Free on the volume.
    pub free: u64,
}

impl FullSize {
    pub fn decode(raw: &[u8]) -> Result<Self, Malformed> {
        let mut at = Reader::new(raw);
        let (total, available, free) = (at.u64()?, at.u64()?, at.u64()?);
        let sectors = u64::from(at.u32()?);
        let unit = sectors.saturating_mul(u64::from(at.u32()?));
        let bytes = |units: u64| units.saturating_mul(unit);
        Ok(Self { total: bytes(total), available: bytes(available), free: bytes(free) })
    }
}
