//! The shares of a server: `NetrShareEnum` ([MS-SRVS] 3.1.4.8), level 1.

use super::dce::{Interface, Pipe};
use crate::{
    SmbOptions,
    address::Address,
    client::{Base, Client},
    failure::Failure,
    names::{self, utf16},
    session::Session,
    wire::cursor::{Malformed, Reader, Writer, len32},
};
use model::Location;
use std::fmt;
use storage::Result;

/// 4b324fc8-1670-01d3-1278-5a47bf6ee188, version 3.0.
const SRVSVC: Interface = Interface {
    id: [0xc8, 0x4f, 0x32, 0x4b, 0x70, 0x16, 0xd3, 0x01, 0x12, 0x78, 0x5a, 0x47, 0xbf, 0x6e, 0xe1, 0x88],
    version: 3,
};
const NETR_SHARE_ENUM: u16 = 15;
/// More answers to one question than any server needs.
const MOST_ANSWERS: usize = 64;
const ERROR_SUCCESS: u32 = 0;
const ERROR_ACCESS_DENIED: u32 = 5;
const ERROR_MORE_DATA: u32 = 234;

/// A share of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ShareKind,
    /// One that the server made by itself for its administrators (`C$`, `ADMIN$`, `IPC$`).
    pub administrative: bool,
    /// Its name ends with `$`: browsers do not show it.
    pub hidden: bool,
    /// What its administrator wrote about it.
    pub comment: String,
}

impl Share {
    /// Does it hold files that people may want?
    pub(crate) fn is_data(&self) -> bool {
        self.kind == ShareKind::Disk && !self.administrative
    }
}

/// What a share is ([MS-SRVS] 2.2.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareKind {
    /// Files.
    Disk,
    /// A printer.
    Printer,
    /// Pipes between processes.
    Ipc,
    /// A device.
    Device,
}

impl fmt::Display for ShareKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disk => "disk",
            Self::Printer => "printer",
            Self::Ipc => "ipc",
            Self::Device => "device",
        })
    }
}

/// The shares of a server, whatever share and directory the location names.
///
/// Errors: as [`crate::SmbStore::connect`]; `Denied` where the user may not list shares (Windows shows them to
/// nobody but users), `Unsupported` where the server has no such service.
pub async fn shares(location: &Location, options: &SmbOptions) -> Result<Vec<Share>> {
    let address = Address::new(location, options)?;
    let told = |failure: Failure| {
        let words = format!(
            "{failure} for {} at {}:{}",
            Session::who(&address.options.credentials),
            address.host,
            address.port
        );
        failure.error("list the shares of").because(words)
    };
    let base = Base { host: address.host.clone(), port: address.port, share: utf16("IPC$"), dir: Vec::new() };
    let client = Client::new(base, address.options.clone());
    let host = &address.host;
    let work = |place| async move { listed(&mut Pipe::bind(&place, SRVSVC).await?, host).await };
    client.at(&utf16("srvsvc"), work).await.map_err(told)
}

async fn listed(pipe: &mut Pipe, host: &str) -> std::result::Result<Vec<Share>, Failure> {
    let mut all = Vec::new();
    let mut resume = 0;
    for _ in 0..MOST_ANSWERS {
        let answer = Answer::decode(&pipe.call(NETR_SHARE_ENUM, &arguments(host, resume)).await?)?;
        all.extend(answer.shares);
        match answer.status {
            ERROR_SUCCESS => return Ok(all),
            ERROR_MORE_DATA if answer.resume != resume => resume = answer.resume,
            ERROR_ACCESS_DENIED => return Err(Failure::Status(crate::wire::status::Status::ACCESS_DENIED)),
            _ => return Err(Malformed("the server lists its shares with an error that is not known").into()),
        }
    }
    Err(Malformed("the list of shares does not come to an end").into())
}

/// The arguments in NDR: server, level 1 with an empty container, preferred length, resume handle.
fn arguments(host: &str, resume: u32) -> Vec<u8> {
    let mut server = utf16(&format!(r"\\{host}"));
    server.push(0);
    let count = len32(server.len());
    let mut out = Writer::default();
    out.u32(0x2_0000).u32(count).u32(0).u32(count).bytes(&names::le_bytes(&server)).align(4);
    out.u32(1).u32(1).u32(0x2_0004).u32(0).u32(0); // level, its switch, container: nothing yet
    out.u32(u32::MAX).u32(0x2_0008).u32(resume);
    out.done()
}

struct Answer {
    shares: Vec<Share>,
    resume: u32,
    status: u32,
}

