//! The procedures of NFSv3 that a reader needs (RFC 1813, section 3.3): arguments in, results out.

use crate::{
    decode::{self, Content, Found},
    failure::Failure,
    manner::Procedure,
    pages::Place,
    pool::Pool,
    xdr::Writer,
};
use bytes::Bytes;
use nfs3_types::nfs3::{FSINFO3resok, FSSTAT3resok, PATHCONF3resok, fattr3};

const GETATTR: Procedure = Procedure::nfs(1, "GETATTR");
const LOOKUP: Procedure = Procedure::nfs(3, "LOOKUP");
const READLINK: Procedure = Procedure::nfs(5, "READLINK");
const READ: Procedure = Procedure::nfs(6, "READ");
const READDIR: Procedure = Procedure::nfs(16, "READDIR");
const READDIRPLUS: Procedure = Procedure::nfs(17, "READDIRPLUS");
const FSSTAT: Procedure = Procedure::nfs(18, "FSSTAT");
const FSINFO: Procedure = Procedure::nfs(19, "FSINFO");
const PATHCONF: Procedure = Procedure::nfs(20, "PATHCONF");

impl Pool {
    pub async fn getattr(&self, handle: &[u8]) -> Result<fattr3, Failure> {
        self.nfs(&GETATTR, of(handle), |reply| decode::attributes(&reply)).await
    }

    /// Handle and attributes of `name` in a directory.
    pub async fn lookup(&self, dir: &[u8], name: &[u8]) -> Result<(Bytes, fattr3), Failure> {
        let mut arguments = Writer::default();
        arguments.opaque(dir).opaque(name);
        let found = self.nfs(&LOOKUP, arguments.into_bytes(), |reply| decode::found(&reply)).await?;
        let Found { handle, attributes } = found;
        let attributes = match attributes {
            Some(attributes) => attributes,
            None => self.getattr(&handle).await?,
        };
        Ok((handle, attributes))
    }

    pub async fn readlink(&self, handle: &[u8]) -> Result<Bytes, Failure> {
        self.nfs(&READLINK, of(handle), |reply| decode::link_target(&reply)).await
    }

    pub async fn read(&self, handle: &[u8], offset: u64, count: u32) -> Result<Content, Failure> {
        let mut arguments = Writer::default();
        arguments.opaque(handle).u64(offset).u32(count);
        self.nfs(&READ, arguments.into_bytes(), |reply| decode::content(&reply)).await
    }

    /// A page with attributes and handles, of at most `size` bytes; `decode` makes of the reply what it likes.
    pub async fn readdirplus<T>(
        &self,
        place: &Place,
        size: u32,
        decode: impl Fn(Bytes) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut arguments = Writer::default();
        arguments.opaque(&place.dir).u64(place.cookie).fixed(&place.verifier).u32(size).u32(size);
        self.nfs(&READDIRPLUS, arguments.into_bytes(), decode).await
    }

    /// A page of names only.
    pub async fn readdir<T>(
        &self,
        place: &Place,
        size: u32,
        decode: impl Fn(Bytes) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut arguments = Writer::default();
        arguments.opaque(&place.dir).u64(place.cookie).fixed(&place.verifier).u32(size);
        self.nfs(&READDIR, arguments.into_bytes(), decode).await
    }

    pub async fn fsstat(&self, root: &[u8]) -> Result<FSSTAT3resok, Failure> {
        self.nfs(&FSSTAT, of(root), |reply| decode::volume(&reply)).await
    }

    pub async fn fsinfo(&self, root: &[u8]) -> Result<FSINFO3resok, Failure> {
        self.nfs(&FSINFO, of(root), |reply| decode::limits(&reply)).await
    }

    pub async fn pathconf(&self, handle: &[u8]) -> Result<PATHCONF3resok, Failure> {
        self.nfs(&PATHCONF, of(handle), |reply| decode::name_limits(&reply)).await
    }
}

/// A file handle as the only argument.
fn of(handle: &[u8]) -> Bytes {
    let mut arguments = Writer::default();
    arguments.opaque(handle);
    arguments.into_bytes()
}
