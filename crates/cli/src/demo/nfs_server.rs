//! A read-only NFSv3 export of one directory, for the demo and for tests.
//!
//! Names stay bytes and metadata is what the file system says, nanoseconds included, so that what arrives at
//! the other end can be compared with the disk. One inode is one file handle; where an inode has several
//! names, any of them opens it.

use nfs3_server::{
    nfs3_types::nfs3::{
        createverf3, fattr3, filename3, ftype3, nfspath3, nfsstat3, nfstime3, sattr3, specdata3, stable_how,
    },
    nfs3_types::xdr_codec::Opaque,
    tcp::{NFSTcp as _, NFSTcpListener},
    vfs::{
        DirEntryPlus, FileHandleU64, NextResult, NfsFileSystem, NfsReadFileSystem, ReadDirPlusIterator, VFSCapabilities,
    },
};
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat},
    io::Errno,
};
use std::{
    collections::HashMap,
    io,
    net::Ipv4Addr,
    os::fd::OwnedFd,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

/// The export's name as clients mount it.
pub const EXPORT: &str = "/export";

/// Largest content of one READ answer, bytes.
const READ_MAX: u32 = 1 << 20;

/// Listens on a port of the loopback interface (0: any) and answers with the port. Serves until the runtime ends.
pub async fn serve(root: &Path, port: u16) -> io::Result<u16> {
    let mut listener = NFSTcpListener::bind(&format!("{}:{port}", Ipv4Addr::LOCALHOST), Export::open(root)?).await?;
    listener.with_export_name(EXPORT);
    let port = listener.get_listen_port();
    tokio::spawn(async move {
        if let Err(error) = listener.handle_forever().await {
            tracing::error!(%error, "the embedded NFS server ended");
        }
    });
    Ok(port)
}

/// The exported directory.
struct Export {
    root: OwnedFd,
    root_id: u64,
    /// A path below the root for every inode that was handed out.
    paths: RwLock<HashMap<u64, Arc<[u8]>>>,
}

impl Export {
    fn open(root: &Path) -> io::Result<Self> {
        let root = rustix::fs::open(root, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let root_id = rustix::fs::fstat(&root)?.st_ino;
        Ok(Self { root, root_id, paths: RwLock::new(HashMap::from([(root_id, Arc::from(&b"."[..]))])) })
    }

    fn path(&self, id: FileHandleU64) -> Result<Arc<[u8]>, nfsstat3> {
        let paths = self.paths.read().unwrap_or_else(PoisonError::into_inner);
        paths.get(&id.as_u64()).cloned().ok_or(nfsstat3::NFS3ERR_STALE)
    }

    fn remember(&self, found: Vec<(u64, Arc<[u8]>)>) {
        self.paths.write().unwrap_or_else(PoisonError::into_inner).extend(found);
    }

    fn stat(&self, path: &[u8]) -> Result<Stat, nfsstat3> {
        rustix::fs::statat(&self.root, path, AtFlags::SYMLINK_NOFOLLOW).map_err(status)
    }

    /// Opens without touching the time of last read where the system lets us, so that serving does not change
    /// what is served.
    fn open_at(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, nfsstat3> {
        let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.root, path, flags | OFlags::NOATIME, Mode::empty()) {
            Err(Errno::PERM) => rustix::fs::openat(&self.root, path, flags, Mode::empty()).map_err(status),
            other => other.map_err(status),
        }
    }

    /// Names and attributes of a directory in byte order: the position of a name is its cookie.
    fn entries(&self, dir: &[u8]) -> Result<Vec<DirEntryPlus<FileHandleU64>>, nfsstat3> {
        let listing = Dir::new(self.open_at(dir, OFlags::DIRECTORY)?).map_err(status)?;
        let mut names = Vec::new();
        for entry in listing {
            let name = entry.map_err(status)?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(name);
            }
        }
        names.sort_unstable();
        let mut entries = Vec::with_capacity(names.len());
        let mut found = Vec::with_capacity(names.len());
        for (name, cookie) in names.into_iter().zip(1_u64..) {
            let path = below(dir, &name);
            let Ok(stat) = self.stat(&path) else { continue };
            found.push((stat.st_ino, Arc::from(path)));
            entries.push(DirEntryPlus {
                fileid: stat.st_ino,
                name: filename3(Opaque::owned(name)),
                cookie,
                name_attributes: Some(attributes(&stat)),
                name_handle: Some(FileHandleU64::new(stat.st_ino)),
            });
        }
        self.remember(found);
        Ok(entries)
    }
}

impl NfsReadFileSystem for Export {
    type Handle = FileHandleU64;

    fn root_dir(&self) -> FileHandleU64 {
        FileHandleU64::new(self.root_id)
    }

    async fn lookup(&self, dir: &FileHandleU64, name: &filename3<'_>) -> Result<FileHandleU64, nfsstat3> {
        let dir = self.path(*dir)?;
        let path = match name.0.as_ref() {
            b"." => dir.to_vec(),
            b".." if *dir == b"."[..] => dir.to_vec(),
            b".." => dir.iter().rposition(|b| *b == b'/').map_or_else(|| b".".to_vec(), |at| dir[..at].to_vec()),
            name if name.contains(&b'/') || name.contains(&0) => return Err(nfsstat3::NFS3ERR_INVAL),
            name => below(&dir, name),
        };
        let stat = self.stat(&path)?;
        self.remember(vec![(stat.st_ino, Arc::from(path))]);
        Ok(FileHandleU64::new(stat.st_ino))
    }

    async fn getattr(&self, id: &FileHandleU64) -> Result<fattr3, nfsstat3> {
        let stat = self.stat(&self.path(*id)?)?;
        // The name may have been given to another file meanwhile.
        if stat.st_ino == id.as_u64() { Ok(attributes(&stat)) } else { Err(nfsstat3::NFS3ERR_STALE) }
    }

    async fn read(&self, id: &FileHandleU64, offset: u64, count: u32) -> Result<(Vec<u8>, bool), nfsstat3> {
        let file = self.open_at(&self.path(*id)?, OFlags::empty())?;
        let size = u64::try_from(rustix::fs::fstat(&file).map_err(status)?.st_size).unwrap_or(0);
        let wanted = u64::from(count.min(READ_MAX)).min(size.saturating_sub(offset));
        let mut data = vec![0; usize::try_from(wanted).map_err(|_| nfsstat3::NFS3ERR_INVAL)?];
        let mut filled = 0;
        while filled < data.len() {
            match rustix::io::pread(&file, &mut data[filled..], offset + filled as u64).map_err(status)? {
                0 => break,
                n => filled += n,
            }
        }
        data.truncate(filled);
        let end = offset + filled as u64 >= size;
        Ok((data, end))
    }

    async fn readdirplus(
        &self,
        dir: &FileHandleU64,
        cookie: u64,
    ) -> Result<impl ReadDirPlusIterator<FileHandleU64>, nfsstat3> {
        let mut entries = self.entries(&self.path(*dir)?)?;
        entries.retain(|entry| entry.cookie > cookie);
        Ok(Listing(entries.into_iter()))
    }

    async fn readlink(&self, id: &FileHandleU64) -> Result<nfspath3<'_>, nfsstat3> {
        let target = rustix::fs::readlinkat(&self.root, &*self.path(*id)?, Vec::new()).map_err(status)?;
        Ok(nfspath3(Opaque::owned(target.into_bytes())))
    }
}

