//! Our own form of an inode on disk: about 35 bytes for a file without ACL and attributes.
//!
//! One byte for the kind, one for what else is there, then varints. It is written and read by one run of this
//! program and never kept.

use crate::wire::{WireError, put_varint, varint};

/// What an inode is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shape {
    #[default]
    File,
    Dir,
    Symlink,
}

/// An inode without its name. Times are milliseconds since 1970; names of users, groups and attributes are
/// numbers of the string table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) id: u64,
    pub(crate) shape: Shape,
    pub(crate) mtime: u64,
    pub(crate) atime: u64,
    pub(crate) permission: u64,
    pub(crate) size: u64,
    pub(crate) blocks: u64,
    pub(crate) block_size: u64,
    pub(crate) replication: u32,
    /// Storage policy of a file itself; 0 when it has none of its own.
    pub(crate) policy: u32,
    pub(crate) striped: bool,
    pub(crate) ec_policy: Option<u32>,
    /// Client and its machine of a file that is being written.
    pub(crate) open: Option<(Vec<u8>, Vec<u8>)>,
    pub(crate) name_quota: Option<u64>,
    pub(crate) space_quota: Option<u64>,
    pub(crate) type_quotas: Vec<(u32, u64)>,
    pub(crate) target: Vec<u8>,
    pub(crate) acl: Vec<u32>,
    pub(crate) xattrs: Vec<(u32, Vec<u8>)>,
}

const ACL: u8 = 1;
const XATTRS: u8 = 1 << 1;
const OPEN: u8 = 1 << 2;
const STRIPED: u8 = 1 << 3;
const EC: u8 = 1 << 4;
const QUOTA: u8 = 1 << 5;
const POLICY: u8 = 1 << 6;

impl Node {
    /// Appends the stored form.
    pub(crate) fn store(&self, to: &mut Vec<u8>) {
        let quota = self.name_quota.is_some() || self.space_quota.is_some() || !self.type_quotas.is_empty();
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = flag(!self.acl.is_empty(), ACL)
            | flag(!self.xattrs.is_empty(), XATTRS)
            | flag(self.open.is_some(), OPEN)
            | flag(self.striped, STRIPED)
            | flag(self.ec_policy.is_some(), EC)
            | flag(quota, QUOTA)
            | flag(self.policy != 0, POLICY);
        let kind = match self.shape {
            Shape::File => 1,
            Shape::Dir => 2,
            Shape::Symlink => 3,
        };
        to.extend_from_slice(&[kind, flags]);
        for number in [self.id, self.mtime, self.permission] {
            put_varint(to, number);
        }
        match self.shape {
            Shape::File => {
                for number in [self.atime, self.size, self.blocks, self.block_size, u64::from(self.replication)] {
                    put_varint(to, number);
                }
            }
            Shape::Dir => {}
            Shape::Symlink => {
                put_varint(to, self.atime);
                put_bytes(to, &self.target);
            }
        }
        if self.policy != 0 {
            put_varint(to, u64::from(self.policy));
        }
        if let Some(policy) = self.ec_policy {
            put_varint(to, u64::from(policy));
        }
        if let Some((client, machine)) = &self.open {
            put_bytes(to, client);
            put_bytes(to, machine);
        }
        if quota {
            // One more than the quota, 0 for none: a quota is below 2^63.
            for quota in [self.name_quota, self.space_quota] {
                put_varint(to, quota.map_or(0, |quota| quota + 1));
            }
            put_count(to, self.type_quotas.len());
            for (storage, quota) in &self.type_quotas {
                put_varint(to, u64::from(*storage));
                put_varint(to, *quota);
            }
        }
        if !self.acl.is_empty() {
            put_count(to, self.acl.len());
            self.acl.iter().for_each(|entry| put_varint(to, u64::from(*entry)));
        }
        if !self.xattrs.is_empty() {
            put_count(to, self.xattrs.len());
            for (name, value) in &self.xattrs {
                put_varint(to, u64::from(*name));
                put_bytes(to, value);
            }
        }
    }

