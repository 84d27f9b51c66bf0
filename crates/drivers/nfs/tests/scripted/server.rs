//! A small NFSv3 server over a tree in memory that can be told to misbehave.

use nfs3_types::{
    mount::{self, MOUNT_PROGRAM, dirpath, export_node, exports, fhandle3, mountres3, mountres3_ok},
    nfs3::{
        self, FSINFO3res, FSINFO3resok, FSSTAT3res, FSSTAT3resok, GETATTR3args, GETATTR3res, GETATTR3resok,
        LOOKUP3args, LOOKUP3res, LOOKUP3resok, NFS_PROGRAM as P, Nfs3Option, Nfs3Result, PATHCONF3res, PATHCONF3resok,
        READ3args, READ3res, READ3resok, READDIR3args, READDIR3res, READDIR3resok, READDIRPLUS3args, READDIRPLUS3res,
        READDIRPLUS3resok, READLINK3args, READLINK3res, READLINK3resok, cookieverf3, dirlist3, dirlistplus3, entry3,
        entryplus3, fattr3, filename3, ftype3, nfs_fh3, nfspath3, nfsstat3, nfstime3, specdata3,
    },
    rpc::{accept_stat_data, accepted_reply, auth_stat, msg_body, opaque_auth, rejected_reply, reply_body, rpc_msg},
    xdr_codec::{List, Opaque, Pack, Unpack, Void},
};
use std::{
    collections::{BTreeMap, HashMap},
    io::Cursor,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What a listing says its cookies belong to.
const VERIFIER: cookieverf3 = cookieverf3(*b"verifier");
/// Entries in a page of a listing.
const PAGE: usize = 100;

/// What to do instead of answering, or how to answer.
#[derive(Clone)]
pub enum Reply {
    /// This message as the result.
    Message(Vec<u8>),
    /// Only this status.
    Status(nfsstat3),
    /// The RPC layer refuses who we are.
    Auth(auth_stat),
    /// The right answer in fragments of this size.
    InFragments(usize),
    /// The right answer, too late.
    Late(Duration),
    /// Close the connection.
    Hangup,
    /// Close the connection after this many bytes of the answer.
    CutAfter(usize),
    /// The right answer, when there are this many that wait: then all of them, the last first.
    Together(usize),
    /// The right answer after some that belong to nobody.
    AfterStrays,
    /// These bytes instead of a record, and nothing after them.
    Raw(Vec<u8>),
    /// Nothing, and the next call is answered.
    Nothing,
}

enum Node {
    Dir,
    File(Vec<u8>),
    Link(Vec<u8>),
}

/// What is served, and how badly.
pub struct Tree {
    nodes: BTreeMap<String, Node>,
    /// Handles of another generation are stale.
    pub generation: AtomicU32,
    pub ctime: AtomicU32,
    pub bare_entries: AtomicBool,
    pub same_cookie: AtomicBool,
    pub most_per_read: AtomicUsize,
    /// The files end here, whatever their attributes say.
    pub end_at: AtomicUsize,
    pub kerberos_only: AtomicBool,
}

impl Tree {
    pub fn new() -> Self {
        Self {
            nodes: BTreeMap::from([(String::new(), Node::Dir)]),
            generation: AtomicU32::new(1),
            ctime: AtomicU32::new(1_600_000_000),
            bare_entries: AtomicBool::new(false),
            same_cookie: AtomicBool::new(false),
            most_per_read: AtomicUsize::new(usize::MAX),
            end_at: AtomicUsize::new(usize::MAX),
            kerberos_only: AtomicBool::new(false),
        }
    }
    pub fn file(self, path: &str, content: &[u8]) -> Self {
        self.with(path, Node::File(content.to_vec()))
    }
    pub fn link(self, path: &str, target: &[u8]) -> Self {
        self.with(path, Node::Link(target.to_vec()))
    }
    pub fn dir(self, path: &str) -> Self {
        self.with(path, Node::Dir)
    }
    fn with(mut self, path: &str, node: Node) -> Self {
        // A leading slash keeps a name with slashes apart from a path below the root.
        let exotic =
            path.is_empty() || (path.contains('/') && !self.nodes.contains_key(path.rsplit_once('/').unwrap().0));
        self.nodes.insert(if exotic { format!("\u{1}{path}") } else { path.to_owned() }, node);
        self
    }

    fn handle(&self, path: &str) -> nfs_fh3 {
        let generation = self.generation.load(Ordering::Relaxed);
        let number = self.nodes.keys().position(|p| p == path).unwrap();
        nfs_fh3 { data: Opaque::owned(format!("{generation}:{number}").into_bytes()) }
    }
    fn path(&self, handle: &nfs_fh3) -> Result<&str, nfsstat3> {
        let text = std::str::from_utf8(&handle.data).map_err(|_| nfsstat3::NFS3ERR_BADHANDLE)?;
        let (generation, number) = text.split_once(':').ok_or(nfsstat3::NFS3ERR_BADHANDLE)?;
        if generation != self.generation.load(Ordering::Relaxed).to_string() {
            return Err(nfsstat3::NFS3ERR_STALE);
        }
        let number: usize = number.parse().unwrap();
        Ok(self.nodes.keys().nth(number).unwrap())
    }
    fn attributes(&self, path: &str) -> fattr3 {
        let (type_, size) = match &self.nodes[path] {
            Node::Dir => (ftype3::NF3DIR, 4096),
            Node::File(content) => (ftype3::NF3REG, content.len() as u64),
            Node::Link(_) => (ftype3::NF3LNK, 0),
        };
        let time = |seconds| nfstime3 { seconds, nseconds: 1 };
        fattr3 {
            type_,
            mode: 0o100_644,
            nlink: 1,
            uid: 1,
            gid: 2,
            size,
            used: size,
            rdev: specdata3::default(),
            fsid: 5,
            fileid: self.nodes.keys().position(|p| p == path).unwrap() as u64,
            atime: time(1),
            mtime: time(2),
            ctime: time(self.ctime.load(Ordering::Relaxed)),
        }
    }
    fn children(&self, dir: &str) -> Vec<&str> {
        let below = self.nodes.keys().filter(|path| !path.is_empty());
        below
            .filter(|path| match path.strip_prefix('\u{1}') {
                Some(_) => dir.is_empty(),
                None => path.rsplit_once('/').map_or("", |(parent, _)| parent) == dir,
            })
            .map(String::as_str)
            .collect()
    }

    fn answer(&self, procedure: P, arguments: &[u8]) -> Vec<u8> {
        match self.try_answer(procedure, arguments) {
            Ok(message) => message,
            Err(status) => failed(procedure, status),
        }
    }

    fn try_answer(&self, procedure: P, arguments: &[u8]) -> Result<Vec<u8>, nfsstat3> {
        let attributes = |path: &str| Nfs3Option::Some(self.attributes(path));
        Ok(match procedure {
            P::NFSPROC3_GETATTR => {
                let path = self.path(&unpacked::<GETATTR3args>(arguments).object)?;
                packed(&GETATTR3res::Ok(GETATTR3resok { obj_attributes: self.attributes(path) }))
            }
            P::NFSPROC3_LOOKUP => {
                let (dir, name) = unpacked_lookup(arguments);
                let dir = self.path(&dir)?;
                if !matches!(self.nodes[dir], Node::Dir) {
                    return Err(nfsstat3::NFS3ERR_NOTDIR);
                }
                let path = if dir.is_empty() { name } else { format!("{dir}/{name}") };
                if !self.nodes.contains_key(&path) {
                    return Err(nfsstat3::NFS3ERR_NOENT);
                }
                let dir_attributes = Nfs3Option::None;
                packed(&LOOKUP3res::Ok(LOOKUP3resok {
                    object: self.handle(&path),
                    obj_attributes: attributes(&path),
                    dir_attributes,
                }))
            }
            P::NFSPROC3_READLINK => {
                let path = self.path(&unpacked::<READLINK3args>(arguments).symlink)?;
                let Node::Link(target) = &self.nodes[path] else { return Err(nfsstat3::NFS3ERR_INVAL) };
                let data = nfspath3::from(&target[..]);
                packed(&READLINK3res::Ok(READLINK3resok { symlink_attributes: Nfs3Option::None, data }))
            }
            P::NFSPROC3_READ => self.read(&unpacked(arguments))?,
            P::NFSPROC3_READDIR => {
                let args: READDIR3args = unpacked(arguments);
                let dir = self.path(&args.dir)?;
                check(args.cookie, args.cookieverf)?;
                let (page, end) = self.page(dir, args.cookie);
                let entry = |(cookie, path): (u64, &str)| entry3 {
                    fileid: 1,
                    name: filename3::from(name_of(path).to_vec()),
                    cookie,
                };
                let reply = dirlist3 { entries: List(page.into_iter().map(entry).collect()), eof: end };
                let cookieverf = VERIFIER;
                packed(&READDIR3res::Ok(READDIR3resok { dir_attributes: Nfs3Option::None, cookieverf, reply }))
            }
            P::NFSPROC3_READDIRPLUS => {
                let args: READDIRPLUS3args = unpacked(arguments);
                let dir = self.path(&args.dir)?;
                check(args.cookie, args.cookieverf)?;
                let (page, end) = self.page(dir, args.cookie);
                let bare = self.bare_entries.load(Ordering::Relaxed);
                let entry = |(cookie, path): (u64, &str)| entryplus3 {
                    fileid: 1,
                    name: filename3::from(name_of(path).to_vec()),
                    cookie,
                    name_attributes: if bare { Nfs3Option::None } else { attributes(path) },
                    name_handle: if bare { Nfs3Option::None } else { Nfs3Option::Some(self.handle(path)) },
                };
                let reply = dirlistplus3 { entries: List(page.into_iter().map(entry).collect()), eof: end };
                let cookieverf = VERIFIER;
                packed(&READDIRPLUS3res::Ok(READDIRPLUS3resok { dir_attributes: Nfs3Option::None, cookieverf, reply }))
            }
            P::NFSPROC3_FSINFO => packed(&FSINFO3res::Ok(FSINFO3resok {
                obj_attributes: Nfs3Option::None,
                rtmax: 2 << 20,
                rtpref: 1 << 20,
                rtmult: 1,
                wtmax: 1 << 20,
                wtpref: 1 << 20,
                wtmult: 1,
                dtpref: 4096,
                maxfilesize: u64::MAX,
                time_delta: nfstime3 { seconds: 0, nseconds: 1 },
                properties: 0,
            })),
            P::NFSPROC3_PATHCONF => packed(&PATHCONF3res::Ok(PATHCONF3resok {
                obj_attributes: Nfs3Option::None,
                linkmax: 1000,
                name_max: 255,
                no_trunc: true,
                chown_restricted: true,
                case_insensitive: false,
                case_preserving: true,
            })),
            P::NFSPROC3_FSSTAT => {
                self.path(&unpacked::<GETATTR3args>(arguments).object)?;
                packed(&FSSTAT3res::Ok(FSSTAT3resok {
                    obj_attributes: Nfs3Option::None,
                    tbytes: 100,
                    fbytes: 40,
                    abytes: 30,
                    tfiles: 10,
                    ffiles: 3,
                    afiles: 3,
                    invarsec: 0,
                }))
            }
            _ => return Err(nfsstat3::NFS3ERR_NOTSUPP),
        })
    }

    fn read(&self, args: &READ3args) -> Result<Vec<u8>, nfsstat3> {
        let path = self.path(&args.file)?;
        let Node::File(content) = &self.nodes[path] else { return Err(nfsstat3::NFS3ERR_ISDIR) };
        let end = content.len().min(self.end_at.load(Ordering::Relaxed));
        let start = usize::try_from(args.offset).unwrap().min(end);
        let most = usize::try_from(args.count).unwrap().min(self.most_per_read.load(Ordering::Relaxed));
        let stop = end.min(start + most);
        let data = Opaque::borrowed(&content[start..stop]);
        let file_attributes = Nfs3Option::Some(self.attributes(path));
        let count = u32::try_from(data.len()).unwrap();
        Ok(packed(&READ3res::Ok(READ3resok { file_attributes, count, eof: stop == end, data })))
    }

    fn page(&self, dir: &str, cookie: u64) -> (Vec<(u64, &str)>, bool) {
        let children = self.children(dir);
        let start = usize::try_from(cookie).unwrap();
        let same = self.same_cookie.load(Ordering::Relaxed);
        let page = children.iter().enumerate().skip(start).take(PAGE);
        let page: Vec<_> = page.map(|(at, path)| (if same { 0 } else { at as u64 + 1 }, *path)).collect();
        let end = start + page.len() == children.len();
        (page, end)
    }
}

/// A cookie goes with its verifier, and the first page with none (RFC 1813, section 3.3.17).
fn check(cookie: u64, verifier: cookieverf3) -> Result<(), nfsstat3> {
    let right = if cookie == 0 { cookieverf3([0; 8]) } else { VERIFIER };
    if verifier.0 == right.0 { Ok(()) } else { Err(nfsstat3::NFS3ERR_BAD_COOKIE) }
}

fn name_of(path: &str) -> &[u8] {
    match path.strip_prefix('\u{1}') {
        Some(exotic) => exotic.as_bytes(),
        None => path.rsplit_once('/').map_or(path, |(_, name)| name).as_bytes(),
    }
}

/// A status with the empty optional attributes that follow it in every failure but GETATTR's.
fn failed(procedure: P, status: nfsstat3) -> Vec<u8> {
    let mut message = packed(&Nfs3Result::<Void, Void>::Err((status, Void)));
    if procedure != P::NFSPROC3_GETATTR {
        message.extend_from_slice(&[0; 4]);
    }
    message
}

type Hook = dyn Fn(P, usize) -> Option<Reply> + Send + Sync;
type MountHook = dyn Fn(&[u8]) -> Option<Reply> + Send + Sync;

/// The server. Ends when dropped.
pub struct Server {
    pub port: u16,
    pub tree: Arc<Tree>,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    hook: Mutex<Option<Arc<Hook>>>,
    mount_hook: Mutex<Option<Arc<MountHook>>>,
    /// Calls of each procedure since the hook was set.
    calls: Mutex<HashMap<u32, usize>>,
    connections: AtomicUsize,
    open: Mutex<Vec<JoinHandle<()>>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        self.close_all();
    }
}

