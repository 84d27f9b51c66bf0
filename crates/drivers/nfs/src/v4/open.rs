//! OPEN (RFC 8881, section 18.16), for servers that do not let anybody read without one. Files are read under the
//! anonymous state id first: that costs no state at the server and two requests less for each file.

use super::{
    compound::{Compound, Reply, StateId, op},
    failure::Failure,
    tree::Shared,
};
use crate::xdr::{Decoded, Malformed, Reader};
use bytes::Bytes;
use std::sync::atomic::Ordering;

/// `OPEN4_SHARE_ACCESS_READ | OPEN4_SHARE_ACCESS_WANT_NO_DELEG`.
const READ_WITHOUT_DELEGATION: u32 = 1 | 0x0400;
/// `CLAIM_FH`: the file is the current file handle.
const CLAIM_FH: u32 = 4;

/// A file that we hold open. Closed when dropped.
#[derive(Debug)]
pub(crate) struct Opened {
    tree: Shared,
    handle: Bytes,
    pub state: StateId,
}

impl Opened {
    /// Opens a file for reading, without keeping others from anything.
    pub async fn new(tree: &Shared, handle: &Bytes) -> Result<Self, Failure> {
        let mut ask = Compound::new("OPEN").put(handle);
        let number = tree.opened.fetch_add(1, Ordering::Relaxed);
        let to = ask.op(op::OPEN).u32(0).u32(READ_WITHOUT_DELEGATION).u32(0);
        // The server takes the client from the session. Not created; by its handle.
        to.u64(0).opaque(&number.to_be_bytes()).u32(0).u32(CLAIM_FH);
        let mut reply = tree.client.call(&ask).await?;
        reply.done(op::PUTFH)?;
        let (state, delegation) = opened(&mut reply)?;
        let opened = Self { tree: tree.clone(), handle: handle.clone(), state };
        if let Some(delegation) = delegation {
            let mut back = Compound::new("DELEGRETURN").put(handle);
            back.op(op::DELEGRETURN).fixed(&delegation.0);
            let mut reply = tree.client.call(&back).await?;
            reply.done(op::PUTFH)?;
            reply.done(op::DELEGRETURN)?;
        }
        Ok(opened)
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (tree, handle, state) = (self.tree.clone(), std::mem::take(&mut self.handle), self.state);
        // Nobody waits for it: what is not closed ends with our lease.
        drop(runtime.spawn(async move {
            let mut close = Compound::new("CLOSE").put(&handle);
            close.op(op::CLOSE).u32(0).fixed(&state.0);
            let told = tree.client.call(&close).await.and_then(|mut reply| {
                reply.done(op::PUTFH)?;
                reply.take(op::CLOSE, |from| from.raw(16).map(|_| ()))
            });
            if let Err(failure) = told {
                tracing::debug!(%failure, "a file stays open until the lease ends");
            }
        }));
    }
}

/// The state of the open, and a delegation that came with it.
pub(super) fn opened(reply: &mut Reply) -> Result<(StateId, Option<StateId>), Failure> {
    reply.take(op::OPEN, results)
}

fn results(from: &mut Reader<'_>) -> Decoded<(StateId, Option<StateId>)> {
    let state = StateId(from.array()?);
    // change_info4 and rflags.
    from.raw(20 + 4)?;
    for _ in 0..from.count(4)? {
        from.u32()?;
    }
    let delegation = match from.u32()? {
        0 => None,
        1 => {
            let delegation = StateId(from.array()?);
            from.bool()?;
            permissions(from)?;
            Some(delegation)
        }
        2 => {
            let delegation = StateId(from.array()?);
            from.bool()?;
            // By size or by blocks: 64 bits either way.
            from.raw(4 + 8)?;
            permissions(from)?;
            Some(delegation)
        }
        3 => {
            // WND4_CONTENTION and WND4_RESOURCE say whether more will be told.
            if matches!(from.u32()?, 1 | 2) {
                from.bool()?;
            }
            None
        }
        _ => return Err(Malformed("a delegation of no known kind")),
    };
    Ok((state, delegation))
}

/// An `nfsace4`.
fn permissions(from: &mut Reader<'_>) -> Decoded<()> {
    from.raw(12)?;
    from.opaque(4096).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xdr::Writer;

    fn answer(delegation: impl FnOnce(&mut Writer)) -> Decoded<(StateId, Option<StateId>)> {
        let mut out = Writer::default();
        out.fixed(&[7; 16]).bool(true).u64(1).u64(2).u32(0).u32(1).u32(0);
        delegation(&mut out);
        let raw = out.into_bytes();
        let mut from = Reader(&raw);
        let told = results(&mut from)?;
        assert!(from.0.is_empty());
        Ok(told)
    }

    #[test]
    fn every_way_to_give_a_delegation_is_understood() {
        fn ace(to: &mut Writer) {
            to.u32(0).u32(0).u32(1).opaque(b"EVERYONE@");
        }
        fn none(_: &mut Writer) {}
        let state = StateId([7; 16]);
        let given = Some(StateId([8; 16]));
        let told = |words: &[u32], rest: fn(&mut Writer)| {
            answer(|to| {
                for word in words {
                    to.u32(*word);
                }
                rest(to);
            })
        };
        assert_eq!(told(&[0], none), Ok((state, None)));
        assert_eq!(told(&[3, 0], none), Ok((state, None)));
        assert_eq!(told(&[3, 1, 1], none), Ok((state, None)));
        let eights = [0x0808_0808; 4];
        assert_eq!(told(&[&[1][..], &eights, &[0]].concat(), ace), Ok((state, given)));
        assert_eq!(told(&[&[2][..], &eights, &[0, 1, 0, 9]].concat(), ace), Ok((state, given)));
        assert!(told(&[4], none).is_err());
    }
}