    /// Reads the stored form.
    pub(crate) fn load(mut raw: &[u8]) -> Result<Self, WireError> {
        let from = &mut raw;
        let (shape, flags) = head(from)?;
        let mut node = Self { shape, ..Self::default() };
        for slot in [&mut node.id, &mut node.mtime, &mut node.permission] {
            *slot = varint(from)?;
        }
        match shape {
            Shape::File => {
                for slot in [&mut node.atime, &mut node.size, &mut node.blocks, &mut node.block_size] {
                    *slot = varint(from)?;
                }
                node.replication = number32(from)?;
            }
            Shape::Dir => {}
            Shape::Symlink => {
                node.atime = varint(from)?;
                node.target = bytes(from)?;
            }
        }
        node.striped = flags & STRIPED != 0;
        if flags & POLICY != 0 {
            node.policy = number32(from)?;
        }
        if flags & EC != 0 {
            node.ec_policy = Some(number32(from)?);
        }
        if flags & OPEN != 0 {
            node.open = Some((bytes(from)?, bytes(from)?));
        }
        if flags & QUOTA != 0 {
            node.name_quota = varint(from)?.checked_sub(1);
            node.space_quota = varint(from)?.checked_sub(1);
            for _ in 0..varint(from)? {
                node.type_quotas.push((number32(from)?, varint(from)?));
            }
        }
        if flags & ACL != 0 {
            for _ in 0..varint(from)? {
                node.acl.push(number32(from)?);
            }
        }
        if flags & XATTRS != 0 {
            for _ in 0..varint(from)? {
                node.xattrs.push((number32(from)?, bytes(from)?));
            }
        }
        Ok(node)
    }
}

/// The id and the shape of a stored inode, without the rest.
pub(crate) fn id_and_kind(mut raw: &[u8]) -> Result<(u64, Shape), WireError> {
    let (shape, _) = head(&mut raw)?;
    Ok((varint(&mut raw)?, shape))
}

fn head(from: &mut &[u8]) -> Result<(Shape, u8), WireError> {
    let (kind, rest) = from.split_first().ok_or(WireError::Length)?;
    let (flags, rest) = rest.split_first().ok_or(WireError::Length)?;
    *from = rest;
    let shape = match kind {
        1 => Shape::File,
        2 => Shape::Dir,
        3 => Shape::Symlink,
        _ => return Err(WireError::Type),
    };
    Ok((shape, *flags))
}

fn number32(from: &mut &[u8]) -> Result<u32, WireError> {
    u32::try_from(varint(from)?).map_err(|_| WireError::Varint)
}

fn bytes(from: &mut &[u8]) -> Result<Vec<u8>, WireError> {
    let len = usize::try_from(varint(from)?).map_err(|_| WireError::Length)?;
    let (content, rest) = from.split_at_checked(len).ok_or(WireError::Length)?;
    *from = rest;
    Ok(content.to_vec())
}

fn put_count(to: &mut Vec<u8>, count: usize) {
    put_varint(to, u64::try_from(count).expect("a length fits 64 bits"));
}

fn put_bytes(to: &mut Vec<u8>, content: &[u8]) {
    put_count(to, content.len());
    to.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inode_reads_back_from_its_stored_form() {
        let plain = Node { id: 17, mtime: 1_700_000_000_123, size: 5, ..Node::default() };
        let full = Node {
            id: u64::MAX,
            permission: u64::MAX,
            replication: 3,
            policy: 7,
            striped: true,
            ec_policy: Some(2),
            open: Some((b"client".to_vec(), Vec::new())),
            acl: vec![1, u32::MAX],
            xattrs: vec![(9, b"value".to_vec()), (10, Vec::new())],
            ..plain.clone()
        };
        let dir = Node {
            shape: Shape::Dir,
            name_quota: Some(0),
            type_quotas: vec![(2, 1 << 40)],
            mtime: 9,
            ..Node::default()
        };
        let link = Node { shape: Shape::Symlink, target: b"../x".to_vec(), atime: 4, ..Node::default() };
        for node in [plain, full, dir, link] {
            let mut raw = Vec::new();
            node.store(&mut raw);
            assert_eq!(Node::load(&raw), Ok(node.clone()));
            assert_eq!(id_and_kind(&raw), Ok((node.id, node.shape)));
            for cut in 0..raw.len() {
                assert!(Node::load(&raw[..cut]).is_err() || cut > 0);
            }
        }
    }
}
