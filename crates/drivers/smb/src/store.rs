//! The store: [`Source`] over a directory of a share.

use crate::{
    Credentials, Identity, SmbOptions,
    address::Address,
    attributes::READS,
    client::{Base, Client, Place, joined},
    connection::Request,
    dfs,
    failure::Failure,
    identity, list, look, names, open,
    quota::{self, Quotas},
    read,
    rpc::shares,
    session::Session,
    wire::{
        file::{access, option},
        fs::FullSize,
        query::{self, What},
        status::Status,
    },
};
use async_trait::async_trait;
use futures::stream::BoxStream;
use model::{Entry, Facets, Location, NameRules, RelPath};
use std::{fmt, sync::Arc};
use storage::{Capabilities, Error, ErrorKind, ListSpec, Page, ReadSpec, Reading, Result, Source, Usage};

const OPEN: &str = "open the share";

/// A directory of an SMB share, read only. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct SmbStore {
    client: Arc<Client>,
    location: Location,
    identity: Arc<Identity>,
    caps: Capabilities,
}

impl fmt::Debug for SmbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmbStore").field("location", &self.location).finish_non_exhaustive()
    }
}

impl SmbStore {
    /// Connects, logs in and opens the location.
    ///
    /// Errors: `Invalid` (the URI, or not a directory), `Unsupported` (no SMB 2.1 or newer there, or no signing or
    /// encryption where it is demanded), `Disconnected` or `Timeout` (the host or port cannot be reached),
    /// `Unauthenticated` (the server does not accept who we say we are), `NotFound` (no such share, whose hint names
    /// those there are, or no such directory), `Denied` (the share is closed to us).
    pub async fn connect(location: &Location, options: SmbOptions) -> Result<Self> {
        let address = Address::new(location, &options)?;
        if address.share.is_empty() {
            return Err(without_share(location, &options).await);
        }
        let dir = names::wire_path(&address.dir, OPEN)?;
        let root = Base { host: address.host.clone(), port: address.port, share: address.share.clone(), dir };
        let who = who(&address.options.credentials);
        let told = |failure: Failure| {
            let error = match &failure {
                Failure::Login(_) | Failure::MadeGuest => failure.clone().error("log in"),
                _ => failure.clone().error(OPEN),
            };
            let words = format!("{failure} for {who} at {}:{}", address.host, address.port);
            error.because(words)
        };
        let client = match opened(&root, &address.options).await {
            Ok(client) => client,
            Err(failure @ Failure::Share(Status::BAD_NETWORK_NAME)) => {
                let hint = named_shares(location, &options).await;
                return Err(told(failure).hint(hint));
            }
            Err(failure) => return Err(told(failure)),
        };
        let client = Arc::new(client);
        let found = look::stat(&client, &RelPath::ROOT, Facets::NONE).await?;
        if !found.kind.is_dir() {
            let why = format!("it is a {}, not a directory", found.kind.word());
            return Err(Error::new(ErrorKind::Invalid, OPEN).because(why));
        }
        let identity = identity::identify(&client).await.map_err(told)?;
        let caps = capabilities(&identity, location);
        Ok(Self { client, location: location.clone(), identity: Arc::new(identity), caps })
    }

    /// The location that was opened.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// What the server said of itself when the location was opened.
    pub fn identify(&self) -> &Identity {
        &self.identity
    }

    /// The quotas of users on the volume; nothing where there are none, or the server does not tell us. A few
    /// requests, and one more for some 600 users.
    ///
    /// Errors: as a `stat` of the root.
    pub async fn quotas(&self) -> Result<Option<Quotas>> {
        let told = self.client.at(&[], |place| async move { quota::of(&place).await }).await;
        told.map_err(|failure| failure.at("ask for quotas", &RelPath::ROOT))
    }
}

fn who(credentials: &Credentials) -> String {
    Session::who(credentials)
}

