//! DCE/RPC over a named pipe (C706, [MS-RPCE]): bind, request, answers in fragments.

use crate::{
    client::Place,
    connection::Request,
    failure::Failure,
    open::Handle,
    wire::{
        cursor::{Malformed, Reader, Writer, len16, len32},
        file::{self, access},
        header::Command,
        ioctl::{self, Control},
        status::Status,
    },
};

/// Largest fragment that we take, bytes: what Windows uses.
const FRAGMENT: u16 = 4280;
/// Room for what a pipe brings at once, bytes.
const ROOM: u32 = 60 << 10;
/// Largest answer in all, bytes: more shares than any server has.
const MOST: usize = 16 << 20;

const REQUEST: u8 = 0;
const RESPONSE: u8 = 2;
const FAULT: u8 = 3;
const BIND: u8 = 11;
const BIND_ACK: u8 = 12;

const FIRST: u8 = 1;
const LAST: u8 = 2;

/// NDR, version 2: 8a885d04-1ceb-11c9-9fe8-08002b104860.
const NDR: [u8; 16] = [0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60];

/// An interface.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interface {
    pub id: [u8; 16],
    pub version: u32,
}

/// A pipe that is bound to an interface.
pub(crate) struct Pipe {
    handle: Handle,
    calls: u32,
}

impl Pipe {
    /// Opens the pipe `name` of `IPC$` and binds it.
    pub async fn bind(place: &Place, interface: Interface) -> Result<Self, Failure> {
        let rights = access::READ_DATA | access::WRITE_DATA | access::READ_ATTRIBUTES | access::READ_EA;
        let (handle, _, _) = Handle::open(place, "CREATE", rights, 0, Vec::new()).await?;
        let pipe = Self { handle, calls: 1 };
        let mut body = Writer::default();
        body.u16(FRAGMENT).u16(FRAGMENT).u32(0);
        // One context with one transfer syntax.
        body.u8(1).zeros(3).u16(0).u8(1).u8(0).bytes(&interface.id).u32(interface.version);
        body.bytes(&NDR).u32(2);
        let answer = pipe.transact(&packet(BIND, pipe.calls, &body.done())).await?;
        check_bound(&answer)?;
        Ok(pipe)
    }

    /// Calls a procedure with its arguments in NDR, and gives its results in NDR.
    pub async fn call(&mut self, number: u16, arguments: &[u8]) -> Result<Vec<u8>, Failure> {
        self.calls += 1;
        let mut body = Writer::default();
        body.u32(len32(arguments.len())).u16(0).u16(number).bytes(arguments);
        let mut stream = self.transact(&packet(REQUEST, self.calls, &body.done())).await?;
        let mut results = Vec::new();
        loop {
            match fragment(&stream)? {
                Some(Fragment { content, last, len, .. }) => {
                    results.extend_from_slice(content);
                    if last {
                        return Ok(results);
                    }
                    stream.drain(..len);
                }
                None => stream.extend(self.more().await?),
            }
            if results.len() + stream.len() > MOST {
                return Err(Malformed("an answer of the pipe is far too long").into());
            }
        }
    }

    /// Writes to the pipe, and reads what comes.
    async fn transact(&self, input: &[u8]) -> Result<Vec<u8>, Failure> {
        let body = ioctl::request(self.handle.id(), Control::PipeTransceive, input, ROOM);
        let reply = self.handle.request("IOCTL", Request::bringing(Command::Ioctl, body, ROOM)).await?;
        let mut output = ioctl::output(reply.good_or_cut()?)?.to_vec();
        // What did not fit is read as from a file.
        while matches!(reply.status(), Status::BUFFER_OVERFLOW) && fragment(&output)?.is_none() {
            output.extend(self.more().await?);
        }
        Ok(output)
    }

