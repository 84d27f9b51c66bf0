//! Results of NFSv3, MOUNT and the portmapper (RFC 1813, RFC 1833), read from the bytes of the wire.
//!
//! The decoders of `nfs3_types` read whatever has a fixed size. What carries a length is read here: that crate
//! allocates by the length that the server names, before it looks whether there is as much. Content of a READ
//! stays where the socket put it; handles and names are small and live long, so they are copied.

use crate::{
    Export,
    failure::Failure,
    rpc::RpcError,
    xdr::{Decoded, Malformed, Reader},
};
use bytes::Bytes;
use nfs3_types::{
    mount::mountstat3,
    nfs3::{FSINFO3resok, FSSTAT3resok, NFS3_FHSIZE, PATHCONF3resok, fattr3, nfsstat3},
    xdr_codec::Unpack,
};

/// Longest path that MOUNT tells (RFC 1813, section 5.1.1), and longest name of a group.
const MOUNT_PATH: usize = 1024;
const MOUNT_NAME: usize = 255;
/// Longest target of a symbolic link: Linux's PATH_MAX with room to spare.
const LINK_TARGET: usize = 64 << 10;

/// What LOOKUP found.
#[derive(Debug)]
pub(crate) struct Found {
    pub handle: Bytes,
    pub attributes: Option<fattr3>,
}

/// What READ gave.
#[derive(Debug)]
pub(crate) struct Content {
    pub attributes: Option<fattr3>,
    pub end: bool,
    /// A slice of the reply.
    pub data: Bytes,
}

/// One name as a READDIR or READDIRPLUS tells it.
#[derive(Debug)]
pub(crate) struct Listed<'a> {
    pub name: &'a [u8],
    pub cookie: u64,
    pub handle: Option<&'a [u8]>,
    pub attributes: Option<fattr3>,
}

/// A page of a directory.
#[derive(Debug)]
pub(crate) struct Listing<'a> {
    pub entries: Vec<Listed<'a>>,
    pub verifier: [u8; 8],
    pub end: bool,
}

/// What MNT gave.
#[derive(Debug)]
pub(crate) struct Root {
    pub handle: Bytes,
    pub auth_flavors: Vec<u32>,
}

/// GETATTR.
pub(crate) fn attributes(reply: &Bytes) -> Result<fattr3, Failure> {
    nfs(reply, fixed)
}

/// LOOKUP. The attributes of the directory are not looked at.
pub(crate) fn found(reply: &Bytes) -> Result<Found, Failure> {
    nfs(reply, |from| {
        let handle = Bytes::copy_from_slice(handle(from)?);
        let attributes = optional(from, fixed)?;
        optional(from, fixed::<fattr3>)?;
        Ok(Found { handle, attributes })
    })
}

/// READLINK.
pub(crate) fn link_target(reply: &Bytes) -> Result<Bytes, Failure> {
    nfs(reply, |from| {
        optional(from, fixed::<fattr3>)?;
        from.opaque(LINK_TARGET).map(Bytes::copy_from_slice)
    })
}

/// READ.
pub(crate) fn content(reply: &Bytes) -> Result<Content, Failure> {
    nfs(reply, |from| {
        let attributes = optional(from, fixed)?;
        let count = from.u32()?;
        let end = from.bool()?;
        let data = from.opaque(usize::MAX)?;
        if usize::try_from(count) != Ok(data.len()) {
            return Err(Malformed("READ counts other bytes than it carries"));
        }
        Ok(Content { attributes, end, data: reply.slice_ref(data) })
    })
}

/// READDIRPLUS.
pub(crate) fn listing_plus(reply: &Bytes) -> Result<Listing<'_>, Failure> {
    listing(reply, |name, cookie, from| {
        let attributes = optional(from, fixed)?;
        let handle = optional(from, handle)?;
        Ok(Listed { name, cookie, handle, attributes })
    })
}

/// READDIR.
pub(crate) fn listing_plain(reply: &Bytes) -> Result<Listing<'_>, Failure> {
    listing(reply, |name, cookie, _| Ok(Listed { name, cookie, handle: None, attributes: None }))
}

/// FSSTAT.
pub(crate) fn volume(reply: &Bytes) -> Result<FSSTAT3resok, Failure> {
    nfs(reply, fixed)
}

/// FSINFO.
pub(crate) fn limits(reply: &Bytes) -> Result<FSINFO3resok, Failure> {
    nfs(reply, fixed)
}

/// PATHCONF.
pub(crate) fn name_limits(reply: &Bytes) -> Result<PATHCONF3resok, Failure> {
    nfs(reply, fixed)
}