/// Nothing can be written. Said here and not by the crate's own read-only adapter, which takes the write,
/// setuid and sticky bits out of every mode that it shows.
impl NfsFileSystem for Export {
    fn capabilities(&self) -> VFSCapabilities {
        VFSCapabilities::ReadOnly
    }
    async fn setattr(&self, _: &FileHandleU64, _: sattr3) -> Result<fattr3, nfsstat3> {
        Err(nfsstat3::NFS3ERR_ROFS)
    }
    async fn write(
        &self,
        _: &FileHandleU64,
        _: u64,
        _: &[u8],
        _: stable_how,
    ) -> Result<(fattr3, stable_how), nfsstat3> {
        Err(nfsstat3::NFS3ERR_ROFS)
    }
    async fn create(
        &self,
        _: &FileHandleU64,
        _: &filename3<'_>,
        _: sattr3,
    ) -> Result<(FileHandleU64, fattr3), nfsstat3> {
        Err(nfsstat3::NFS3ERR_ROFS)
    }
    async fn create_exclusive(
        &self,
        _: &FileHandleU64,
        _: &filename3<'_>,
        _: createverf3,
    ) -> Result<FileHandleU64, nfsstat3> {
        Err(nfsstat3::NFS3ERR_ROFS)
    }
    async fn mkdir(&self, _: &FileHandleU64, _: &filename3<'_>) -> Result<(FileHandleU64, fattr3), nfsstat3> {
        Err(nfsstat3::NFS3ERR_ROFS)
    }
    async fn remove(&self, _: &FileHandleU64, _: &filename3<'_>) -> Result<(), nfsstat3> {
        Err(nfsstat3::NFS3ERR_ROFS)
    }
    async fn rename<'a>(
        &self,
        _: &FileHandleU64,
        _: &filename3<'a>,
        _: &FileHandleU64,
        _: &filename3<'a>,
    ) -> Result<(), nfsstat3> {
        Err(nfsstat3::NFS3ERR_ROFS)
    }
    async fn symlink<'a>(
        &self,
        _: &FileHandleU64,
        _: &filename3<'a>,
        _: &nfspath3<'a>,
        _: &sattr3,
    ) -> Result<(FileHandleU64, fattr3), nfsstat3> {
        Err(nfsstat3::NFS3ERR_ROFS)
    }
    async fn commit(&self, _: &FileHandleU64, _: u64, _: u32) -> Result<(), nfsstat3> {
        Err(nfsstat3::NFS3ERR_ROFS)
    }
}

