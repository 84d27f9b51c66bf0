//! The string table: names of users, groups and attributes behind the numbers in inodes.
//!
//! Two forms. Up to Hadoop 3.0 (and 2.x) one numbering serves all; since HDFS-11471 (`maskBits` above 0) each kind
//! of name has its own numbers, and the top bits of an entry's id tell the kind (`SerialNumberManager`: 0 global,
//! 1 user, 2 group, 3 attribute). Inodes carry the number without these bits in either form.

use crate::{
    failure::{Outcome, corrupt, misread},
    messages::Messages,
    summary::Image,
    wire::Fields,
};
use std::collections::HashMap;

const SECTION: &str = "STRING_TABLE";
/// Most bytes of names taken: a number has 24 bits in an inode, and few clusters have a thousand names.
const MAX_BYTES: usize = 256 << 20;

/// What a name is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    User,
    Group,
    Xattr,
}

/// The names of an image.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    mask_bits: u32,
    names: HashMap<u32, Box<str>>,
}

impl Strings {
    pub(crate) fn read(image: &Image) -> Outcome<Self> {
        let Some(section) = image.section(SECTION) else { return Ok(Self::default()) };
        let mut messages = Messages::open(image, section);
        let wrong = misread(SECTION);
        let mut strings = Self::default();
        let Some(head) = messages.next()? else { return Err(corrupt(SECTION, "it is empty")) };
        let mut fields = Fields(head);
        let mut count = 0;
        while let Some((field, value)) = fields.next().map_err(&wrong)? {
            match field {
                1 => count = value.number32().map_err(&wrong)?,
                2 => strings.mask_bits = value.number32().map_err(&wrong)?,
                _ => {}
            }
        }
        if strings.mask_bits > 8 {
            return Err(corrupt(SECTION, format!("{} bits for the kind of a name", strings.mask_bits)));
        }
        let mut bytes = 0;
        for _ in 0..count {
            let entry = messages.next()?.ok_or_else(|| corrupt(SECTION, "it holds fewer names than it says"))?;
            let mut fields = Fields(entry);
            let (mut id, mut name) = (0, &[][..]);
            while let Some((field, value)) = fields.next().map_err(&wrong)? {
                match field {
                    1 => id = value.number32().map_err(&wrong)?,
                    2 => name = value.bytes().map_err(&wrong)?,
                    _ => {}
                }
            }
            bytes += name.len() + 64;
            if bytes > MAX_BYTES {
                return Err(corrupt(SECTION, "more than 256 MiB of names"));
            }
            strings.names.insert(id, String::from_utf8_lossy(name).into());
        }
        Ok(strings)
    }

    /// The name behind a number of an inode.
    pub(crate) fn get(&self, of: Of, number: u32) -> Option<&str> {
        let kind: u32 = match of {
            Of::User => 1,
            Of::Group => 2,
            Of::Xattr => 3,
        };
        let id = match self.mask_bits {
            0 => number,
            bits => number | kind.checked_shl(32 - bits)?,
        };
        self.names.get(&id).map(|name| &**name)
    }

    /// User, group and mode of a permission (`INodeWithAdditionalFields.PermissionStatusFormat`: 16 bits of mode,
    /// 24 of group, 24 of user).
    pub(crate) fn permission(&self, raw: u64) -> (Option<&str>, Option<&str>, u32) {
        let bits = |from: u32| u32::try_from((raw >> from) & 0xFF_FFFF).expect("24 bits fit");
        (self.get(Of::User, bits(40)), self.get(Of::Group, bits(16)), bits(0) & 0o7777)
    }
}
