//! What HDFS knows of an entry beyond what every store knows, and how either is made of an inode.

use crate::{
    build::timestamp,
    inode::{Node, Shape},
    strings::{Of, Strings},
};
use bytes::Bytes;
use model::{Entry, Facets, FileId, Kind, Metadata, Posix, Principal, RelPath, Stamp};
use std::fmt;

/// Facets that an image holds. Access control lists are in [`Details`]: they name users and groups by name, which
/// `model::Acl` has no form for.
pub(crate) const READS: Facets = Facets::POSIX.and(Facets::XATTR);

/// What HDFS knows of an entry besides what [`Entry`] holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Number of the inode.
    pub inode: u64,
    /// Copies of each block; 0 for directories and links. A striped file has the 0 or 1 that the image holds.
    pub replication: u32,
    /// Preferred length of a block, bytes.
    pub block_size: u64,
    /// Blocks, or groups of blocks of an erasure coded file.
    pub blocks: u64,
    /// The file is erasure coded.
    pub striped: bool,
    /// Number of its erasure coding policy; the names are in `ImageFacts::ec_policies`.
    pub ec_policy: Option<u32>,
    /// Number of the storage policy that is set on it, not inherited (7 hot, 2 cold, 5 warm, 10 one SSD, 12 all
    /// SSD, …).
    pub storage_policy: Option<u32>,
    /// The erasure coding policy that is set on a directory, by name; `replication` where that is set.
    pub dir_ec_policy: Option<String>,
    /// Who was writing it when the image was made. Its length is then only what the NameNode knew.
    pub open: Option<Writing>,
    /// The access control list, without what the mode says already (the entries of HDFS's own `AclFeature`).
    /// Where it is not empty, the mode's group bits are the mask.
    pub acl: Vec<AclEntry>,
    /// Quota of names of a directory, itself included.
    pub name_quota: Option<u64>,
    /// Quota of bytes of a directory, replication included.
    pub space_quota: Option<u64>,
    /// Quotas of bytes for each kind of storage (1 disk, 2 SSD, 3 archive, 4 memory, 5 provided, 6 NVDIMM).
    pub type_quotas: Vec<(u32, u64)>,
    /// It has attributes of HDFS's own that clients do not see (`system.`, `raw.`).
    pub hidden_xattrs: bool,
    /// It is encrypted, or the root of an encryption zone.
    pub encrypted: bool,
}

/// Who was writing a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writing {
    /// Name of the client.
    pub client: String,
    /// Its machine.
    pub machine: String,
}

/// One entry of an access control list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclEntry {
    /// It is what new entries of a directory get.
    pub default: bool,
    /// Whom it is for.
    pub of: AclOf,
    /// The user or the group; `None` for the owner's, the mask, others, or a name that the image does not have.
    pub name: Option<String>,
    /// Bits: 4 read, 2 write, 1 execute.
    pub permissions: u8,
}

/// Whom an entry of an access control list is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclOf {
    /// A user, or the owner where there is no name.
    User,
    /// A group, or the owning group where there is no name.
    Group,
    /// The most that any named entry may give.
    Mask,
    /// Everybody else.
    Other,
}

/// As `hdfs dfs -getfacl` prints it.
impl fmt::Display for AclEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = match self.of {
            AclOf::User => "user",
            AclOf::Group => "group",
            AclOf::Mask => "mask",
            AclOf::Other => "other",
        };
        let default = if self.default { "default:" } else { "" };
        write!(f, "{default}{of}:{}:", self.name.as_deref().unwrap_or_default())?;
        for (bit, letter) in [(4, 'r'), (2, 'w'), (1, 'x')] {
            write!(f, "{}", if self.permissions & bit == 0 { '-' } else { letter })?;
        }
        Ok(())
    }
}

/// Namespaces of attributes by number (`XAttr.NameSpace`).
const NAMESPACES: [&str; 5] = ["user", "trusted", "security", "system", "raw"];

/// Namespace and name of an attribute (`XAttrFormat`: two bits of namespace on top, one more at bit 5, 24 of name).
fn xattr(strings: &Strings, raw: u32) -> Option<(&'static str, &str)> {
    let space = (raw >> 30) | ((raw >> 5) & 1) << 2;
    let space = NAMESPACES.get(usize::try_from(space).ok()?)?;
    Some((space, strings.get(Of::Xattr, (raw >> 6) & 0xFF_FFFF)?))
}

/// The same for an attribute that a client sees: not `system.` and `raw.`.
pub(crate) fn visible_xattr(strings: &Strings, raw: u32) -> Option<(&'static str, &str)> {
    xattr(strings, raw).filter(|(space, _)| !matches!(*space, "system" | "raw"))
}