impl Answer {
    fn decode(raw: &[u8]) -> std::result::Result<Self, Malformed> {
        let mut at = Ndr { raw, at: 0 };
        at.skip(4)?; // level
        at.skip(4)?; // its switch
        let mut shares = Vec::new();
        if at.u32()? != 0 {
            let count = at.u32()?;
            if at.u32()? != 0 {
                at.skip(4)?; // the count once more
                let mut heads = Vec::new();
                // Each takes 12 bytes, so nothing is kept that did not come.
                for _ in 0..count {
                    heads.push((at.u32()? != 0, at.u32()?, at.u32()? != 0));
                }
                for (name, kind, comment) in heads {
                    let name = if name { at.text()? } else { String::new() };
                    let comment = if comment { at.text()? } else { String::new() };
                    shares.push(share(name, kind, comment)?);
                }
            }
        }
        at.skip(4)?; // how many there are in all
        let resume = if at.u32()? != 0 { at.u32()? } else { 0 };
        Ok(Self { shares, resume, status: at.u32()? })
    }
}

fn share(name: String, kind: u32, comment: String) -> std::result::Result<Share, Malformed> {
    const SPECIAL: u32 = 0x8000_0000;
    let administrative = kind & SPECIAL != 0;
    let hidden = name.ends_with('$');
    // Bits above tell of clusters.
    let kind = match kind & 0xFF {
        0 => ShareKind::Disk,
        1 => ShareKind::Printer,
        2 => ShareKind::Device,
        3 => ShareKind::Ipc,
        _ => return Err(Malformed("a share is of an unknown kind")),
    };
    Ok(Share { name, kind, administrative, hidden, comment })
}

/// Reads NDR, which keeps numbers at multiples of four.
struct Ndr<'a> {
    raw: &'a [u8],
    at: usize,
}

impl Ndr<'_> {
    fn u32(&mut self) -> std::result::Result<u32, Malformed> {
        let value = Reader::new(self.raw.get(self.at..).unwrap_or_default()).u32()?;
        self.at += 4;
        Ok(value)
    }
    fn skip(&mut self, len: usize) -> std::result::Result<(), Malformed> {
        self.at += len;
        if self.at <= self.raw.len() { Ok(()) } else { Err(Malformed("a list of shares ends too early")) }
    }
    /// A string with its three counts, in 16-bit units.
    fn text(&mut self) -> std::result::Result<String, Malformed> {
        self.skip(8)?;
        let len = usize::try_from(self.u32()?).unwrap_or(usize::MAX).saturating_mul(2);
        let end = self.at.saturating_add(len);
        let raw = self.raw.get(self.at..end).ok_or(Malformed("a list of shares ends too early"))?;
        self.at = end.next_multiple_of(4);
        Ok(names::text(raw))
    }
}

/// Tries the decoder; how many bytes are kept.
#[cfg(test)]
pub(super) fn decode_for_tests(raw: &[u8]) -> usize {
    let stub = raw.get(24..).unwrap_or_default();
    let size = |raw| {
        Answer::decode(raw).map_or(0, |answer| answer.shares.iter().map(|s| s.name.len() + s.comment.len()).sum())
    };
    size(raw) + size(stub)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Vec<u8> {
        let mut out = Writer::default();
        out.u32(1).u32(1).u32(0x2_000C).u32(2).u32(0x2_0010).u32(2);
        out.u32(0x2_0014).u32(0).u32(0x2_0018).u32(0x2_001C).u32(0x8000_0003).u32(0x2_0020);
        for text in ["data", "files\u{e9}", "IPC$", ""] {
            let mut units = utf16(text);
            units.push(0);
            let count = len32(units.len());
            out.u32(count).u32(0).u32(count).bytes(&names::le_bytes(&units)).align(4);
        }
        out.u32(2).u32(0x2_0024).u32(0).u32(0);
        out.done()
    }

    #[test]
    fn shares_are_told_with_kind_and_comment() {
        let found = Answer::decode(&answer()).unwrap();
        assert_eq!((found.status, found.resume, found.shares.len()), (0, 0, 2));
        let data = &found.shares[0];
        assert_eq!((data.name.as_str(), data.kind, data.comment.as_str()), ("data", ShareKind::Disk, "filesé"));
        let pipe = &found.shares[1];
        assert!(pipe.administrative && pipe.hidden && pipe.kind == ShareKind::Ipc && !data.hidden);
    }

    #[test]
    fn a_list_that_is_cut_is_refused() {
        let good = answer();
        for end in 0..good.len() {
            assert!(Answer::decode(&good[..end]).is_err(), "{end}");
        }
    }
}