/// The client for a location, wherever DFS says that its root is.
async fn opened(root: &Base, options: &SmbOptions) -> Result<Client, Failure> {
    let client = Client::new(root.clone(), options.clone());
    match client.place(&[]).await {
        // The name may be that of a namespace, whose root another server holds.
        Err(Failure::Share(Status::BAD_NETWORK_NAME)) => {
            let session = client.session(&root.host, root.port).await?;
            let path = format!(r"\{}\{}", root.host, Session::shown(&root.share));
            let missing = Failure::Share(Status::BAD_NETWORK_NAME);
            let Ok(referral) = dfs::ask(&session, &names::utf16(&path)).await else { return Err(missing) };
            let mut last = missing;
            for target in referral.targets {
                let dir = joined(&target.dir, &root.dir);
                let base = Base { host: target.host, port: crate::address::PORT, share: target.share, dir };
                let client = Client::new(root.clone(), options.clone()).moved(base);
                match client.place(&[]).await {
                    Ok(_) => return Ok(client),
                    Err(failure) => last = failure,
                }
            }
            Err(last)
        }
        Err(failure) => Err(failure),
        Ok(_) => Ok(client),
    }
}

async fn without_share(location: &Location, options: &SmbOptions) -> Error {
    let error = Error::new(ErrorKind::Invalid, "use the location").because("it names no share");
    error.hint(named_shares(location, options).await)
}

/// The shares there are, for a hint.
async fn named_shares(location: &Location, options: &SmbOptions) -> String {
    match shares(location, options).await {
        Ok(shares) => {
            let names: Vec<String> =
                shares.iter().filter(|share| share.is_data()).map(|share| format!("`{}`", share.name)).collect();
            format!("the server has these shares: {}", names.join(", "))
        }
        Err(_) => "write `smb://user@host/share/dir`; the server does not list its shares to this user".to_owned(),
    }
}

/// What the volume says of its size.
async fn full_size(place: Place) -> Result<FullSize, Failure> {
    let middle: Vec<Request> = vec![look::info(What::FullSize)];
    let options = option::BACKUP;
    let replies = open::visit(&place, "CREATE+QUERY_INFO+CLOSE", access::READ_ATTRIBUTES, options, middle).await?;
    Ok(FullSize::decode(&query::output(replies[0].good_or_cut()?)?)?)
}

#[async_trait]
impl Source for SmbStore {
    fn caps(&self) -> &Capabilities {
        &self.caps
    }

    fn list(&self, dir: &RelPath, spec: ListSpec) -> BoxStream<'static, Result<Page>> {
        list::list(Arc::clone(&self.client), dir, &spec)
    }

    async fn stat(&self, path: &RelPath, want: Facets) -> Result<Entry> {
        look::stat(&self.client, path, want).await
    }

    async fn read(&self, path: &RelPath, spec: ReadSpec) -> Result<Reading> {
        read::read(&self.client, path, spec).await
    }

    async fn usage(&self) -> Result<Option<Usage>> {
        let size = self.client.at(&[], full_size).await;
        let size = size.map_err(|failure| failure.at("ask for the size of", &RelPath::ROOT))?;
        Ok(Some(Usage {
            capacity: size.total,
            // Where our quota bounds what we may write, the total is the quota too.
            used: size.total.saturating_sub(size.free.min(size.available)),
            available: size.available,
            files: None,
        }))
    }
}

fn capabilities(identity: &Identity, location: &Location) -> Capabilities {
    Capabilities {
        reads: READS,
        names: NameRules {
            // The limit counts 16-bit units, each of which takes up to 3 bytes in a path.
            max_component: identity.max_name.saturating_mul(3),
            utf8_only: false,
            case_sensitive: false,
            forbidden: b"\0\\:",
            ..NameRules::POSIX
        },
        prefix_len: location.prefix().len(),
        ..Capabilities::READ_ONLY
    }
}