impl Server {
    pub async fn start(tree: Tree) -> Self {
        Self::start_at(0, Arc::new(tree)).await
    }
    pub async fn start_at(port: u16, tree: Arc<Tree>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let (served, shared) = (tree.clone(), state.clone());
        let task = tokio::spawn(async move {
            loop {
                let stream = listener.accept().await.unwrap().0;
                shared.connections.fetch_add(1, Ordering::Relaxed);
                let connection = tokio::spawn(serve(stream, served.clone(), shared.clone()));
                shared.open.lock().unwrap().push(connection);
            }
        });
        Self { port, tree, state, task }
    }

    /// Asked before every NFS call, with how many of its kind came since this was set.
    pub fn hook(&self, hook: impl Fn(P, usize) -> Option<Reply> + Send + Sync + 'static) {
        *self.state.hook.lock().unwrap() = Some(Arc::new(hook));
        self.state.calls.lock().unwrap().clear();
    }
    /// Asked before every MNT.
    pub fn mount_hook(&self, hook: impl Fn(&[u8]) -> Option<Reply> + Send + Sync + 'static) {
        *self.state.mount_hook.lock().unwrap() = Some(Arc::new(hook));
    }
    /// Connections taken so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }
    /// Closes every connection.
    pub fn close_all(&self) {
        self.state.open.lock().unwrap().drain(..).for_each(|task| task.abort());
    }
}

