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
};
use storage::Result;

/// Most links on the way to one path.
const MOST_LINKS: usize = 8;
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
}

/// All servers that a location leads to.
#[derive(Debug)]
pub(crate) struct Client {
    options: SmbOptions,
    root: Base,
    servers: Mutex<HashMap<(String, u16), Arc<Server>>>,
    /// Links that were followed: path below the location, and where it leads.
    links: Mutex<BTreeMap<Vec<u16>, Base>>,
}

impl Client {
    pub fn new(root: Base, options: SmbOptions) -> Self {
        Self { options, root, servers: Mutex::default(), links: Mutex::default() }
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
        let server = {
            let mut servers = locked(&self.servers);
            let key = (host.to_lowercase(), port);
            let new = || {
                let mut options = self.options.clone();
                // What the location says of its own server holds for no other.
                options.service = options.service.filter(|_| host.eq_ignore_ascii_case(&self.root.host));
                Arc::new(Server::new(host.to_owned(), port, options))
            };
            Arc::clone(servers.entry(key).or_insert_with(new))
        };
        server.session().await
    }

    /// Where the path is, as far as the links are known.
    pub async fn place(&self, path: &[u16]) -> std::result::Result<Place, Failure> {
        let (base, link) = self.base_of(path);
        let rest = path.get(link..).unwrap_or_default();
        let rest = rest.strip_prefix(&[BACKSLASH]).unwrap_or(rest);
        let session = self.session(&base.host, base.port).await?;
        let tree = session.tree(&base.share).await?;
        let inside = joined(&base.dir, rest);
        let name = if tree.dfs { joined(&tree.unc, &inside) } else { inside };
        Ok(Place { session, tree, name })
    }

    /// Does `work` where the path is; links that show up are followed.
    pub async fn at<T, F>(&self, path: &[u16], work: impl Fn(Place) -> F) -> std::result::Result<T, Failure>
    where
        F: Future<Output = std::result::Result<T, Failure>> + Send,
    {
        for _ in 0..=MOST_LINKS {
            let place = self.place(path).await?;
            match work(place.clone()).await {
                Err(Failure::Status(Status::PATH_NOT_COVERED)) => self.follow(path, &place).await?,
                done => return done,
            }
        }
        Err(dead_link(path, "more links follow one another than can make sense"))
    }

    /// The base that a path lies in, and how much of the path leads there.
    fn base_of(&self, path: &[u16]) -> (Base, usize) {
        let links = locked(&self.links);
        let covering = links.iter().filter(|(link, _)| is_below(path, link)).max_by_key(|(link, _)| link.len());
        covering.map_or_else(|| (self.root.clone(), 0), |(link, base)| (base.clone(), link.len()))
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
        for target in &referral.targets {
            let same = target.host.eq_ignore_ascii_case(&self.root.host);
            let port = if same { self.root.port } else { crate::address::PORT };
            let base = Base { host: target.host.clone(), port, share: target.share.clone(), dir: target.dir.clone() };
            let opened = match self.session(&base.host, base.port).await {
                Ok(session) => session.tree(&base.share).await.map(|_| ()),
                Err(failure) => Err(failure),
            };
            match opened {
                Ok(()) => return Ok(base),
                Err(Failure::Share(Status::BAD_NETWORK_NAME)) => {
                    last = dead_link(link, &format!("there is no share `{}`", base.physical(&base.host, &[])));
                }
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
