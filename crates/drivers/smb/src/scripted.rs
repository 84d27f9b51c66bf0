//! A server for tests that says what the test wants: SMB 2.1, where everybody is a guest.

use crate::{
    Credentials, SmbOptions,
    crypto::Signer,
    wire::{
        cursor::Writer,
        header::{Command, FLAG_RESPONSE, FLAG_SIGNED, HEADER, Header, MAGIC, command_number},
        query::All,
        session::SESSION_GUEST,
        status::Status,
    },
};
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;

/// What to say to a request.
pub(crate) enum Say {
    /// What a server without files says.
    Usual,
    /// A status and the body of the answer.
    This(Status, Vec<u8>),
    /// A status that is an error.
    Refuse(Status),
    /// A status without a signature, whatever was asked.
    Unsigned(Status),
    /// Nothing.
    Silence,
    /// Nothing, and the connection is closed.
    HangUp,
}

/// A request: the message, header first.
pub(crate) struct Asked(pub Vec<u8>);

impl Asked {
    pub fn is(&self, command: Command) -> bool {
        self.0[12..14] == command_number(command).to_le_bytes()
    }
    /// Kind and class of information that QUERY_INFO asks for.
    pub fn info(&self) -> Option<(u8, u8)> {
        self.is(Command::QueryInfo).then(|| (self.0[HEADER + 2], self.0[HEADER + 3]))
    }
    /// The name that CREATE opens.
    pub fn name(&self) -> String {
        let len = u16::from_le_bytes([self.0[HEADER + 46], self.0[HEADER + 47]]);
        crate::names::text(&self.0[HEADER + 56..][..len.into()])
    }
}

type Script = dyn Fn(&Asked) -> Say + Send + Sync;

/// The server. It ends, with its connections, when it is dropped.
pub(crate) struct Scripted {
    pub port: u16,
    _task: AbortOnDropHandle<()>,
}

impl Scripted {
    pub async fn start(script: impl Fn(&Asked) -> Say + Send + Sync + 'static) -> Self {
        Self::at(0, None, script).await
    }

    /// At a port, 0 for any, with signatures where there is a key.
    pub async fn at(port: u16, signer: Option<Signer>, script: impl Fn(&Asked) -> Say + Send + Sync + 'static) -> Self {
        let listener = loop {
            match TcpListener::bind(("127.0.0.1", port)).await {
                // The one before it is about to go.
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => tokio::task::yield_now().await,
                bound => break bound.unwrap(),
            }
        };
        let port = listener.local_addr().unwrap().port();
        let (script, signer): (Arc<Script>, _) = (Arc::new(script), Arc::new(signer));
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&script), Arc::clone(&signer)));
            }
        });
        Self { port, _task: AbortOnDropHandle::new(task) }
    }
}

/// Options of a guest.
pub(crate) fn guest() -> SmbOptions {
    SmbOptions { credentials: Credentials::Guest, ..SmbOptions::default() }
}

async fn serve(mut stream: TcpStream, script: Arc<Script>, signer: Arc<Option<Signer>>) {
    'chains: loop {
        let Ok(len) = stream.read_u32().await else { return };
        let mut chain = vec![0; usize::try_from(len).unwrap()];
        if stream.read_exact(&mut chain).await.is_err() {
            return;
        }
        let mut out = Vec::new();
        loop {
            let header = Header::decode(&chain).unwrap();
            let rest = if header.next == 0 { Vec::new() } else { chain.split_off(header.next.try_into().unwrap()) };
            let asked = Asked(chain);
            let (status, body, signed) = match script(&asked) {
                Say::Usual => usual(&asked),
                Say::This(status, body) => (status, body, true),
                Say::Refuse(status) => (status, refusal(), true),
                Say::Unsigned(status) => (status, refusal(), false),
                Say::Silence => continue 'chains,
                Say::HangUp => return,
            };
            let signer = signer.as_ref().as_ref().filter(|_| signed);
            answer(&mut out, &header, status, &body, !rest.is_empty(), signer);
            if rest.is_empty() {
                break;
            }
            chain = rest;
        }
        stream.write_u32(out.len().try_into().unwrap()).await.unwrap();
        stream.write_all(&out).await.unwrap();
    }
}