async fn serve(mut stream: TcpStream, tree: Arc<Tree>, state: Arc<State>) {
    let mut held: Vec<Vec<u8>> = Vec::new();
    while let Ok(mark) = stream.read_u32().await {
        let mut record = vec![0; usize::try_from(mark & 0x7fff_ffff).unwrap()];
        if stream.read_exact(&mut record).await.is_err() {
            return;
        }
        let mut cursor = Cursor::new(&record[..]);
        let (call, _) = rpc_msg::unpack(&mut cursor).unwrap();
        let msg_body::CALL(body) = call.body else { panic!("not a call") };
        let arguments = &record[usize::try_from(cursor.position()).unwrap()..];
        let (right, reply) = if body.prog == nfs3::PROGRAM {
            let procedure = P::try_from(body.proc).unwrap();
            let nth = {
                let mut calls = state.calls.lock().unwrap();
                let nth = calls.entry(body.proc).or_default();
                *nth += 1;
                *nth
            };
            let hook = state.hook.lock().unwrap().clone();
            let reply = hook.and_then(|hook| hook(procedure, nth)).map(|reply| match reply {
                Reply::Status(status) => Reply::Message(failed(procedure, status)),
                other => other,
            });
            (tree.answer(procedure, arguments), reply)
        } else {
            answer_mount(&tree, &state, MOUNT_PROGRAM::try_from(body.proc).unwrap(), arguments)
        };
        let accepted = |message: Vec<u8>| {
            let head = accepted_reply { verf: opaque_auth::default(), reply_data: accept_stat_data::SUCCESS };
            let head = rpc_msg { xid: call.xid, body: msg_body::REPLY(reply_body::MSG_ACCEPTED(head)) };
            [packed(&head), message].concat()
        };
        let mut fragment = usize::MAX;
        let message = match reply {
            None => accepted(right),
            Some(Reply::Message(message)) => accepted(message),
            Some(Reply::Status(_)) => unreachable!("made a message above"),
            Some(Reply::Auth(stat)) => {
                let denied = reply_body::MSG_DENIED(rejected_reply::AUTH_ERROR(stat));
                packed(&rpc_msg { xid: call.xid, body: msg_body::REPLY(denied) })
            }
            Some(Reply::InFragments(size)) => {
                fragment = size;
                accepted(right)
            }
            Some(Reply::Late(wait)) => {
                tokio::time::sleep(wait).await;
                accepted(right)
            }
            Some(Reply::Hangup) => return,
            Some(Reply::Nothing) => continue,
            Some(Reply::Raw(bytes)) => {
                stream.write_all(&bytes).await.unwrap();
                std::future::pending().await
            }
            Some(Reply::AfterStrays) => {
                for xid in [call.xid.wrapping_add(1), call.xid.wrapping_sub(1), 0] {
                    let stray = [&xid.to_be_bytes()[..], &accepted(vec![0; 200])[4..]].concat();
                    stream.write_all(&marked(&stray, usize::MAX)).await.unwrap();
                }
                accepted(right)
            }
            Some(Reply::Together(count)) => {
                held.push(marked(&accepted(right), usize::MAX));
                if held.len() >= count {
                    held.reverse();
                    stream.write_all(&held.concat()).await.unwrap();
                    held.clear();
                }
                continue;
            }
            Some(Reply::CutAfter(len)) => {
                let message = accepted(right);
                stream.write_u32(0x8000_0000 | u32::try_from(message.len()).unwrap()).await.unwrap();
                stream.write_all(&message[..len]).await.unwrap();
                return;
            }
        };
        if stream.write_all(&marked(&message, fragment)).await.is_err() {
            return;
        }
    }
}

