//! Looking at one thing: attributes, security descriptor, streams, where a link leads.

use crate::{
    attributes,
    client::{self, Client},
    connection::Request,
    failure::Failure,
    open,
    wire::{
        cursor::Malformed,
        file::{ATTRIBUTE_REPARSE, RELATED, access, option},
        fs::Volume,
        header::Command,
        ioctl::{self, Control},
        query::{self, All, What},
        reparse,
        status::Status,
    },
};
use model::{Acl, Entry, Facets, Kind, Metadata, RelPath};
use storage::Result;

const OP: &str = "stat";

/// Room for what is asked of a file, bytes: the longest path comes with it.
pub(crate) const INFO_ROOM: u32 = 64 << 10;
/// Largest data of a reparse point ([MS-FSCC] 2.1.2.2).
const REPARSE_ROOM: u32 = 16 << 10;

/// One entry. A link itself, not where it points.
pub(crate) async fn stat(client: &Client, path: &RelPath, want: Facets) -> Result<Entry> {
    let units = client::units(path, OP)?;
    let told = client.at(&units, |place| async move {
        let mut middle = vec![info(What::All)];
        let mut rights = access::READ_ATTRIBUTES;
        let mut op = "CREATE+QUERY_INFO+CLOSE";
        if want.has(Facets::NTFS_SD) {
            rights |= access::READ_CONTROL;
            middle.push(info(What::Security));
            op = "CREATE+QUERY_INFO(security)+CLOSE";
        }
        if want.has(Facets::STREAMS) {
            middle.push(info(What::Streams));
        }
        let options = option::REPARSE_POINT | option::BACKUP;
        let replies = open::visit(&place, op, rights, options, middle).await?;
        let mut replies = replies.iter();
        let mut next = || replies.next().expect("as many answers as requests");
        let all = All::decode(&query::output(next().good_or_cut()?)?)?;
        let mut entry = attributes::told(path.clone(), &all, place.volume, want);
        if want.has(Facets::NTFS_SD) {
            let descriptor = query::output(next().good()?)?;
            entry.meta.get_or_insert_default().acl = Some(Acl::NtfsDescriptor(checked(descriptor)?));
        }
        if want.has(Facets::STREAMS) {
            let streams = next();
            // A file system without streams does not know the question.
            if !streams.status().is_error() {
                entry.meta.get_or_insert_default().streams = query::streams(&query::output(streams.good()?)?)?;
            }
        }
        Ok((entry, all.attributes))
    });
    let (mut entry, attributes) = told.await.map_err(|failure| failure.at(OP, path))?;
    if attributes & ATTRIBUTE_REPARSE != 0 {
        add_reparse(client, &mut entry).await.map_err(|failure| failure.at(OP, path))?;
    }
    Ok(entry)
}

/// QUERY_INFO of what the chain opened.
pub(crate) fn info(what: What) -> Request {
    Request::bringing(Command::QueryInfo, query::info(&RELATED, what, INFO_ROOM), INFO_ROOM)
}

/// Asks a reparse point what it is and where it leads.
pub(crate) async fn add_reparse(client: &Client, entry: &mut Entry) -> Result<(), Failure> {
    let units = client::units(&entry.path, OP).map_err(|_| Malformed("a name that cannot be asked for"))?;
    let kind = client.at(&units, |place| async move {
        let body = ioctl::request(&RELATED, Control::ReparsePoint, &[], REPARSE_ROOM);
        let middle = vec![Request::bringing(Command::Ioctl, body, REPARSE_ROOM)];
        let options = option::REPARSE_POINT | option::BACKUP;
        let replies = open::visit(&place, "CREATE+IOCTL+CLOSE", access::READ_ATTRIBUTES, options, middle).await?;
        match replies[0].good() {
            Ok(message) => Ok(reparse::kind_of_data(&ioctl::output(message)?)?),
            // A link of DFS is a reparse point to a listing only; some servers do not tell of any.
            Err(failure) if failure.is_of_item() => Ok(None),
            Err(failure) => Err(failure),
        }
    });
    if let Some(kind) = kind.await? {
        entry.kind = kind;
        if entry.kind.is_dir() {
            learn_volume(client, units).await?;
        }
    }
    Ok(())
}

/// Asks which volume is mounted in a directory: the numbers of its inodes are those of others on the volume above.
async fn learn_volume(client: &Client, units: Vec<u16>) -> Result<(), Failure> {
    let told = client.at(&units, |place| async move {
        let (rights, middle) = (access::READ_ATTRIBUTES, vec![info(What::Volume)]);
        let replies = open::visit(&place, "CREATE+QUERY_INFO+CLOSE", rights, option::BACKUP, middle).await?;
        Ok(Volume::decode(&query::output(replies[0].good_or_cut()?)?)?)
    });
    match told.await {
        Ok(volume) => client.mounted(units, volume.serial),
        // Whoever lists it hears why it cannot be opened.
        Err(Failure::Status(Status::VOLUME_DISMOUNTED)) => {}
        Err(failure) if failure.is_of_item() || failure.is_missing() => {}
        Err(failure) => return Err(failure),
    }
    Ok(())
}

/// Asks for owner, group and access control list.
pub(crate) async fn add_security(client: &Client, entry: &mut Entry) -> Result<(), Failure> {
    let units = client::units(&entry.path, OP).map_err(|_| Malformed("a name that cannot be asked for"))?;
    let descriptor = client.at(&units, |place| async move {
        let options = option::REPARSE_POINT | option::BACKUP;
        let middle = vec![info(What::Security)];
        let replies = open::visit(&place, "CREATE+QUERY_INFO(security)+CLOSE", access::READ_CONTROL, options, middle);
        let replies = replies.await?;
        checked(query::output(replies[0].good()?)?)
    });
    let descriptor = descriptor.await?;
    entry.meta.get_or_insert_with(|| Box::new(Metadata::default())).acl = Some(Acl::NtfsDescriptor(descriptor));
    Ok(())
}

/// A self-relative security descriptor has version 1 and says that it is self-relative ([MS-DTYP] 2.4.6).
pub(crate) fn checked(descriptor: bytes::Bytes) -> Result<bytes::Bytes, Failure> {
    let whole = descriptor.len() >= 20 && descriptor[0] == 1 && descriptor[3] & 0x80 != 0;
    if whole { Ok(descriptor) } else { Err(Malformed("what should be a security descriptor is none").into()) }
}

/// Is it a file that has content?
pub(crate) fn is_file(entry: &Entry) -> bool {
    matches!(entry.kind, Kind::File)
}