fn answer(out: &mut Vec<u8>, asked: &Header, status: Status, body: &[u8], more: bool, signer: Option<&Signer>) {
    let start = out.len();
    let len = HEADER + body.len();
    let next = if more { len.next_multiple_of(8) } else { 0 };
    let flags = FLAG_RESPONSE | if signer.is_some() { FLAG_SIGNED } else { 0 };
    let mut head = Writer::default();
    head.bytes(&MAGIC).u16(64).u16(0).u32(status.0).u16(asked.command).u16(64).u32(flags);
    head.u32(next.try_into().unwrap()).u64(asked.message_id).u32(0xFEFF).u32(1).u64(1).zeros(16).bytes(body);
    out.extend(head.done());
    out.resize(start + if more { next } else { len }, 0);
    if let Some(signer) = signer {
        signer.sign(&mut out[start..], asked.message_id);
    }
}

/// The body of every error.
fn refusal() -> Vec<u8> {
    Writer::default().u16(9).u16(0).u32(0).u8(0).done()
}

fn usual(asked: &Asked) -> (Status, Vec<u8>, bool) {
    let mut body = Writer::default();
    if asked.is(Command::Negotiate) {
        body.u16(65).u16(1).u16(0x0210).u16(0).zeros(16).u32(0).u32(1 << 16).u32(1 << 16).u32(1 << 16);
        body.zeros(16).u16(128).u16(0).u32(0);
    } else if asked.is(Command::SessionSetup) {
        body.u16(9).u16(SESSION_GUEST).u16(72).u16(0);
    } else if asked.is(Command::TreeConnect) {
        body.u16(16).u8(1).u8(0).u32(0).u32(0).u32(u32::MAX);
    } else if asked.is(Command::Close) {
        body.u16(60).u16(0).u32(0).zeros(52);
    } else {
        return (Status::ACCESS_DENIED, refusal(), true);
    }
    (Status::SUCCESS, body.done(), true)
}

/// The answer to CREATE. Nothing here looks at the times and sizes in it.
pub(crate) fn created() -> Say {
    Say::This(Status::SUCCESS, Writer::default().u16(89).zeros(6).zeros(52).zeros(4).bytes(&[7; 16]).zeros(8).done())
}

/// The answer to QUERY_INFO or QUERY_DIRECTORY.
pub(crate) fn output(raw: &[u8]) -> Say {
    let len = raw.len().try_into().unwrap();
    Say::This(Status::SUCCESS, Writer::default().u16(9).u16(72).u32(len).bytes(raw).done())
}

/// `FileAllInformation` without a name.
pub(crate) fn all(all: &All) -> Say {
    let mut out = Writer::default();
    out.u64(all.created).u64(all.accessed).u64(all.written).u64(all.changed).u32(all.attributes).u32(0);
    out.u64(all.allocated).u64(all.size).u32(all.links).u8(0).u8(all.directory.into()).u16(0).u64(all.file_id);
    output(&out.zeros(28).done())
}

/// The answer to READ.
pub(crate) fn content(raw: &[u8]) -> Say {
    let len = raw.len().try_into().unwrap();
    Say::This(Status::SUCCESS, Writer::default().u16(17).u8(80).u8(0).u32(len).u32(0).u32(0).bytes(raw).done())
}

/// The answer to IOCTL.
pub(crate) fn controlled(raw: &[u8]) -> Say {
    let len = raw.len().try_into().unwrap();
    let mut out = Writer::default();
    out.u16(49).u16(0).u32(0).zeros(16).u32(112).u32(0).u32(112).u32(len).u64(0).bytes(raw);
    Say::This(Status::SUCCESS, out.done())
}