    async fn more(&self) -> Result<Vec<u8>, Failure> {
        let request = Request::bringing(Command::Read, file::read(self.handle.id(), 0, ROOM), ROOM);
        let reply = self.handle.request("READ", request).await?;
        let content = file::content(reply.good_or_cut()?)?;
        if content.is_empty() {
            Err(Malformed("a pipe ends in the middle of an answer").into())
        } else {
            Ok(content.into())
        }
    }
}

/// A packet of one fragment.
fn packet(kind: u8, call: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Writer::default();
    out.u8(5).u8(0).u8(kind).u8(FIRST | LAST).bytes(&[0x10, 0, 0, 0]); // little-endian, ASCII, IEEE
    out.u16(len16(16 + body.len())).u16(0).u32(call).bytes(body);
    out.done()
}

/// A fragment of an answer.
struct Fragment<'a> {
    kind: u8,
    last: bool,
    content: &'a [u8],
    /// Bytes of the whole.
    len: usize,
}

/// The fragment that `raw` begins with; `None` while it is not whole.
fn whole(raw: &[u8]) -> Result<Option<Fragment<'_>>, Malformed> {
    if raw.len() < 16 {
        return Ok(None);
    }
    let mut at = Reader::new(raw);
    let version = at.u8()?;
    at.skip(1)?;
    let kind = at.u8()?;
    let flags = at.u8()?;
    let order = at.array::<4>()?;
    let len = usize::from(at.u16()?);
    let auth = at.u16()?;
    if version != 5 || order[0] != 0x10 || len < 16 || auth != 0 {
        return Err(Malformed("what the pipe brings is not an answer of DCE/RPC"));
    }
    Ok(raw.get(16..len).map(|content| Fragment { kind, last: flags & LAST != 0, content, len }))
}

/// The fragment that `raw` begins with, with the results as its content.
fn fragment(raw: &[u8]) -> Result<Option<Fragment<'_>>, Malformed> {
    let Some(found) = whole(raw)? else { return Ok(None) };
    match found.kind {
        RESPONSE => {
            let content = found.content.get(8..).ok_or(Malformed("an answer of the pipe is too short"))?;
            Ok(Some(Fragment { content, ..found }))
        }
        BIND_ACK => Ok(Some(found)),
        FAULT => Err(Malformed("the server failed over a remote procedure call")),
        _ => Err(Malformed("the server refuses a remote procedure call")),
    }
}

/// Did the server take the interface and the transfer syntax?
fn check_bound(raw: &[u8]) -> Result<(), Malformed> {
    let refused = Malformed("the server does not offer this interface over this pipe");
    let Some(Fragment { kind: BIND_ACK, content, .. }) = whole(raw)? else { return Err(refused) };
    let mut at = Reader::new(content);
    at.skip(8)?;
    let address = usize::from(at.u16()?);
    at.skip(address)?;
    // Results begin at a multiple of four from the start of the packet.
    let done = 16 + 8 + 2 + address;
    at.skip(done.next_multiple_of(4) - done)?;
    let count = at.u8()?;
    at.skip(3)?;
    if count == 1 && at.u16()? == 0 { Ok(()) } else { Err(refused) }
}

/// Tries the decoders; how many bytes are kept.
#[cfg(test)]
pub(super) fn decode_for_tests(raw: &[u8]) -> usize {
    let found = fragment(raw).ok().flatten().map_or(0, |found| found.content.len());
    found + usize::from(check_bound(raw).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_in_fragments_is_put_together() {
        let mut raw = packet(RESPONSE, 2, b"12345678first ");
        raw[3] = FIRST;
        let found = fragment(&raw).unwrap().unwrap();
        assert_eq!((found.content, found.last, found.len), (&b"first "[..], false, raw.len()));
        assert!(fragment(&raw[..20]).unwrap().is_none());
        assert!(fragment(&packet(FAULT, 2, &[0; 16])).is_err());
        assert!(fragment(b"garbage that is long enough").is_err());
    }
}
