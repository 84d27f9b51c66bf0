//! How the process ends. The numbers are part of the interface and are never changed.

use std::process::ExitCode;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, nothing left over.
    Done,
    /// Could not finish.
    Failed,
    /// The command line or the configuration makes no sense.
    Usage,
    /// Finished, but some items failed or were skipped.
    LeftOver,
    /// Verification found differences.
    Different,
    /// Preflight said no; nothing was written.
    Refused,
    /// Interrupted from the keyboard; can be taken up again.
    Interrupted,
    /// Asked to end by SIGTERM; can be taken up again.
    Terminated,
}

impl Exit {
    /// The number that the shell sees.
    pub const fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::LeftOver => 3,
            Self::Different => 4,
            Self::Refused => 5,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The worse of two: could not finish, then differences, then left-over items. An interrupt wins, since
    /// the rest was not looked at.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        let rank = |exit: Self| match exit {
            Self::Done => 0,
            Self::LeftOver => 1,
            Self::Different => 2,
            Self::Refused => 3,
            Self::Failed => 4,
            Self::Usage => 5,
            Self::Interrupted | Self::Terminated => 6,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_end_wins_in_either_order() {
        for (better, worse) in [
            (Exit::Done, Exit::LeftOver),
            (Exit::LeftOver, Exit::Different),
            (Exit::Different, Exit::Failed),
            (Exit::Failed, Exit::Interrupted),
        ] {
            assert_eq!(better.worse(worse), worse);
            assert_eq!(worse.worse(better), worse);
        }
    }
}