/// Has it this attribute of the `raw.` namespace?
pub(crate) fn has_raw_xattr(node: &Node, strings: &Strings, name: &str) -> bool {
    node.xattrs.iter().any(|(raw, _)| xattr(strings, *raw) == Some(("raw", name)))
}

/// The entry at `path`, with metadata as far as `want` asks.
pub(crate) fn entry(node: &Node, path: RelPath, want: Facets, strings: &Strings, volume: u32) -> Entry {
    let kind = match node.shape {
        Shape::File => Kind::File,
        Shape::Dir => Kind::Dir,
        Shape::Symlink => Kind::Symlink { target: Bytes::copy_from_slice(&node.target) },
    };
    let stamp = Stamp {
        size: node.size,
        mtime: timestamp(node.mtime),
        change: None,
        etag: None,
        file_id: Some(FileId { volume: u64::from(volume), inode: node.id }),
    };
    let mut entry = Entry::new(path, kind, stamp);
    entry.meta = (!want.shared(READS).is_empty()).then(|| Box::new(metadata(node, want, strings)));
    entry
}

fn metadata(node: &Node, want: Facets, strings: &Strings) -> Metadata {
    let mut meta = Metadata { mtime: timestamp(node.mtime), ..Metadata::default() };
    // Directories have no time of access; files have 0 where `dfs.namenode.accesstime.precision` is 0 and nobody
    // set one.
    if node.shape != Shape::Dir {
        meta.atime = timestamp(node.atime).filter(|_| node.atime > 0);
    }
    if let (Some(user), Some(group), mode) = strings.permission(node.permission) {
        let name = |name: &str| Principal::Name(name.to_owned());
        meta.posix = Some(Posix { mode, owner: name(user), group: name(group) });
    }
    if want.has(Facets::XATTR) {
        let seen = node.xattrs.iter().filter_map(|(raw, value)| Some((visible_xattr(strings, *raw)?, value)));
        let owned = seen.map(|((space, name), value)| (format!("{space}.{name}").into(), value.clone().into()));
        meta.xattrs = owned.collect();
    }
    meta
}

/// The rest of what HDFS knows of it.
pub(crate) fn details(node: &Node, strings: &Strings) -> Details {
    let system = |name: &str| {
        node.xattrs.iter().find(|(raw, _)| xattr(strings, *raw) == Some(("system", name))).map(|(_, value)| value)
    };
    // A file has its policy in a field, a directory in an attribute of one byte (`BlockStoragePolicySuite`).
    let dir_policy = system("hsm.block.storage.policy.id").and_then(|value| value.first()).map(|id| u32::from(*id));
    let text = |raw: &[u8]| String::from_utf8_lossy(raw).into_owned();
    Details {
        inode: node.id,
        replication: node.replication,
        block_size: node.block_size,
        blocks: node.blocks,
        striped: node.striped,
        ec_policy: node.ec_policy.filter(|_| node.striped),
        storage_policy: if node.policy == 0 { dir_policy } else { Some(node.policy) },
        dir_ec_policy: system("hdfs.erasurecoding.policy").map(|value| ec_policy_name(value)),
        open: node.open.as_ref().map(|(client, machine)| Writing { client: text(client), machine: text(machine) }),
        acl: node.acl.iter().map(|raw| acl_entry(*raw, strings)).collect(),
        name_quota: node.name_quota,
        space_quota: node.space_quota,
        type_quotas: node.type_quotas.clone(),
        hidden_xattrs: node.xattrs.iter().any(|(raw, _)| visible_xattr(strings, *raw).is_none()),
        encrypted: ["hdfs.crypto.encryption.zone", "hdfs.crypto.file.encryption.info"]
            .iter()
            .any(|name| has_raw_xattr(node, strings, name)),
    }
}

/// The attribute holds the name as Hadoop's `WritableUtils.writeString` does: a length of four bytes, then UTF-8.
fn ec_policy_name(value: &[u8]) -> String {
    String::from_utf8_lossy(value.get(4..).unwrap_or_default()).into_owned()
}

/// `AclEntryStatusFormat`: three bits of permission, two of kind, one of scope, 24 of name.
fn acl_entry(raw: u32, strings: &Strings) -> AclEntry {
    let number = (raw >> 6) & 0xFF_FFFF;
    let (of, name) = match (raw >> 3) & 3 {
        0 => (AclOf::User, strings.get(Of::User, number)),
        1 => (AclOf::Group, strings.get(Of::Group, number)),
        2 => (AclOf::Mask, None),
        _ => (AclOf::Other, None),
    };
    AclEntry {
        default: raw & 0x20 != 0,
        of,
        name: name.filter(|name| !name.is_empty()).map(str::to_owned),
        permissions: u8::try_from(raw & 7).expect("three bits fit"),
    }
}
