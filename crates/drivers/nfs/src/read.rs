//! Reading a file: one READ where it fits, else [`pieces`](crate::pieces).

use crate::{
    again::surely,
    attributes,
    decode::Content,
    failure::Failure,
    names::check_names,
    pieces::{self, Known, OP, Piece, Reads},
    share::{Share, Shared},
};
use bytes::Bytes;
use model::{RelPath, Stamp};
use nfs3_types::nfs3::{NFS3_FHSIZE, fattr3, ftype3, nfstime3};
use storage::{Error, ErrorKind, ReadSpec, Reading, Result};

/// Content of the file at `path`.
pub(crate) async fn read(share: &Shared, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
    check_names(path, OP)?;
    // A locator that led nowhere is not tried twice: the path decides.
    let mut locator = spec.locator.clone().filter(|handle| (1..=NFS3_FHSIZE).contains(&handle.len()));
    let first = surely!(&**share, path, begin(share, path, locator.take(), &spec).await);
    let First { handle, attributes, accessed, piece } = first.map_err(|failure| share.error(failure, OP, path))?;
    if attributes.type_ != ftype3::NF3REG {
        return Err(Error::new(ErrorKind::Invalid, OP)
            .at(path)
            .because(format!("it is {}, not a file", attributes.type_)));
    }
    let mut entry = attributes::entry(path.clone(), handle.clone(), &attributes, spec.want);
    if let Some(meta) = &mut entry.meta {
        meta.atime = accessed.map(attributes::timestamp);
    }
    let wanted = pieces::agreed(&spec, &entry)?;
    let known = Known { path: path.clone(), handle, stamp: entry.stamp.clone() };
    let file = File { share: share.clone(), known };
    let body = pieces::body(file, wanted, piece)?;
    Ok(Reading { entry, body })
}

/// What the first request told.
struct First {
    handle: Bytes,
    attributes: fattr3,
    /// When it was last read before us. After a READ the attributes tell the time of that READ, which is no
    /// fact about the file; a caller with a locator knows the time from the listing that gave it.
    accessed: Option<nfstime3>,
    /// Content from the start of what is wanted.
    piece: Piece,
}

async fn begin(share: &Share, path: &RelPath, locator: Option<Bytes>, spec: &ReadSpec) -> Result<First, Failure> {
    let (handle, known) = if let Some(handle) = locator {
        (handle, None)
    } else {
        let (handle, attributes) = share.find(path).await?;
        (handle, Some(attributes))
    };
    let expected = pieces::expected(spec, known.as_ref().map(|a| a.size));
    let is_file = known.as_ref().is_none_or(|a| a.type_ == ftype3::NF3REG);
    if expected == 0 || !is_file {
        // Nothing to read; what it is still has to be told, and an empty file may have grown.
        let attributes = match known {
            Some(attributes) => attributes,
            None => share.pool.getattr(&handle).await?,
        };
        let accessed = Some(attributes.atime);
        return Ok(First { handle, attributes, accessed, piece: Piece::default() });
    }
    let count = u32::try_from(expected).unwrap_or(u32::MAX).min(share.read_size);
    let (piece, attributes) = read_once(share, &handle, pieces::wanted(spec).start, count).await?;
    let accessed = known.map(|before| before.atime);
    Ok(First { handle, attributes, accessed, piece: piece.cut(count) })
}

/// One READ, with the attributes after it.
async fn read_once(share: &Share, handle: &Bytes, offset: u64, count: u32) -> Result<(Piece, fattr3), Failure> {
    let Content { attributes, end, data } = share.pool.read(handle, offset, count).await?;
    let attributes = match attributes {
        Some(attributes) => attributes,
        None => share.pool.getattr(handle).await?,
    };
    Ok((Piece { data, end }, attributes))
}

/// The file that is being read.
struct File {
    share: Shared,
    known: Known,
}

impl Reads for File {
    type Failure = Failure;

    fn known(&self) -> &Known {
        &self.known
    }
    fn step(&self) -> u32 {
        self.share.read_size
    }
    fn ahead(&self) -> usize {
        self.share.manner.read_ahead
    }

    async fn read_once(&self, handle: &Bytes, at: u64, count: u32) -> Result<(Piece, Stamp), Failure> {
        let (piece, attributes) = read_once(&self.share, handle, at, count).await?;
        Ok((piece, attributes::stamp(&attributes)))
    }

    async fn find_again(&self) -> Result<Bytes, Failure> {
        self.share.find_anew(&self.known.path).await
    }

    async fn error(&self, failure: Failure) -> Error {
        self.share.error(failure, OP, &self.known.path)
    }
}
