//! The only place that maps a scheme to a driver.

use crate::{
    failure::{Code, Failure, Outcome},
    settings::{Settings, file::nearest},
};
use driver_local::{LocalOptions, LocalStore};
use driver_nfs::{NfsOptions, NfsStore};
use driver_s3::{S3Options, S3Store};
use model::Location;
use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path, sync::Arc};
use storage::{Deadline, Deadlines, NoProbe, Probe, RetryPolicy, Retrying, Source, Target};

/// One protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `file://`, and plain paths.
    File,
    /// `nfs://`, version 3.
    Nfs,
    /// `s3://`, Amazon's or any that speaks like it.
    S3,
}

impl Scheme {
    /// Every scheme with its word.
    pub const ALL: [(Self, &'static str); 3] = [(Self::File, "file"), (Self::Nfs, "nfs"), (Self::S3, "s3")];

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

/// Opens a location for reading, with retries and deadlines.
pub async fn source(location: &Location, settings: &Settings) -> Outcome<Arc<dyn Source>> {
    match Scheme::of(location)? {
        Scheme::File => Ok(patient(Arc::new(local(location, Missing::IsAnError, Arc::new(NoProbe))?), settings)),
        Scheme::Nfs => Ok(patient(Arc::new(nfs(location, settings, Arc::new(NoProbe)).await?), settings)),
        Scheme::S3 => Ok(patient(Arc::new(s3(location, settings, Arc::new(NoProbe)).await?), settings)),
    }
}

/// Opens a location for writing, with retries and deadlines.
pub async fn target(location: &Location, missing: Missing, settings: &Settings) -> Outcome<Arc<dyn Target>> {
    match Scheme::of(location)? {
        Scheme::File => Ok(patient(Arc::new(local(location, missing, Arc::new(NoProbe))?), settings)),
        Scheme::Nfs => Err(Failure::new(
            Code::ReadOnlyScheme,
            format!("cannot write to `{location}`: this version only reads `nfs://`"),
        )
        .hint("mount the export and give the mounted directory as the target")),
        Scheme::S3 => Ok(patient(Arc::new(s3(location, settings, Arc::new(NoProbe)).await?), settings)),
    }
}

/// What to do where a directory is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Say so.
    IsAnError,
    /// Make it, with its parents.
    IsMade,
}

/// Opens a directory of this host.
pub fn local(location: &Location, missing: Missing, probe: Arc<dyn Probe>) -> Outcome<LocalStore> {
    let path = Path::new(OsStr::from_bytes(location.path()));
    if missing == Missing::IsMade {
        std::fs::create_dir_all(path).map_err(|error| {
            Failure::new(Code::File, format!("cannot make the directory `{}`", path.display())).because(error)
        })?;
    }
    Ok(LocalStore::open(location.path(), LocalOptions { probe, ..LocalOptions::default() })?)
}

/// Connects to an NFSv3 export.
pub async fn nfs(location: &Location, settings: &Settings, probe: Arc<dyn Probe>) -> Outcome<NfsStore> {
    let options = NfsOptions {
        connect_timeout: settings.connect_timeout.value.0,
        request_timeout: settings.operation_timeout.value.0,
        probe,
        ..NfsOptions::default()
    };
    Ok(Box::pin(NfsStore::connect(location, options)).await?)
}

/// Opens a bucket.
pub async fn s3(location: &Location, settings: &Settings, probe: Arc<dyn Probe>) -> Outcome<S3Store> {
    let options = S3Options {
        connect_timeout: settings.connect_timeout.value.0,
        quiet_timeout: settings.operation_timeout.value.0,
        keys: settings.surroundings.keys.clone(),
        probe,
        ..S3Options::default()
    };
    Ok(Box::pin(S3Store::open(location, options)).await?)
}

/// Wraps a driver so that it waits for no answer for ever and tries again what may be tried again.
pub fn patient<S: ?Sized>(driver: Arc<S>, settings: &Settings) -> Arc<Retrying<Deadline<S>>> {
    let deadlines = Deadlines { operation: settings.operation_timeout.value.0, ..Deadlines::default() };
    let policy = RetryPolicy { tries: settings.tries.value, ..RetryPolicy::default() };
    Arc::new(Retrying::new(Arc::new(Deadline::new(driver, deadlines)), policy, seed()))
}

/// Pauses of several processes must not fall together.
fn seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos()) << 32 | u64::from(std::process::id())
}
