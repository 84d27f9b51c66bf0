//! What the server may ask of us (RFC 8881, section 20), answered so that it can go on: we want no delegation, hold
//! none, and return at once what is given all the same.

use super::status::Status;
use crate::{
    rpc::reply_to,
    xdr::{Decoded, Reader, Writer},
};
use bytes::Bytes;

/// The program that the server calls: any number of the transient range.
pub(crate) const PROGRAM: u32 = 0x4000_0000;

/// `CB_RECALL` and its like (RFC 8881, section 20).
const CB_SEQUENCE: u32 = 11;
const CB_RECALL: u32 = 4;
const CB_LAYOUT_RECALL: u32 = 5;
const CB_PUSH_DELEGATION: u32 = 7;
const CB_RECALL_ANY: u32 = 8;
const CB_RECALL_SLOT: u32 = 10;

/// The answer to a call of the server; `None` when it cannot be read.
pub(crate) fn answer(call: &[u8]) -> Option<Bytes> {
    let mut from = Reader(call);
    let xid = from.u32().ok()?;
    let mut out = reply_to(xid);
    answered(&mut from, &mut out).ok()?;
    Some(out.into_bytes())
}

fn answered(from: &mut Reader<'_>, out: &mut Writer) -> Decoded<()> {
    // Call, RPC version, program, version.
    from.raw(16)?;
    let procedure = from.u32()?;
    for _opaque_auth in 0..2 {
        from.u32()?;
        from.opaque(400)?;
    }
    if procedure == 0 {
        return Ok(());
    }
    let tag = from.opaque(1024)?;
    // Minor version, and a number that only NFSv4.0 uses.
    from.raw(8)?;
    let count = from.u32()?;
    if count == 0 || from.u32()? != CB_SEQUENCE {
        // RFC 8881, section 20.9.3: nothing else may come first.
        let status = Status(if count == 0 { 0 } else { 10_071 });
        out.u32(status.0).opaque(tag).u32(0);
        return Ok(());
    }
    let session: [u8; 16] = from.array()?;
    let (sequence, slot, highest) = (from.u32()?, from.u32()?, from.u32()?);
    from.u32()?;
    for _list in 0..from.count(20)? {
        from.raw(16)?;
        for _call in 0..from.count(8)? {
            from.raw(8)?;
        }
    }
    let second = if count > 1 { Some(from.u32()?) } else { None };
    let status = second.map_or(Status::OK, verdict);
    out.u32(status.0).opaque(tag).u32(1 + u32::from(second.is_some()));
    out.u32(CB_SEQUENCE).u32(0).fixed(&session).u32(sequence).u32(slot).u32(highest).u32(highest);
    if let Some(operation) = second {
        out.u32(operation).u32(status.0);
    }
    Ok(())
}

/// What we say to an operation.
fn verdict(operation: u32) -> Status {
    match operation {
        // Its return is under way since it was given.
        CB_RECALL | CB_RECALL_ANY | CB_RECALL_SLOT => Status::OK,
        CB_LAYOUT_RECALL => Status::NOMATCHING_LAYOUT,
        CB_PUSH_DELEGATION => Status::REJECT_DELEG,
        _ => Status::NOTSUPP,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(operations: &[u32]) -> Bytes {
        let mut out = Writer::default();
        out.u32(77).u32(0).u32(2).u32(PROGRAM).u32(1).u32(1).u32(0).u32(0).u32(0).u32(0);
        out.opaque(b"tag").u32(1).u32(0).u32(u32::try_from(operations.len()).unwrap());
        for operation in operations {
            out.u32(*operation);
            if *operation == CB_SEQUENCE {
                out.fixed(&[9; 16]).u32(5).u32(0).u32(0).bool(true);
                out.u32(1).fixed(&[8; 16]).u32(1).u32(1).u32(2);
            }
        }
        out.into_bytes()
    }

    #[test]
    fn a_recall_is_granted_and_the_rest_refused() {
        for (operation, status) in [(CB_RECALL, 0), (CB_LAYOUT_RECALL, 10060), (3, 10004), (99, 10004)] {
            let reply = answer(&call(&[CB_SEQUENCE, operation])).unwrap();
            let mut from = Reader(&reply);
            assert_eq!((from.u32(), from.u32()), (Ok(77), Ok(1)));
            from.raw(16).unwrap();
            assert_eq!((from.u32(), from.opaque(3), from.u32()), (Ok(status), Ok(&b"tag"[..]), Ok(2)));
            assert_eq!((from.u32(), from.u32(), from.array()), (Ok(CB_SEQUENCE), Ok(0), Ok([9; 16])));
            from.raw(16).unwrap();
            assert_eq!((from.u32(), from.u32()), (Ok(operation), Ok(status)));
            assert!(from.0.is_empty());
        }
    }

    #[test]
    fn a_call_that_is_cut_off_has_no_answer() {
        let whole = call(&[CB_SEQUENCE, CB_RECALL]);
        for len in 0..whole.len() {
            assert_eq!(answer(&whole[..len]), None, "{len}");
        }
        assert!(answer(&call(&[CB_RECALL])).is_some());
    }
}
