//! A listing as a stream: a driver brings one page after the other, and this makes the stream of them.

use crate::{Page, Result};
use futures::{StreamExt as _, stream, stream::BoxStream};

/// Whatever gives the pages of a directory, one after the other.
pub trait Listing: Send + 'static {
    /// The next page; its `next` is `None` at the last. Not asked for again after that or after an error.
    fn page(&mut self) -> impl Future<Output = Result<Page>> + Send;
}

/// The pages of a listing, up to the last or to the first error, which may be that it could not be started.
pub fn pages<L: Listing>(start: Result<L>) -> BoxStream<'static, Result<Page>> {
    stream::unfold(start.map(Some), |state| async move {
        let mut listing = match state {
            Ok(listing) => listing?,
            Err(refused) => return Some((Err(refused), Ok(None))),
        };
        let page = listing.page().await;
        let more = page.as_ref().is_ok_and(|page| page.next.is_some());
        Some((page, Ok(more.then_some(listing))))
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cursor, Error, ErrorKind};
    use bytes::Bytes;

    /// Pages left, and whether the last is an error.
    struct Left(u8, bool);

    impl Listing for Left {
        async fn page(&mut self) -> Result<Page> {
            self.0 = self.0.checked_sub(1).expect("nobody asks after the end");
            if self.0 == 0 && self.1 {
                return Err(Error::new(ErrorKind::Denied, "list"));
            }
            let next = (self.0 > 0).then(|| Cursor(Bytes::from_static(b"on")));
            Ok(Page::new(Vec::new(), next))
        }
    }

    async fn kinds(start: Result<Left>) -> Vec<Option<ErrorKind>> {
        pages(start).map(|page| page.err().map(|error| error.kind())).collect().await
    }

    #[tokio::test]
    async fn a_listing_ends_with_its_last_page_or_with_the_first_error() {
        assert_eq!(kinds(Ok(Left(3, false))).await, [None, None, None]);
        assert_eq!(kinds(Ok(Left(2, true))).await, [None, Some(ErrorKind::Denied)]);
        assert_eq!(kinds(Err(Error::new(ErrorKind::Invalid, "list"))).await, [Some(ErrorKind::Invalid)]);
    }
}