/// The message with its record marks, in fragments of this size.
fn marked(message: &[u8], fragment: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 4);
    let mut pieces = message.chunks(fragment.min(message.len())).peekable();
    while let Some(piece) = pieces.next() {
        let last = if pieces.peek().is_none() { 0x8000_0000 } else { 0 };
        out.extend_from_slice(&(last | u32::try_from(piece.len()).unwrap()).to_be_bytes());
        out.extend_from_slice(piece);
    }
    out
}

fn answer_mount(tree: &Tree, state: &State, procedure: MOUNT_PROGRAM, arguments: &[u8]) -> (Vec<u8>, Option<Reply>) {
    match procedure {
        MOUNT_PROGRAM::MOUNTPROC3_MNT => {
            let hook = state.mount_hook.lock().unwrap().clone();
            let path: dirpath = unpacked(arguments);
            let flavors = if tree.kerberos_only.load(Ordering::Relaxed) { vec![390_003] } else { vec![1] };
            let root = fhandle3(Opaque::owned(tree.handle("").data.into_owned()));
            let good = mountres3::Ok(mountres3_ok { fhandle: root, auth_flavors: flavors });
            (packed(&good), hook.and_then(|hook| hook(&path.0)))
        }
        MOUNT_PROGRAM::MOUNTPROC3_EXPORT => {
            let node = export_node {
                ex_dir: dirpath(Opaque::borrowed(b"/export")),
                ex_groups: List::<mount::name>(Vec::new()),
            };
            (packed(&exports::from_one(node)), None)
        }
        other => panic!("{other} was not expected"),
    }
}

trait FromOne<T> {
    fn from_one(one: T) -> Self;
}
impl<T> FromOne<T> for List<T> {
    fn from_one(one: T) -> Self {
        Self(vec![one])
    }
}

pub fn packed(value: &impl Pack) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.packed_size());
    value.pack(&mut out).unwrap();
    out
}

fn unpacked<T: Unpack>(raw: &[u8]) -> T {
    T::unpack(&mut Cursor::new(raw)).unwrap().0
}

fn unpacked_lookup(raw: &[u8]) -> (nfs_fh3, String) {
    let args: LOOKUP3args = unpacked(raw);
    (args.what.dir, String::from_utf8(args.what.name.0.into_owned()).unwrap())
}
