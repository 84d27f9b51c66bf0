//! Where a path is: which server, which session, which share, which name, across the links of DFS.

use crate::{
    SmbOptions,
    dfs::{self, Referral},
    failure::Failure,
    names,
    pool::Server,
    session::{Session, Tree},
    wire::status::Status,
};
use model::RelPath;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use storage::Result;

/// Most links on the way to one path.
const MOST_LINKS: usize = 8;
/// How often a request is sent in another session after its own was lost. A request that breaks the server must not do
/// so for ever.
const RESENDS: u32 = 3;
const BACKSLASH: u16 = b'\\' as u16;

/// A directory of a share: where a location begins, or a link leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    pub host: String,
    pub port: u16,
    pub share: Vec<u16>,
    /// 16-bit units with backslashes; empty for the root of the share.
    pub dir: Vec<u16>,
}

impl Base {
    /// The physical place of something below it, in lower case, to compare places by; `server` names the server,
    /// which may have several names.
    fn physical(&self, server: &str, rest: &[u16]) -> String {
        let dir = joined(&self.dir, rest);
        let whole = format!(r"\\{server}\{}\{}", Session::shown(&self.share), Session::shown(&dir));
        whole.trim_end_matches('\\').to_lowercase()
    }
}

/// Where a request for a path goes.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub session: Arc<Session>,
    pub tree: Arc<Tree>,
    /// The name for CREATE; begins with `server\share` in DFS.
    pub name: Vec<u16>,
    /// Serial number of the volume that holds it.
    pub volume: u32,
}

/// All servers that a location leads to.
#[derive(Debug)]
pub(crate) struct Client {
    options: SmbOptions,
    root: Base,
    servers: Mutex<HashMap<(String, u16), Arc<Server>>>,
    /// Links that were followed: path below the location, and where it leads.
    links: Mutex<BTreeMap<Vec<u16>, Base>>,
    /// Directories that were seen to be those of other volumes, with the serial numbers of these.
    mounts: Mutex<BTreeMap<Vec<u16>, u32>>,
}

impl Client {
    pub fn new(root: Base, options: SmbOptions) -> Self {
        Self { options, root, servers: Mutex::default(), links: Mutex::default(), mounts: Mutex::default() }
    }

    /// Moves the whole location elsewhere: a root of DFS that is served by another server.
    pub fn moved(mut self, root: Base) -> Self {
        if !root.host.eq_ignore_ascii_case(&self.root.host) {
            self.options.service = None;
        }
        Self { root, ..self }
    }

    /// A session with the server of `base`.
    pub async fn session(&self, host: &str, port: u16) -> std::result::Result<Arc<Session>, Failure> {
        self.server(host, port).session().await
    }

    fn server(&self, host: &str, port: u16) -> Arc<Server> {
        let mut servers = locked(&self.servers);
        let key = (host.to_lowercase(), port);
        let new = || {
            let mut options = self.options.clone();
            // What the location says of its own server holds for no other.
            options.service = options.service.filter(|_| host.eq_ignore_ascii_case(&self.root.host));
            Arc::new(Server::new(host.to_owned(), port, options))
        };
        Arc::clone(servers.entry(key).or_insert_with(new))
    }

    /// Where the path is, as far as the links are known.
    pub async fn place(&self, path: &[u16]) -> std::result::Result<Place, Failure> {
        let (base, rest) = self.base_of(path);
        let session = self.session(&base.host, base.port).await?;
        self.inside(session, &base, path, rest).await
    }

    /// Does `work` where the path is; links that show up are followed, and what was lost with its session is done
    /// again in the next: whatever we send can be repeated.
    pub async fn at<T, F>(&self, path: &[u16], work: impl Fn(Place) -> F) -> std::result::Result<T, Failure>
    where
        F: Future<Output = std::result::Result<T, Failure>> + Send,
    {
        let since = Instant::now();
        let (mut followed, mut resends) = (0, 0);
        loop {
            let (base, rest) = self.base_of(path);
            let session = self.session(&base.host, base.port).await?;
            let done = match self.inside(session, &base, path, rest).await {
                Ok(place) => match work(place.clone()).await {
                    Err(Failure::Status(Status::PATH_NOT_COVERED)) if followed > MOST_LINKS => {
                        return Err(dead_link(path, "more links follow one another than can make sense"));
                    }
                    Err(Failure::Status(Status::PATH_NOT_COVERED)) => match self.follow(path, &place).await {
                        Ok(()) => {
                            followed += 1;
                            continue;
                        }
                        Err(failure) => Err(failure),
                    },
                    done => done,
                },
                Err(failure) => Err(failure),
            };
            match done {
                Err(failure)
                    if failure.wants_new_session()
                        && resends < RESENDS
                        && since.elapsed() < self.options.reconnect_for =>
                {
                    tracing::debug!(host = base.host, %failure, resends, "another session is needed");
                    resends += 1;
                }
                done => return done,
            }
        }
    }