/// The rest of one directory.
struct Listing(std::vec::IntoIter<DirEntryPlus<FileHandleU64>>);

impl ReadDirPlusIterator<FileHandleU64> for Listing {
    async fn next(&mut self) -> NextResult<DirEntryPlus<FileHandleU64>> {
        self.0.next().map_or(NextResult::Eof, NextResult::Ok)
    }
}

fn below(dir: &[u8], name: &[u8]) -> Vec<u8> {
    if dir == b"." { name.to_vec() } else { [dir, b"/", name].concat() }
}

fn attributes(stat: &Stat) -> fattr3 {
    let device = |raw: u64| specdata3 { specdata1: rustix::fs::major(raw), specdata2: rustix::fs::minor(raw) };
    fattr3 {
        type_: match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => ftype3::NF3DIR,
            FileType::Symlink => ftype3::NF3LNK,
            FileType::Fifo => ftype3::NF3FIFO,
            FileType::Socket => ftype3::NF3SOCK,
            FileType::BlockDevice => ftype3::NF3BLK,
            FileType::CharacterDevice => ftype3::NF3CHR,
            FileType::RegularFile | FileType::Unknown => ftype3::NF3REG,
        },
        mode: stat.st_mode & 0o7777,
        nlink: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        used: u64::try_from(stat.st_blocks).unwrap_or(0) * 512,
        rdev: device(stat.st_rdev),
        fsid: stat.st_dev,
        fileid: stat.st_ino,
        atime: time(stat.st_atime, stat.st_atime_nsec),
        mtime: time(stat.st_mtime, stat.st_mtime_nsec),
        ctime: time(stat.st_ctime, stat.st_ctime_nsec),
    }
}

/// NFSv3 has 32 bits of unsigned seconds; what does not fit is cut to the nearest end.
fn time(secs: i64, nanos: impl TryInto<u32>) -> nfstime3 {
    let seconds = u32::try_from(secs).unwrap_or(if secs < 0 { 0 } else { u32::MAX });
    nfstime3 { seconds, nseconds: nanos.try_into().unwrap_or(0) }
}

fn status(errno: Errno) -> nfsstat3 {
    match errno {
        Errno::NOENT => nfsstat3::NFS3ERR_NOENT,
        Errno::PERM => nfsstat3::NFS3ERR_PERM,
        Errno::ACCESS => nfsstat3::NFS3ERR_ACCES,
        Errno::NOTDIR => nfsstat3::NFS3ERR_NOTDIR,
        Errno::ISDIR => nfsstat3::NFS3ERR_ISDIR,
        Errno::NAMETOOLONG => nfsstat3::NFS3ERR_NAMETOOLONG,
        Errno::INVAL | Errno::LOOP => nfsstat3::NFS3ERR_INVAL,
        Errno::STALE => nfsstat3::NFS3ERR_STALE,
        _ => nfsstat3::NFS3ERR_IO,
    }
}
