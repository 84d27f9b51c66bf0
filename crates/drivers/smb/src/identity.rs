//! What a server and its share say of themselves.

use crate::{
    client::{Client, Place},
    connection::Request,
    failure::Failure,
    look, open,
    wire::{
        cursor::Reader,
        file::{RELATED, access, option},
        fs::{FsAttributes, Volume},
        header::Command,
        ioctl::{self, Control},
        negotiate::{CAP_DFS, Cipher, Dialect, SIGNING_REQUIRED, Signing},
        query::{self, What},
    },
};
use model::Timestamp;
use std::net::SocketAddr;

/// What a server says of itself and of the share that was opened. Sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about a server")]
pub struct Identity {
    /// Where SMB is served.
    pub server: SocketAddr,
    /// The version both sides speak.
    pub dialect: Dialect,
    /// The server's own identifier (`ServerGuid`), the same for all its addresses.
    pub server_guid: [u8; 16],
    /// `SMB2_GLOBAL_CAP_*` bits as the server told them ([MS-SMB2] 2.2.4).
    pub capabilities: u32,
    /// The server takes part in DFS.
    pub dfs: bool,
    /// The server demands that messages are signed.
    pub signing_required: bool,
    /// How messages are signed when they are.
    pub signing: Signing,
    /// How messages are encrypted when they are; none where the server cannot.
    pub cipher: Option<Cipher>,
    /// Messages to this share are signed.
    pub signed: bool,
    /// Messages to this share are encrypted.
    pub encrypted: bool,
    /// The server took us for a guest, or for nobody.
    pub guest: bool,
    /// Largest answer to anything but READ.
    pub max_transact: u32,
    /// Largest READ, as far as we use it.
    pub max_read: u32,
    /// The server's clock when we connected.
    pub time: Option<Timestamp>,
    /// NetBIOS name of the server; told by NTLM only.
    pub netbios_name: Option<String>,
    /// NetBIOS name of its domain; told by NTLM only.
    pub netbios_domain: Option<String>,
    /// DNS name of the server; told by NTLM only.
    pub dns_name: Option<String>,
    /// DNS name of its domain; told by NTLM only.
    pub dns_domain: Option<String>,
    /// DNS name of its forest; told by NTLM only.
    pub dns_forest: Option<String>,
    /// Version of its operating system: major, minor, build; told by NTLM only, and Samba says 6.1.0.
    pub os_version: Option<(u8, u8, u16)>,
    /// `SMB2_SHAREFLAG_*` bits of the share ([MS-SMB2] 2.2.10).
    pub share_flags: u32,
    /// `SMB2_SHARE_CAP_*` bits of the share.
    pub share_capabilities: u32,
    /// Rights that the user has on the share at most (an access mask).
    pub maximal_access: u32,
    /// The share is a root of DFS.
    pub dfs_root: bool,
    /// Serial number of the volume.
    pub volume: u32,
    /// Label of the volume.
    pub volume_label: String,
    /// When the volume was made.
    pub volume_created: Option<Timestamp>,
    /// `NTFS`, `ReFS`, or what the server pretends to have.
    pub file_system: String,
    /// `FILE_*` bits of the file system ([MS-FSCC] 2.5.1).
    pub file_system_attributes: u32,
    /// Longest name, 16-bit units.
    pub max_name: u32,
    /// Names keep their case and are told apart by it.
    pub case_sensitive: bool,
    /// Files have security descriptors that last.
    pub acls: bool,
    /// Files can have alternate data streams.
    pub streams: bool,
    /// Files can have holes.
    pub sparse: bool,
    /// The file system can have quotas of users.
    pub quotas: bool,
    /// Previous versions of the directory; `None` where the server does not tell.
    pub snapshots: Option<u32>,
}

pub(crate) async fn identify(client: &Client) -> Result<Identity, Failure> {
    client.at(&[], |place| async move { of(&place).await }).await
}

async fn of(place: &Place) -> Result<Identity, Failure> {
    let options = option::BACKUP;
    let middle = vec![look::info(What::Volume), look::info(What::FsAttributes)];
    let replies = open::visit(place, "CREATE+QUERY_INFO+CLOSE", access::READ_ATTRIBUTES, options, middle).await?;
    let volume = Volume::decode(&query::output(replies[0].good_or_cut()?)?)?;
    let fs = FsAttributes::decode(&query::output(replies[1].good_or_cut()?)?)?;
    let (session, tree) = (&place.session, &place.tree);
    let target = session.target.clone().unwrap_or_default();
    let has = |bit: u32| fs.attributes & bit != 0;
    let time = crate::attributes::timestamp;
    let snapshots = snapshots(place).await?;
    Ok(Identity {
        server: session.address,
        dialect: session.agreed.dialect,
        server_guid: session.agreed.answer.server,
        capabilities: session.agreed.answer.capabilities,
        dfs: session.agreed.answer.capabilities & CAP_DFS != 0,
        signing_required: session.agreed.answer.security_mode & SIGNING_REQUIRED != 0,
        signing: session.agreed.signing,
        cipher: session.agreed.cipher,
        signed: session.sign_all,
        encrypted: session.seal_all || tree.encrypted(),
        guest: session.guest,
        max_transact: session.agreed.max_transact,
        max_read: session.agreed.max_read,
        time: time(session.agreed.answer.system_time),
        netbios_name: target.netbios_computer,
        netbios_domain: target.netbios_domain,
        dns_name: target.dns_computer,
        dns_domain: target.dns_domain,
        dns_forest: target.dns_tree,
        os_version: target.version,
        share_flags: tree.answer.flags,
        share_capabilities: tree.answer.capabilities,
        maximal_access: tree.answer.maximal_access,
        dfs_root: tree.dfs_root,
        volume: volume.serial,
        volume_label: volume.label,
        volume_created: time(volume.created),
        file_system: fs.name,
        file_system_attributes: fs.attributes,
        max_name: if fs.max_name == 0 { 255 } else { fs.max_name },
        case_sensitive: has(1),
        acls: has(8),
        streams: has(0x4_0000),
        sparse: has(0x40),
        quotas: has(0x20),
        snapshots,
    })
}

/// How many previous versions there are: asked with room for the count alone ([MS-SMB2] 2.2.32.2).
async fn snapshots(place: &Place) -> Result<Option<u32>, Failure> {
    const ROOM: u32 = 16;
    let middle = vec![Request::bringing(Command::Ioctl, ioctl::request(&RELATED, Control::Snapshots, &[], ROOM), ROOM)];
    let rights = access::READ_DATA | access::READ_ATTRIBUTES;
    let options = option::BACKUP | option::DIRECTORY;
    let replies = match open::visit(place, "CREATE+IOCTL+CLOSE", rights, options, middle).await {
        Err(Failure::Status(_)) => return Ok(None),
        replies => replies?,
    };
    match replies[0].good_or_cut() {
        Ok(message) => Ok(Reader::new(&ioctl::output(message)?).u32().ok()),
        Err(_refused) => Ok(None),
    }
}
