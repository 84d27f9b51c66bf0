//! Content in pieces that are fetched side by side and given in order.

use crate::{Error, ErrorKind, Result};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, stream};
use std::{iter, ops::Range};
use tokio_util::task::AbortOnDropHandle;

/// `wanted` in pieces of `step` bytes, `ahead` of them under way at a time: as many are held, taken or not. Each is
/// what `piece` gives for its range. Dropping the stream ends what is under way.
///
/// Each piece has a task of its own: a reader that pauses must not hold up requests that wait for their turn.
pub fn in_order<P>(
    wanted: Range<u64>,
    step: u64,
    ahead: usize,
    piece: impl Fn(Range<u64>) -> P + Send + 'static,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static
where
    P: Future<Output = Result<Bytes>> + Send + 'static,
{
    let end = wanted.end;
    let starts = iter::successors(Some(wanted.start), move |at| at.checked_add(step)).take_while(move |at| *at < end);
    stream::iter(starts)
        .map(move |at| AbortOnDropHandle::new(tokio::spawn(piece(at..end.min(at.saturating_add(step))))))
        .buffered(ahead)
        .map(|done| done.unwrap_or_else(|error| Err(Error::new(ErrorKind::Unexpected, "read").because(error))))
}

/// The same stream, which ends after its first error.
pub fn until_error<T>(items: impl Stream<Item = Result<T>>) -> impl Stream<Item = Result<T>> {
    items.scan(false, |failed, item| {
        let item = (!*failed).then_some(item);
        *failed = *failed || item.as_ref().is_some_and(Result::is_err);
        std::future::ready(item)
    })
}

/// All parts as one. A single part is not copied.
pub fn joined(mut parts: Vec<Bytes>) -> Bytes {
    if parts.len() == 1 {
        return parts.swap_remove(0);
    }
    let mut joined = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
    for part in &parts {
        joined.extend_from_slice(part);
    }
    joined.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    #[tokio::test]
    async fn pieces_come_in_order_and_only_so_many_at_a_time() {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let seen = most.clone();
        let pieces = in_order(5..42, 10, 3, move |range| {
            let (running, most) = (running.clone(), most.clone());
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // The first takes longest.
                tokio::time::sleep(Duration::from_millis(50 - range.start)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(Bytes::from(format!("{range:?} ")))
            }
        });
        let parts: Vec<Bytes> = pieces.map(Result::unwrap).collect().await;
        assert_eq!(joined(parts), "5..15 15..25 25..35 35..42 ");
        assert_eq!(seen.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn nothing_comes_after_an_error_and_a_panic_is_one() {
        let pieces = in_order(0..4, 1, 2, |range| async move {
            assert_ne!(range.start, 1, "on purpose");
            Ok(Bytes::new())
        });
        let kinds: Vec<_> = until_error(pieces).map(|piece| piece.err().map(|error| error.kind())).collect().await;
        assert_eq!(kinds, [None, Some(ErrorKind::Unexpected)]);
    }

    #[test]
    fn parts_are_joined_and_a_single_one_is_not_copied() {
        let one = Bytes::from(vec![7; 100]);
        assert_eq!(joined(vec![one.clone()]).as_ptr(), one.as_ptr());
        assert_eq!(joined(vec![one.slice(..3), Bytes::new(), one.slice(..2)]), one.slice(..5));
        assert!(joined(Vec::new()).is_empty());
    }
}
