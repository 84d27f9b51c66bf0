//! A small NFSv4.1 server with quirks: a root with a file, a directory, a referral, and what wants Kerberos.

use crate::{
    rpc::reply_to,
    v4::{
        attributes::{Bitmap, bit},
        compound::op,
    },
    xdr::{Decoded, Reader, Writer},
};
use bytes::Bytes;
use model::Location;
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

pub const CONTENT: &[u8] = b"what is in the file";
const STALE: u32 = 70;
const MOVED: u32 = 10_019;
const NOT_SAME: u32 = 10_027;
const OPENED: [u8; 16] = [3; 16];
const DELEGATED: [u8; 16] = [4; 16];
/// What READDIR says its cookies belong to.
const VERIFIER: u64 = 9;

/// How it misbehaves.
#[derive(Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a way to misbehave, and any of them go together")]
pub struct Quirks {
    /// Operations and slots that a session has.
    pub operations: u32,
    pub slots: u32,
    /// Nobody reads without an OPEN.
    pub insists_on_open: bool,
    /// OPEN gives a delegation that nobody wanted.
    pub delegates: bool,
    /// Only NFSv4.0 is served.
    pub old: bool,
    /// Statuses for requests to come, by operation, each used once.
    pub statuses: Vec<(u32, u32)>,
    /// Operations at which the connection is closed instead of an answer, each used once.
    pub hangups: Vec<u32>,
    /// Nothing is answered after the first session is made.
    pub silent: bool,
    /// Seconds that a lease lasts, where it is told.
    pub lease: Option<u32>,
}

#[derive(Default)]
pub struct Server {
    pub quirks: Quirks,
    pub seen: Vec<u32>,
    pub sessions: u64,
    /// Handles of another generation are stale.
    pub generation: u32,
}

/// Starts it; the location of its root, and what it saw.
pub async fn serve(quirks: Quirks) -> (Location, Arc<Mutex<Server>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("nfs://127.0.0.1:{}/?version=4.1", listener.local_addr().unwrap().port());
    let server = Arc::new(Mutex::new(Server { quirks, ..Server::default() }));
    let shared = server.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, shared.clone()));
        }
    });
    (at.parse().unwrap(), server)
}

async fn converse(mut stream: TcpStream, server: Arc<Mutex<Server>>) {
    while let Ok(mark) = stream.read_u32().await {
        let mut record = vec![0; usize::try_from(mark & 0x7fff_ffff).unwrap()];
        stream.read_exact(&mut record).await.unwrap();
        let answer = {
            let mut server = server.lock().unwrap();
            let answer = server.answer(&record).unwrap();
            let last = server.seen.last().copied();
            if let Some(at) = server.quirks.hangups.iter().position(|of| Some(*of) == last) {
                server.quirks.hangups.remove(at);
                return;
            }
            answer
        };
        let Some(answer) = answer else { continue };
        let mark = 0x8000_0000 | u32::try_from(answer.len()).unwrap();
        stream.write_all(&[&mark.to_be_bytes()[..], &answer].concat()).await.unwrap();
    }
}

/// Names below the root, with what they are: 1 a file, 2 a directory; the referral has no attributes at all.
const NAMES: [(&str, u32); 4] = [("away", 0), ("file", 1), ("guarded", 0), ("sub", 2)];

