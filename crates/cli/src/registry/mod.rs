//! The only place that maps a scheme to a driver.

mod file;
mod fsimage;
mod hdfs;
mod nfs;
mod s3;
mod smb;

use crate::{
    failure::{Code, Failure, Outcome},
    settings::{Settings, file::nearest},
};
use collectors::{Collector, systems::SecretRef};
use model::Location;
use std::{ffi::OsStr, fmt, os::unix::ffi::OsStrExt as _, path::Path, sync::Arc, time::Duration};
use storage::{Deadline, Deadlines, NoProbe, Probe, RetryPolicy, Retrying, Source, Target};

/// One protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `file://`, and plain paths.
    File,
    /// `nfs://`, version 3 or 4.1.
    Nfs,
    /// `smb://`, 2.1 to 3.1.1.
    Smb,
    /// `hdfs://`.
    Hdfs,
    /// `fsimage://`, an image of a NameNode on this host.
    Fsimage,
    /// `s3://`, Amazon's or any that speaks like it.
    S3,
}

impl Scheme {
    /// Every scheme with its word.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::File, "file"),
        (Self::Nfs, "nfs"),
        (Self::Smb, "smb"),
        (Self::Hdfs, "hdfs"),
        (Self::Fsimage, "fsimage"),
        (Self::S3, "s3"),
    ];

    /// The scheme of a location.
    pub fn of(location: &Location) -> Outcome<Self> {
        let word = location.scheme();
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(scheme, _)| *scheme).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|(_, word)| format!("{word}://")).collect();
            let failure = Failure::new(Code::Scheme, format!("cannot open `{location}`: nobody serves `{word}://`"));
            match nearest(word, Self::ALL.iter().map(|(_, word)| *word)) {
                Some(near) => failure.hint(format!("did you mean `{near}://`?")),
                None => failure.hint(format!("this version serves {}", known.join(", "))),
            }
        })
    }
}

/// Reads what was typed: a URI, or a path that begins with `/` or `.`.
pub fn location(typed: &OsStr) -> Outcome<Location> {
    let raw = typed.as_bytes();
    if raw.starts_with(b"/") || raw == b"." || raw == b".." || raw.starts_with(b"./") || raw.starts_with(b"../") {
        let path = std::path::absolute(Path::new(typed)).map_err(|error| {
            Failure::new(Code::Location, format!("cannot tell where `{}` is", typed.display())).because(error)
        })?;
        return Ok(Location::file(path.as_os_str().as_bytes()));
    }
    let text = typed.to_str().ok_or_else(|| {
        Failure::new(Code::Location, format!("`{}` is not a location: it is not UTF-8", typed.display()))
            .hint("write bytes that are not UTF-8 as `%XX`")
    })?;
    let read: Location = text.parse().map_err(|error: model::LocationError| {
        let plain = !text.contains("://");
        let failure = Failure::from(error);
        if plain { failure.hint(format!("for a directory write `./{text}`")) } else { failure }
    })?;
    Scheme::of(&read)?;
    Ok(read)
}

/// Something that is put around a driver.
pub type Wrap = Arc<dyn Fn(Arc<dyn Source>) -> Arc<dyn Source> + Send + Sync>;

/// How a location is opened for reading.
#[derive(Clone)]
pub struct Opening<'a> {
    /// What holds for everything.
    pub settings: &'a Settings,
    /// Told of every request.
    pub probe: Arc<dyn Probe>,
    /// A reference to the password, where one was given for this very system.
    pub password: Option<SecretRef>,
    /// Budgets and windows: asked before each try of each request.
    pub spared: Option<Wrap>,
}

impl<'a> Opening<'a> {
    /// With nothing but the settings.
    pub fn plain(settings: &'a Settings) -> Self {
        Self { settings, probe: Arc::new(NoProbe), password: None, spared: None }
    }

    /// What stands around a driver: a limit to every wait, what spares the server, and tries.
    fn around(&self, driver: Arc<dyn Source>) -> Arc<dyn Source> {
        let hasty: Arc<dyn Source> = Arc::new(Deadline::new(driver, deadlines(self.settings)));
        let spared = match &self.spared {
            Some(wrap) => wrap(hasty),
            None => hasty,
        };
        Arc::new(Retrying::new(spared, tries(self.settings), seed()))
    }
}