    /// The place of a path behind a base, in a session with its server; `rest` is what leads on from the base.
    async fn inside(
        &self,
        session: Arc<Session>,
        base: &Base,
        path: &[u16],
        rest: &[u16],
    ) -> std::result::Result<Place, Failure> {
        let tree = session.tree(&base.share).await?;
        let inside = joined(&base.dir, rest);
        let name = if tree.dfs { joined(&tree.unc, &inside) } else { inside };
        if name.len() > names::LONGEST {
            return Err(Failure::TooLong);
        }
        let behind = path.len() - rest.len();
        let mounts = locked(&self.mounts);
        // The directory itself lies on the volume that holds it.
        let above = mounts.iter().filter(|(at, _)| at.len() > behind && at.len() < path.len() && is_below(path, at));
        let volume = above.max_by_key(|(at, _)| at.len()).map_or(tree.volume, |(_, serial)| *serial);
        drop(mounts);
        Ok(Place { session, tree, name, volume })
    }

    /// Is the path a link that was followed, and if so, to another server than the location's?
    pub fn link(&self, path: &[u16]) -> Option<bool> {
        locked(&self.links).get(path).map(|base| !base.host.eq_ignore_ascii_case(&self.root.host))
    }

    /// The serial number of the volume that is mounted in a directory, if one was seen there.
    pub fn mount(&self, path: &[u16]) -> Option<u32> {
        locked(&self.mounts).get(path).copied()
    }

    /// Another volume is mounted in a directory.
    pub fn mounted(&self, path: Vec<u16>, serial: u32) {
        locked(&self.mounts).insert(path, serial);
    }