impl Server {
    fn answer(&mut self, record: &[u8]) -> Decoded<Option<Bytes>> {
        let mut from = Reader(record);
        let xid = from.u32()?;
        from.raw(20)?;
        for _ in 0..2 {
            from.u32()?;
            from.opaque(400)?;
        }
        from.opaque(1024)?;
        from.u32()?;
        let count = from.u32()?;
        let mut results = Writer::default();
        let (mut done, mut last, mut place) = (0, 0, String::new());
        if self.quirks.old {
            last = 10_021;
        } else if count > self.quirks.operations {
            last = 10_070;
        } else {
            while done < count && last == 0 {
                let number = from.u32()?;
                self.seen.push(number);
                let mut told = Writer::default();
                last = self.operation(number, &mut from, &mut told, &mut place)?;
                if let Some(at) = self.quirks.statuses.iter().position(|(of, _)| *of == number) {
                    last = self.quirks.statuses.remove(at).1;
                }
                results.u32(number).u32(last);
                if last == 0 {
                    results.fixed(&told.into_bytes());
                }
                done += 1;
            }
        }
        let mut out = reply_to(xid);
        out.u32(last).opaque(b"").u32(done).fixed(&results.into_bytes());
        let silent =
            self.quirks.silent && self.seen.contains(&op::RECLAIM_COMPLETE) && self.seen.last() == Some(&op::GETATTR);
        Ok((!silent).then(|| out.into_bytes()))
    }

    fn operation(&mut self, number: u32, from: &mut Reader<'_>, to: &mut Writer, place: &mut String) -> Decoded<u32> {
        match number {
            op::EXCHANGE_ID => {
                from.raw(8)?;
                from.opaque(1024)?;
                from.raw(12)?;
                to.u64(1).u32(1).u32(0).u32(0).u64(0).opaque(b"major").opaque(b"scope");
                to.u32(1).opaque(b"example.org").opaque(b"scripted").u64(0).u32(0);
            }
            op::CREATE_SESSION => {
                from.raw(16 + 2 * 28 + 4 + 4 + 4)?;
                self.sessions += 1;
                let Quirks { operations, slots, .. } = self.quirks;
                to.u64(self.sessions).u64(0).u32(1).u32(0);
                to.u32(0).u32(1 << 16).u32(1 << 16).u32(0).u32(operations).u32(slots).u32(0);
                to.u32(0).u32(4096).u32(4096).u32(0).u32(2).u32(1).u32(0);
            }
            op::SEQUENCE => {
                let id: [u8; 16] = from.array()?;
                let (number, slot) = (from.u32()?, from.u32()?);
                from.raw(8)?;
                to.fixed(&id).u32(number).u32(slot).u32(0).u32(self.quirks.slots - 1).u32(0);
                if id[..8] != self.sessions.to_be_bytes() {
                    return Ok(10_052);
                }
            }
            op::RECLAIM_COMPLETE => drop(from.u32()?),
            op::DESTROY_SESSION => drop(from.raw(16)?),
            op::DESTROY_CLIENTID => drop(from.u64()?),
            op::PUTROOTFH => place.clear(),
            op::PUTFH => {
                let handle = String::from_utf8(from.opaque(128)?.to_vec()).unwrap();
                let (name, generation) = handle.rsplit_once('@').unwrap();
                if generation != self.generation.to_string() {
                    return Ok(STALE);
                }
                *place = name.to_owned();
            }
            op::LOOKUP => {
                let name = String::from_utf8(from.opaque(255)?.to_vec()).unwrap();
                let known = NAMES.iter().any(|(known, _)| *known == name);
                if !known && !name.starts_with("level") {
                    return Ok(2);
                }
                *place = name;
            }
            op::GETFH => drop(to.opaque(&self.handle(place))),
            op::GETATTR => {
                let asked = words(from)?;
                let locations = asked == [1 << bit::FS_LOCATIONS];
                if locations {
                    Bitmap::of(&[bit::FS_LOCATIONS]).write(to);
                    let mut places = Writer::default();
                    places.u32(0).u32(1).u32(1).opaque(b"other.example").u32(1).opaque(b"new");
                    to.opaque(&places.into_bytes());
                } else if let Some(status) = barred(place) {
                    return Ok(status);
                } else if let (true, Some(lease)) = (asked == [1 << bit::LEASE_TIME], self.quirks.lease) {
                    Bitmap::of(&[bit::LEASE_TIME]).write(to);
                    to.opaque(&lease.to_be_bytes());
                } else {
                    attributes(to, kind(place));
                }
            }
            op::READDIR => {
                let (cookie, verifier) = (from.u64()?, from.u64()?);
                from.raw(8)?;
                words(from)?;
                if let Some(status) = barred(place) {
                    return Ok(status);
                }
                // A cookie goes with its verifier, and the first page with none (RFC 8881, section 18.23.3).
                if verifier != if cookie == 0 { 0 } else { VERIFIER } {
                    return Ok(NOT_SAME);
                }
                to.u64(VERIFIER);
                let at = usize::try_from(cookie).unwrap();
                // Two names a page.
                let page = if place.is_empty() { &NAMES[at..(at + 2).min(NAMES.len())] } else { &[] };
                for (n, (name, kind)) in page.iter().enumerate() {
                    to.bool(true).u64(u64::try_from(at + n + 1).unwrap()).opaque(name.as_bytes());
                    match barred(name) {
                        Some(status) => {
                            Bitmap::of(&[bit::RDATTR_ERROR]).write(to);
                            to.opaque(&status.to_be_bytes());
                        }
                        None => listed(to, *kind, &self.handle(name)),
                    }
                }
                to.bool(false).bool(at + 2 >= NAMES.len() || !place.is_empty());
            }
            op::OPEN => {
                from.raw(12 + 8)?;
                from.opaque(1024)?;
                from.raw(8)?;
                to.fixed(&OPENED).bool(true).u64(0).u64(0).u32(0).u32(0);
                if self.quirks.delegates {
                    to.u32(1).fixed(&DELEGATED).bool(false).u32(0).u32(0).u32(0).opaque(b"EVERYONE@");
                } else {
                    to.u32(3).u32(0);
                }
            }
            op::DELEGRETURN => assert_eq!(from.array()?, DELEGATED),
            op::CLOSE => {
                from.u32()?;
                assert_eq!(from.array()?, OPENED);
                to.fixed(&OPENED);
            }
            op::READ => {
                let state: [u8; 16] = from.array()?;
                let (at, count) = (from.u64()?, from.u32()?);
                if self.quirks.insists_on_open && state != OPENED {
                    return Ok(10_025);
                }
                let rest = &CONTENT[usize::try_from(at).unwrap().min(CONTENT.len())..];
                to.bool(true).opaque(&rest[..rest.len().min(usize::try_from(count).unwrap())]);
            }
            other => panic!("operation {other}"),
        }
        Ok(0)
    }