impl fmt::Debug for Opening<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").finish_non_exhaustive()
    }
}

/// Opens a location for reading, with what its protocol can tell of it.
pub async fn open(location: &Location, how: &Opening<'_>) -> Outcome<Collector> {
    let collector = match Scheme::of(location)? {
        Scheme::File => file::open(location, how),
        Scheme::Nfs => nfs::open(location, how).await,
        Scheme::Smb => smb::open(location, how).await,
        Scheme::Hdfs => hdfs::open(location, how).await,
        Scheme::Fsimage => fsimage::open(location, how).await,
        Scheme::S3 => s3::open(location, how).await,
    }?;
    Ok(collector.wrapped(|driver| how.around(driver)))
}

/// Opens a location for reading.
pub async fn source(location: &Location, settings: &Settings) -> Outcome<Arc<dyn Source>> {
    Ok(Box::pin(open(location, &Opening::plain(settings))).await?.source())
}

/// Opens a location for writing.
pub async fn target(location: &Location, missing: Missing, settings: &Settings) -> Outcome<Arc<dyn Target>> {
    match Scheme::of(location)? {
        Scheme::File => Ok(patient(Arc::new(file::store(location, missing, Arc::new(NoProbe))?), settings)),
        Scheme::S3 => Ok(patient(Arc::new(s3::store(location, settings, Arc::new(NoProbe)).await?), settings)),
        Scheme::Nfs | Scheme::Smb | Scheme::Hdfs | Scheme::Fsimage => Err(Failure::new(
            Code::ReadOnlyScheme,
            format!("cannot write to `{location}`: this version only reads `{}://`", location.scheme()),
        )
        .hint("mount it and give the mounted directory as the target")),
    }
}

/// A location that is part of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it is.
    pub location: Location,
    /// Why it is not discovered with the rest (an administrative share, say).
    pub left_out: Option<String>,
}

/// The exports, shares or buckets of a server, where the location names a whole server; `None` where it names
/// one of them.
pub async fn parts(location: &Location, how: &Opening<'_>) -> Outcome<Option<Vec<Part>>> {
    let whole = location.prefix().is_root();
    let parts = match Scheme::of(location)? {
        Scheme::Nfs if whole && location.path().is_empty() => nfs::exports(location, how).await?,
        Scheme::Smb if whole => smb::shares(location, how).await?,
        Scheme::S3 if location.host().is_empty() => s3::buckets(location, how).await?,
        Scheme::File | Scheme::Nfs | Scheme::Smb | Scheme::Hdfs | Scheme::Fsimage | Scheme::S3 => return Ok(None),
    };
    if parts.iter().all(|part| part.left_out.is_some()) {
        return Err(Failure::new(Code::NothingOffered, format!("`{location}` offers nothing to discover"))
            .because(if parts.is_empty() { "the list is empty" } else { "everything in the list is administrative" })
            .hint("name an export, share or bucket, or log in as somebody who may see more"));
    }
    Ok(Some(parts))
}

/// What to do where a directory is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Say so.
    IsAnError,
    /// Make it, with its parents.
    IsMade,
}

/// Wraps a driver so that it waits for no answer for ever and tries again what may be tried again.
fn patient<S: ?Sized>(driver: Arc<S>, settings: &Settings) -> Arc<Retrying<Deadline<S>>> {
    Arc::new(Retrying::new(Arc::new(Deadline::new(driver, deadlines(settings))), tries(settings), seed()))
}
/// Drivers wait for each answer as long as is set, and know what to do when none comes: close the connection, give the
/// session up. So what stands around them is a little more patient, and there for what does not end by itself.
fn deadlines(settings: &Settings) -> Deadlines {
    let each = settings.operation_timeout.value.0;
    let operation = each + (each / 4).max(Duration::from_secs(1));
    Deadlines { operation, silence: operation.max(Deadlines::default().silence), ..Deadlines::default() }
}
fn tries(settings: &Settings) -> RetryPolicy {
    RetryPolicy { tries: settings.tries.value, ..RetryPolicy::default() }
}

/// Pauses of several processes must not fall together.
fn seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos()) << 32 | u64::from(std::process::id())
}
