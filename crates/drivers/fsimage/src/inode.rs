//! An inode as the image has it, and in our own form on disk.
//!
//! Fields are those of `INodeSection` in fsimage.proto, and `BlockProto` and `StorageTypeProto` in hdfs.proto
//! (Hadoop 2.4 to 3.4; later ones only added fields). Unknown fields are passed over.

mod stored;

pub(crate) use stored::{Node, Shape, id_and_kind};

use crate::{
    failure::{Outcome, corrupt},
    wire::{Fields, WireError},
};

/// `INodeId.ROOT_INODE_ID`.
pub(crate) const ROOT: u64 = 16385;
const INODE: &str = "INODE";

type Read<T> = Result<T, WireError>;

/// Reads an `INode` message: its name and the rest of it.
pub(crate) fn read(message: &[u8]) -> Outcome<(&[u8], Node)> {
    match inode(message) {
        Ok(Some(read)) => Ok(read),
        Ok(None) => Err(corrupt(INODE, "an inode of no known type")),
        Err(error) => Err(corrupt(INODE, error.to_string())),
    }
}

fn inode(message: &[u8]) -> Read<Option<(&[u8], Node)>> {
    let mut fields = Fields(message);
    let mut node = Node::default();
    let (mut kind, mut name) = (0, &[][..]);
    let mut bodies = [None; 3];
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => kind = value.number()?,
            2 => node.id = value.number()?,
            3 => name = value.bytes()?,
            4 => bodies[0] = Some(value.bytes()?),
            5 => bodies[1] = Some(value.bytes()?),
            6 => bodies[2] = Some(value.bytes()?),
            _ => {}
        }
    }
    match (kind, bodies) {
        (1, [body, _, _]) => file(body.unwrap_or_default(), &mut node)?,
        (2, [_, body, _]) => directory(body.unwrap_or_default(), &mut node)?,
        (3, [_, _, body]) => symlink(body.unwrap_or_default(), &mut node)?,
        _ => return Ok(None),
    }
    Ok(Some((name, node)))
}

fn file(message: &[u8], node: &mut Node) -> Read<()> {
    let mut fields = Fields(message);
    node.shape = Shape::File;
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => node.replication = value.number32()?,
            2 => node.mtime = value.number()?,
            3 => node.atime = value.number()?,
            4 => node.block_size = value.number()?,
            5 => node.permission = value.fixed64()?,
            6 => {
                node.blocks += 1;
                // A sum beyond 64 bits cannot be read as anything else than nonsense; it stays at the end.
                node.size = node.size.saturating_add(block_len(value.bytes()?)?);
            }
            7 => node.open = Some(under_construction(value.bytes()?)?),
            8 => acl(value.bytes()?, node)?,
            9 => xattrs(value.bytes()?, node)?,
            10 => node.policy = value.number32()?,
            11 => node.striped = value.number()? == 1,
            12 => node.ec_policy = Some(value.number32()?),
            _ => {}
        }
    }
    Ok(())
}

/// Length of a block. A block group of an erasure coded file has the length of its data, without parity.
fn block_len(message: &[u8]) -> Read<u64> {
    let mut fields = Fields(message);
    let mut len = 0;
    while let Some((field, value)) = fields.next()? {
        if field == 3 {
            len = value.number()?;
        }
    }
    Ok(len)
}

fn under_construction(message: &[u8]) -> Read<(Vec<u8>, Vec<u8>)> {
    let mut fields = Fields(message);
    let (mut client, mut machine) = (Vec::new(), Vec::new());
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => client = value.bytes()?.to_vec(),
            2 => machine = value.bytes()?.to_vec(),
            _ => {}
        }
    }
    Ok((client, machine))
}

fn directory(message: &[u8], node: &mut Node) -> Read<()> {
    // -1 (as 64 bits) and the largest signed number both mean that no quota is set.
    let quota = |number: u64| (number < i64::MAX.cast_unsigned()).then_some(number);
    let mut fields = Fields(message);
    node.shape = Shape::Dir;
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => node.mtime = value.number()?,
            2 => node.name_quota = quota(value.number()?),
            3 => node.space_quota = quota(value.number()?),
            4 => node.permission = value.fixed64()?,
            5 => acl(value.bytes()?, node)?,
            6 => xattrs(value.bytes()?, node)?,
            7 => type_quotas(value.bytes()?, node)?,
            _ => {}
        }
    }
    Ok(())
}

fn type_quotas(message: &[u8], node: &mut Node) -> Read<()> {
    let mut fields = Fields(message);
    while let Some((field, value)) = fields.next()? {
        if field != 1 {
            continue;
        }
        let mut entry = Fields(value.bytes()?);
        let (mut storage, mut quota) = (0, 0);
        while let Some((field, value)) = entry.next()? {
            match field {
                1 => storage = value.number32()?,
                2 => quota = value.number()?,
                _ => {}
            }
        }
        if quota < i64::MAX.cast_unsigned() {
            node.type_quotas.push((storage, quota));
        }
    }
    Ok(())
}

fn symlink(message: &[u8], node: &mut Node) -> Read<()> {
    let mut fields = Fields(message);
    node.shape = Shape::Symlink;
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => node.permission = value.fixed64()?,
            2 => node.target = value.bytes()?.to_vec(),
            3 => node.mtime = value.number()?,
            4 => node.atime = value.number()?,
            _ => {}
        }
    }
    Ok(())
}

fn acl(message: &[u8], node: &mut Node) -> Read<()> {
    let mut fields = Fields(message);
    while let Some((field, value)) = fields.next()? {
        if field != 2 {
            continue;
        }
        match value.bytes() {
            Ok(packed) => {
                let (entries, rest) = packed.as_chunks::<4>();
                if !rest.is_empty() {
                    return Err(WireError::Length);
                }
                node.acl.extend(entries.iter().map(|entry| u32::from_le_bytes(*entry)));
            }
            Err(_) => node.acl.push(value.fixed32()?),
        }
    }
    Ok(())
}

fn xattrs(message: &[u8], node: &mut Node) -> Read<()> {
    let mut fields = Fields(message);
    while let Some((field, value)) = fields.next()? {
        if field != 1 {
            continue;
        }
        let mut entry = Fields(value.bytes()?);
        let (mut name, mut content) = (0, &[][..]);
        while let Some((field, value)) = entry.next()? {
            match field {
                1 => name = value.fixed32()?,
                2 => content = value.bytes()?,
                _ => {}
            }
        }
        node.xattrs.push((name, content.to_vec()));
    }
    Ok(())
}