    fn handle(&self, name: &str) -> Vec<u8> {
        format!("{name}@{}", self.generation).into_bytes()
    }

    pub fn count(&self, number: u32) -> usize {
        self.seen.iter().filter(|seen| **seen == number).count()
    }
}

fn kind(name: &str) -> u32 {
    NAMES.iter().find(|(known, _)| *known == name).map_or(2, |(_, kind)| *kind)
}

/// What is elsewhere, and what wants Kerberos.
fn barred(name: &str) -> Option<u32> {
    match name {
        "away" => Some(MOVED),
        "guarded" => Some(10_016),
        _ => None,
    }
}

fn words(from: &mut Reader<'_>) -> Decoded<Vec<u32>> {
    (0..from.count(4)?).map(|_| from.u32()).collect()
}

/// Type, change, size, fsid; no more than that.
fn attributes(to: &mut Writer, kind: u32) {
    Bitmap::of(&[bit::TYPE, bit::CHANGE, bit::SIZE, bit::FSID]).write(to);
    let mut told = Writer::default();
    told.u32(kind).u64(5).u64(CONTENT.len() as u64).u64(if kind == 2 { 1 } else { 2 }).u64(0);
    to.opaque(&told.into_bytes());
}

fn listed(to: &mut Writer, kind: u32, handle: &[u8]) {
    Bitmap::of(&[bit::TYPE, bit::CHANGE, bit::SIZE, bit::FSID, bit::RDATTR_ERROR, bit::FILEHANDLE]).write(to);
    let mut told = Writer::default();
    told.u32(kind).u64(5).u64(CONTENT.len() as u64).u64(2).u64(0).u32(0).opaque(handle);
    to.opaque(&told.into_bytes());
}