/// MNT.
pub(crate) fn root(reply: &Bytes) -> Result<Root, Failure> {
    let from = &mut Reader(reply);
    match known::<mountstat3>(from.u32()?) {
        Ok(mountstat3::MNT3_OK) => {}
        Ok(status) => return Err(Failure::Mount(status)),
        Err(number) => return Err(Failure::UnknownStatus(number)),
    }
    let handle = Bytes::copy_from_slice(handle(from)?);
    let count = from.count(4)?;
    let auth_flavors = (0..count).map(|_| from.u32()).collect::<Decoded<_>>()?;
    at_end(from)?;
    Ok(Root { handle, auth_flavors })
}

/// EXPORT.
pub(crate) fn exports(reply: &Bytes) -> Result<Vec<Export>, Failure> {
    let from = &mut Reader(reply);
    let mut exports = Vec::new();
    while from.bool()? {
        let path = Bytes::copy_from_slice(from.opaque(MOUNT_PATH)?);
        let mut groups = Vec::new();
        while from.bool()? {
            groups.push(String::from_utf8_lossy(from.opaque(MOUNT_NAME)?).into_owned());
        }
        exports.push(Export { path, groups });
    }
    at_end(from)?;
    Ok(exports)
}

/// GETPORT; `None` when the program is not registered, or not with a port that there is.
pub(crate) fn port(reply: &Bytes) -> Result<Option<u16>, Failure> {
    let from = &mut Reader(reply);
    let port = from.u32()?;
    at_end(from)?;
    Ok(u16::try_from(port).ok().filter(|port| *port > 0))
}

/// The results after `NFS3_OK`, to their end.
fn nfs<T>(reply: &Bytes, good: impl FnOnce(&mut Reader<'_>) -> Decoded<T>) -> Result<T, Failure> {
    let from = &mut Reader(reply);
    succeeded(from)?;
    let done = good(from)?;
    at_end(from)?;
    Ok(done)
}

fn listing<'a>(
    reply: &'a Bytes,
    mut entry: impl FnMut(&'a [u8], u64, &mut Reader<'a>) -> Decoded<Listed<'a>>,
) -> Result<Listing<'a>, Failure> {
    let from = &mut Reader(reply);
    succeeded(from)?;
    optional(from, fixed::<fattr3>)?;
    let verifier = from.array()?;
    let mut entries = Vec::new();
    while from.bool()? {
        let _inode = from.u64()?;
        let name = from.opaque(usize::MAX)?;
        let cookie = from.u64()?;
        entries.push(entry(name, cookie, from)?);
    }
    let end = from.bool()?;
    at_end(from)?;
    Ok(Listing { entries, verifier, end })
}

fn succeeded(from: &mut Reader<'_>) -> Result<(), Failure> {
    match known(from.u32()?) {
        Ok(nfsstat3::NFS3_OK) => Ok(()),
        Ok(status) => Err(Failure::Status(status)),
        Err(number) => Err(Failure::UnknownStatus(number)),
    }
}

/// A file handle: at most 64 bytes, and never none.
fn handle<'a>(from: &mut Reader<'a>) -> Decoded<&'a [u8]> {
    match from.opaque(NFS3_FHSIZE)? {
        [] => Err(Malformed("a file handle is empty")),
        handle => Ok(handle),
    }
}

fn optional<'a, T>(from: &mut Reader<'a>, some: impl FnOnce(&mut Reader<'a>) -> Decoded<T>) -> Decoded<Option<T>> {
    if from.bool()? { some(from).map(Some) } else { Ok(None) }
}

/// Whatever has no length in it, as `nfs3_types` reads it.
fn fixed<T: Unpack>(from: &mut Reader<'_>) -> Decoded<T> {
    match T::unpack(&mut from.0) {
        Ok((value, _)) => Ok(value),
        Err(nfs3_types::xdr_codec::Error::Io(_)) => Err(Malformed("it ends too early")),
        Err(_) => Err(Malformed("a value that RFC 1813 does not know")),
    }
}

/// The status of this number, or the number.
fn known<T: Unpack>(number: u32) -> Result<T, u32> {
    T::unpack(&mut &number.to_be_bytes()[..]).map(|(status, _)| status).map_err(|_| number)
}

fn at_end(from: &Reader<'_>) -> Result<(), Failure> {
    if from.0.is_empty() { Ok(()) } else { Err(Failure::Rpc(RpcError::Malformed("something follows the results"))) }
}

#[cfg(test)]
mod tests;
