//! Referrals of DFS: where a path of a namespace really is ([MS-DFSC] 2.2).

use crate::{
    connection::Request,
    failure::Failure,
    names::{self, utf16},
    session::Session,
    wire::{
        cursor::{Malformed, Reader, Writer},
        header::Command,
        ioctl::{self, Control},
        status::Status,
    },
};

/// Room for an answer, bytes.
const ROOM: u32 = 56 << 10;
/// Longest path of a target, in 16-bit units. The request for its share begins with one backslash more.
const MOST_TEXT: usize = names::LONGEST - 1;
/// The entry names a domain's controllers, not a place.
const NAME_LIST: u16 = 2;

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Referral {
    /// How much of the path the targets stand for, in 16-bit units.
    pub consumed: usize,
    /// In the order of the server's liking.
    pub targets: Vec<Target>,
}

/// One place that holds the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub host: String,
    pub share: Vec<u16>,
    pub dir: Vec<u16>,
}

/// Asks a server where `\server\share\path` leads.
pub(crate) async fn ask(session: &Session, path: &[u16]) -> Result<Referral, Failure> {
    let tree = session.tree(&utf16("IPC$")).await?;
    let mut input = Writer::default();
    input.u16(4); // the newest form we know
    input.bytes(&names::le_bytes(path)).u16(0);
    let body = ioctl::request(&[0xFF; 16], Control::DfsReferrals, &input.done(), ROOM);
    let reply = session.request("IOCTL", &tree, Request::bringing(Command::Ioctl, body, ROOM)).await?;
    if !matches!(reply.status(), Status::SUCCESS | Status::BUFFER_OVERFLOW) {
        return Err(Failure::Status(reply.status()));
    }
    Ok(decode(&ioctl::output(&reply.message)?)?)
}

/// RESP_GET_DFS_REFERRAL.
pub(crate) fn decode(raw: &[u8]) -> Result<Referral, Malformed> {
    let mut at = Reader::new(raw);
    let consumed = usize::from(at.u16()?) / 2;
    let count = at.u16()?;
    at.skip(4)?;
    let mut rest = at.rest();
    let mut targets = Vec::new();
    for _ in 0..count {
        let mut at = Reader::new(rest);
        let version = at.u16()?;
        let len = usize::from(at.u16()?);
        at.skip(2)?; // root or link
        let flags = at.u16()?;
        if len < 8 {
            return Err(Malformed("a referral of DFS is too short"));
        }
        let address = match version {
            1 => Some(text(rest, 8)?),
            2 => {
                at.skip(8 + 4)?;
                Some(text(rest, at.u16()?.into())?)
            }
            3 | 4 if flags & NAME_LIST != 0 => None,
            3 | 4 => {
                at.skip(4 + 4)?;
                Some(text(rest, at.u16()?.into())?)
            }
            _ => return Err(Malformed("a referral of DFS has an unknown form")),
        };
        targets.extend(address.as_deref().and_then(target));
        rest = rest.get(len..).ok_or(Malformed("a referral of DFS lies beyond the end"))?;
    }
    Ok(Referral { consumed, targets })
}

/// The text at an offset, up to its NUL.
fn text(raw: &[u8], offset: usize) -> Result<Vec<u16>, Malformed> {
    let from = raw.get(offset..).ok_or(Malformed("a referral of DFS points beyond the end"))?;
    let units = from.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let text: Vec<u16> = units.take(MOST_TEXT + 1).take_while(|unit| *unit != 0).collect();
    if text.len() > MOST_TEXT { Err(Malformed("a path in a referral of DFS is too long")) } else { Ok(text) }
}

/// `\server\share\dir`
fn target(address: &[u16]) -> Option<Target> {
    let mut parts = address.split(|unit| *unit == u16::from(b'\\')).filter(|part| !part.is_empty());
    let host = String::from_utf16(parts.next()?).ok()?;
    let share = parts.next()?.to_vec();
    let dir = parts.collect::<Vec<_>>().join(&u16::from(b'\\'));
    Some(Target { host, share, dir })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A referral of version 3 with two targets, as Samba and Windows lay it out.
    fn referral() -> Vec<u8> {
        let mut out = Writer::default();
        out.u16(24).u16(2).u32(2);
        let texts: Vec<Vec<u8>> =
            [r"\one\data", r"\two\data\below"].map(|text| [names::le_bytes(&utf16(text)), vec![0, 0]].concat()).into();
        let mut offset = 2 * 34_usize;
        for (number, text) in texts.iter().enumerate() {
            let here = u16::try_from(offset - number * 34).unwrap();
            out.u16(3).u16(34).u16(0).u16(0).u32(600).u16(0).u16(0).u16(here).zeros(16);
            offset += text.len();
        }
        for text in texts {
            out.bytes(&text);
        }
        out.done()
    }

    #[test]
    fn a_referral_names_its_targets() {
        let found = decode(&referral()).unwrap();
        assert_eq!(found.consumed, 12);
        let target = |host: &str, dir: &str| Target { host: host.to_owned(), share: utf16("data"), dir: utf16(dir) };
        assert_eq!(found.targets, [target("one", ""), target("two", "below")]);
    }

    #[test]
    fn a_target_that_no_request_can_say_is_refused() {
        let to = |share: usize| {
            let mut out = Writer::default();
            out.u16(24).u16(1).u32(2);
            out.u16(3).u16(34).u16(0).u16(0).u32(600).u16(0).u16(0).u16(34).zeros(16);
            decode(&out.bytes(&names::le_bytes(&utf16(&format!(r"\one\{}", "s".repeat(share))))).u16(0).done())
        };
        assert_eq!(to(32_761).unwrap().targets[0].share.len(), 32_761);
        assert!(to(32_762).is_err());
    }

    #[test]
    fn broken_referrals_are_refused() {
        let good = referral();
        for end in 0..8 + 2 * 34 {
            assert!(decode(&good[..end]).is_err(), "{end}");
        }
    }
}