    /// The base that a path lies in, and what of the path leads on from it.
    fn base_of<'a>(&self, path: &'a [u16]) -> (Base, &'a [u16]) {
        let links = locked(&self.links);
        let covering = links.iter().filter(|(link, _)| is_below(path, link)).max_by_key(|(link, _)| link.len());
        let (base, len) = covering.map_or((&self.root, 0), |(link, base)| (base, link.len()));
        let rest = path.get(len..).unwrap_or_default();
        (base.clone(), rest.strip_prefix(&[BACKSLASH]).unwrap_or(rest))
    }

    /// Every base on the way to a path, with what of the path leads on from it.
    fn way_to(&self, path: &[u16]) -> Vec<(Base, Vec<u16>)> {
        let links = locked(&self.links);
        let mut bases = vec![(0, &self.root)];
        bases.extend(links.iter().filter(|(link, _)| is_below(path, link)).map(|(link, base)| (link.len(), base)));
        bases.sort_by_key(|(len, _)| *len);
        let ends = bases.iter().skip(1).map(|(len, _)| *len).chain([path.len()]);
        let ends: Vec<usize> = ends.collect();
        let way = bases.iter().zip(ends).map(|((start, base), end)| {
            let rest = path.get(*start..end).unwrap_or_default();
            ((*base).clone(), rest.strip_prefix(&[BACKSLASH]).unwrap_or(rest).to_vec())
        });
        way.collect()
    }

    /// Is what a link leads to above a place on the way to it? Following it would never end.
    async fn leads_back(&self, link: &[u16], target: &Base) -> std::result::Result<bool, Failure> {
        let address = self.session(&target.host, target.port).await?.address;
        let above = target.physical(&address.to_string(), &[]);
        for (base, rest) in self.way_to(link) {
            let address = self.session(&base.host, base.port).await?.address;
            if within(&base.physical(&address.to_string(), &rest), &above) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Learns where a path that the server does not cover leads.
    async fn follow(&self, path: &[u16], place: &Place) -> std::result::Result<(), Failure> {
        let asked = [&[BACKSLASH][..], &place.name].concat();
        let referral = dfs::ask(&place.session, &asked).await.map_err(|failure| match failure {
            Failure::Status(status) => dead_link(path, &format!("the server does not know where it leads: {status}")),
            failure => failure,
        })?;
        let behind = asked.get(referral.consumed..).unwrap_or_default();
        let behind = behind.strip_prefix(&[BACKSLASH]).unwrap_or(behind);
        // What is left behind the link is the same in both notations.
        let mut link = path.len().saturating_sub(behind.len());
        while link > 0 && path.get(link - 1) == Some(&BACKSLASH) {
            link -= 1;
        }
        let mut base = self.first_that_answers(&path[..link], &referral).await?;
        if let Some(above @ 1..) = behind.len().checked_sub(path.len()) {
            // The location itself begins behind the link.
            let within = &behind[..above];
            base.dir = joined(&base.dir, within.strip_suffix(&[BACKSLASH]).unwrap_or(within));
        }
        let target = base.physical(&base.host, &[]);
        if self.leads_back(&path[..link], &base).await? {
            return Err(dead_link(&path[..link], &format!("it leads back to `{target}`, from where we came")));
        }
        tracing::debug!(link = %Session::shown(&path[..link]), %target, "link followed");
        if locked(&self.links).insert(path[..link].to_vec(), base.clone()) == Some(base) {
            return Err(dead_link(&path[..link], "the server refers to the same place again and again"));
        }
        Ok(())
    }

    /// The first of the link's targets whose share can be opened.
    async fn first_that_answers(&self, link: &[u16], referral: &Referral) -> std::result::Result<Base, Failure> {
        let mut last = dead_link(link, "it leads nowhere");
        let mut targets = referral.targets.iter();
        while let Some(target) = targets.next() {
            let same = target.host.eq_ignore_ascii_case(&self.root.host);
            let port = if same { self.root.port } else { crate::address::PORT };
            let base = Base { host: target.host.clone(), port, share: target.share.clone(), dir: target.dir.clone() };
            let server = self.server(&base.host, base.port);
            // One that is away is waited for only where no other has the content.
            let session = if targets.len() == 0 { server.session().await } else { server.session_now().await };
            let opened = match session {
                Ok(session) => session.tree(&base.share).await.map(|_| ()),
                Err(failure) => Err(failure),
            };
            match opened {
                Ok(()) => return Ok(base),
                Err(Failure::Share(Status::BAD_NETWORK_NAME)) => {
                    last = dead_link(link, &format!("there is no share `{}`", base.physical(&base.host, &[])));
                }
                Err(cause) if !same || matches!(cause, Failure::Share(_)) => {
                    last = Failure::Behind { link: Session::shown(link), cause: Box::new(cause) };
                }
                // Not only the link is cut off.
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }
}

fn dead_link(link: &[u16], why: &str) -> Failure {
    Failure::Link { link: Session::shown(link), why: why.to_owned() }
}

/// Is `path` the place `dir`, or below it?
fn is_below(path: &[u16], dir: &[u16]) -> bool {
    dir.is_empty() || path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest[0] == BACKSLASH)
}

/// The same for physical places.
fn within(place: &str, dir: &str) -> bool {
    place.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('\\'))
}

/// `dir\rest`, or the one that is not empty.
pub(crate) fn joined(dir: &[u16], rest: &[u16]) -> Vec<u16> {
    match (dir.is_empty(), rest.is_empty()) {
        (true, _) => rest.to_vec(),
        (_, true) => dir.to_vec(),
        _ => [dir, &[BACKSLASH], rest].concat(),
    }
}

/// 16-bit units of a path.
pub(crate) fn units(path: &RelPath, op: &'static str) -> Result<Vec<u16>> {
    names::wire_path(path, op)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under the locks can leave it half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        connection::Request,
        names::utf16,
        open,
        scripted::{Say, Scripted, created, guest},
        wire::{file::access, header::Command},
    };
    use std::sync::atomic::{AtomicU32, Ordering};

    fn client(scripted: &Scripted, dir: &str) -> Client {
        let (host, share) = ("127.0.0.1".to_owned(), utf16("share"));
        Client::new(Base { host, port: scripted.port, share, dir: utf16(dir) }, guest())
    }

    async fn look(place: Place) -> std::result::Result<(), Failure> {
        let nothing: Vec<Request> = Vec::new();
        open::visit(&place, "CREATE+CLOSE", access::READ_ATTRIBUTES, 0, nothing).await.map(|_| ())
    }

    #[tokio::test]
    async fn what_was_lost_with_its_session_is_asked_again_in_another() {
        for losses in [1, RESENDS, RESENDS + 1] {
            for how in [|| Say::HangUp, || Say::Refuse(Status::USER_SESSION_DELETED)] {
                let asked = AtomicU32::new(0);
                let scripted = Scripted::start(move |request| {
                    // The share's volume is asked for by the name of its root.
                    if !request.is(Command::Create) || request.name().is_empty() {
                        return Say::Usual;
                    }
                    if asked.fetch_add(1, Ordering::Relaxed) < losses { how() } else { created() }
                });
                let scripted = scripted.await;
                let done = client(&scripted, "").at(&utf16("file"), look).await;
                assert_eq!(done.is_ok(), losses <= RESENDS, "{losses}: {done:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_name_that_no_request_can_say_is_refused() {
        let scripted = Scripted::start(|request| if request.is(Command::Create) { created() } else { Say::Usual });
        let scripted = scripted.await;
        let client = client(&scripted, &"d".repeat(30_000));
        client.at(&utf16(&"f".repeat(2_000)), look).await.unwrap();
        let failure = client.at(&utf16(&"f".repeat(3_000)), look).await.unwrap_err();
        assert!(failure.is_of_item());
        assert_eq!(failure.error("look").kind(), storage::ErrorKind::NameRefused);
        let session = client.session("127.0.0.1", scripted.port).await.unwrap();
        assert!(matches!(session.tree(&utf16(&"s".repeat(33_000))).await, Err(Failure::TooLong)));
    }
}
