//! Asking again along the whole path, when what was remembered of it no longer holds.
//!
//! A directory that is removed and made anew on the server's disk has another handle than before. Until everybody has
//! noticed, this is what comes, as seen with nfs-ganesha 4.3 (which keeps handles, and open directories, for long):
//!
//! * a request with the old handle is answered with STALE, or, as long as the server has the old directory open, with
//!   NOENT: READDIR as well as LOOKUP, although the names are there in the new one, while GETATTR succeeds and tells
//!   of no link;
//! * MNT of that directory gives out the old handle once more, which is stale at its first use; the next MNT gives
//!   the new one.
//!
//! A server that keeps attributes and names for a time (60 s by default with nfs-ganesha) shows the old directory
//! until then, and nothing on the wire tells.

use model::RelPath;
use std::time::Duration;

/// Pauses before each further try. The first costs nothing; the last ones are for a server that needs a moment.
const PAUSES: [Duration; 4] = [Duration::ZERO, Duration::ZERO, Duration::from_millis(50), Duration::from_millis(200)];

/// An answer that may be about what is no more.
pub(crate) trait Outdated {
    /// Does the server no longer know the file handle?
    fn is_stale(&self) -> bool;
    /// Is there no such name?
    fn is_missing(&self) -> bool;
}

/// What leads from paths to handles.
pub(crate) trait Way: Sync {
    type Failure: Outdated + Send;

    /// Forgets what led to `path`, and finds the root anew where that is stale; `thoroughly`: in any case.
    fn recover(&self, path: &RelPath, thoroughly: bool) -> impl Future<Output = Result<(), Self::Failure>> + Send;
}

/// Evaluates a question that is awaited, and when the handles on the way to the path may be outdated, again after they
/// were looked up anew: `surely!(way, path, ask(path).await)`.
///
/// A name that is missing is looked for once more that way, which costs the requests of a whole path; a stale handle
/// up to four times, 250 ms apart in all.
//
// A macro, because the compiler cannot yet be told that what an async closure gives can be sent to another thread.
macro_rules! surely {
    ($way:expr, $path:expr, $ask:expr) => {{
        let mut tries = $crate::again::Tries::default();
        loop {
            let answer = $ask;
            if let Some(settled) = tries.settled($way, $path, answer).await {
                break settled;
            }
        }
    }};
}
pub(crate) use surely;

/// How often the same was asked.
#[derive(Debug, Default)]
pub(crate) struct Tries(usize);

impl Tries {
    /// The answer that counts; none when the way to `path` was found anew, and the same is to be asked again.
    pub async fn settled<W: Way, T>(
        &mut self,
        way: &W,
        path: &RelPath,
        answer: Result<T, W::Failure>,
    ) -> Option<Result<T, W::Failure>> {
        let mut failure = match answer {
            Err(failure) if failure.is_stale() || (self.0 == 0 && failure.is_missing()) => failure,
            settled => return Some(settled),
        };
        while let Some(pause) = PAUSES.get(self.0) {
            tokio::time::sleep(*pause).await;
            self.0 += 1;
            failure = match way.recover(path, self.0 > 1).await {
                Ok(()) => return None,
                Err(stale) if stale.is_stale() => stale,
                Err(other) => return Some(Err(other)),
            };
        }
        Some(Err(failure))
    }

    /// After a handle that was given turned out to be stale at its first use: shall it be asked for again?
    pub async fn are_left(&mut self) -> bool {
        let Some(pause) = PAUSES.get(self.0) else { return false };
        tokio::time::sleep(*pause).await;
        self.0 += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Said {
        Stale,
        Missing,
        Denied,
    }

    impl Outdated for Said {
        fn is_stale(&self) -> bool {
            *self == Self::Stale
        }
        fn is_missing(&self) -> bool {
            *self == Self::Missing
        }
    }

    /// Whether each recovery was thorough.
    #[derive(Default)]
    struct Recoveries(Mutex<Vec<bool>>);

    impl Way for Recoveries {
        type Failure = Said;
        async fn recover(&self, _path: &RelPath, thoroughly: bool) -> Result<(), Said> {
            self.0.lock().unwrap().push(thoroughly);
            Ok(())
        }
    }

    async fn asked(answers: &[Result<u8, Said>]) -> (Result<u8, Said>, Vec<bool>) {
        let way = Recoveries::default();
        let mut answers = answers.iter();
        let told = surely!(&way, &"a".into(), *answers.next().expect("no further answer is asked for"));
        (told, way.0.into_inner().unwrap())
    }

    #[tokio::test]
    async fn a_stale_handle_is_asked_for_again_and_in_the_end_given_up() {
        use Said::Stale;
        assert_eq!(asked(&[Ok(1)]).await, (Ok(1), vec![]));
        assert_eq!(asked(&[Err(Stale), Ok(1)]).await, (Ok(1), vec![false]));
        assert_eq!(asked(&[Err(Stale), Err(Stale), Ok(1)]).await, (Ok(1), vec![false, true]));
        assert_eq!(asked(&[Err(Stale); 5]).await, (Err(Stale), vec![false, true, true, true]));
    }

    #[tokio::test]
    async fn a_missing_name_is_looked_for_once_more() {
        use Said::{Denied, Missing, Stale};
        assert_eq!(asked(&[Err(Missing), Ok(1)]).await, (Ok(1), vec![false]));
        assert_eq!(asked(&[Err(Missing), Err(Missing)]).await, (Err(Missing), vec![false]));
        assert_eq!(asked(&[Err(Stale), Err(Missing)]).await, (Err(Missing), vec![false]));
        assert_eq!(asked(&[Err(Denied)]).await, (Err(Denied), vec![]));
    }
}
