//! What went wrong, in the words of the Kerberos library.

use std::fmt;

/// Why there is no ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    reason: Reason,
    doing: &'static str,
    said: String,
}

/// What a caller can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The host has no GSSAPI library, or one that lacks what we need.
    NoLibrary,
    /// Nobody is logged in here: no cache, no keytab, or not this principal.
    NoTicket,
    /// The ticket is of yesterday.
    Expired,
    /// The clocks of this host and of the server (or KDC) are too far apart.
    ClockSkew,
    /// The KDC does not know the service, or the realm.
    UnknownService,
    /// The KDC does not answer.
    NoKdc,
    /// The KDC refuses the account: unknown, disabled, its password changed since or to be changed first.
    Account,
    /// The other side did not accept, or did not prove who it is.
    Refused,
    /// Anything else.
    Other,
}

impl Error {
    pub(crate) fn new(reason: Reason, doing: &'static str, said: impl Into<String>) -> Self {
        Self { reason, doing, said: said.into() }
    }

    /// From the codes of the library. `minor` is an error of the krb5 library: its table starts at
    /// -1765328384 and counts as the protocol does (RFC 4120, 7.5.9).
    pub(crate) fn from_status(doing: &'static str, major: u32, minor: u32, said: String) -> Self {
        const KRB5: i64 = -1_765_328_384;
        let kerberos = i64::from(minor.cast_signed()) - KRB5;
        // Routine errors are bits 16 to 23 of the major status (RFC 2744, 3.9.1).
        let routine = (major >> 16) & 0xff;
        let reason = match (kerberos, routine) {
            (32, _) | (_, 11) => Reason::Expired,
            (37, _) => Reason::ClockSkew,
            // Of the client: unknown, revoked (disabled, locked), key expired, key wrong.
            (6 | 18 | 23 | 24, _) => Reason::Account,
            (7 | 60, _) => Reason::UnknownService,
            // KRB5_REALM_UNKNOWN, KRB5_REALM_CANT_RESOLVE, KRB5_KDC_UNREACH
            (154..=156, _) => Reason::NoKdc,
            // KRB5_CC_NOTFOUND, KRB5_FCC_NOFILE, KRB5_KT_NOTFOUND, and GSS_S_NO_CRED
            (141 | 181 | 195, _) | (_, 7) => Reason::NoTicket,
            (_, 9 | 10 | 6) => Reason::Refused,
            _ => Reason::Other,
        };
        Self { reason, doing, said }
    }

    /// What kind of trouble it is.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self.reason {
            Reason::NoLibrary => "install MIT Kerberos (Debian: libgssapi-krb5-2, Red Hat: krb5-libs)",
            Reason::NoTicket => "run `kinit`, or name a keytab and its principal",
            Reason::Expired => "the ticket has expired: run `kinit` again, or use a keytab",
            Reason::ClockSkew => "set the clocks of this host and of the server by NTP: they may differ by 5 minutes",
            Reason::UnknownService => {
                "the KDC does not know this service: use the server's full host name as it stands in its keytab"
            }
            Reason::NoKdc => "no KDC answers: check krb5.conf (KRB5_CONFIG) and the network to the KDC",
            Reason::Account => {
                "the KDC refuses the account: it is unknown, disabled or locked, its password must be changed, or the \
                 keytab is older than its password"
            }
            Reason::Refused | Reason::Other => return None,
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} by Kerberos: {}", self.doing, self.said)
    }
}
impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_of_the_library_become_reasons() {
        let of = |major: u32, kerberos: i32| {
            Error::from_status("x", major, (-1_765_328_384 + kerberos).cast_unsigned(), String::new()).reason()
        };
        assert_eq!(of(13 << 16, 37), Reason::ClockSkew);
        assert_eq!(of(13 << 16, 32), Reason::Expired);
        // As `acquire_cred` tells it: GSS_S_NO_CRED, for a reason of the KDC.
        assert_eq!(of(7 << 16, 18), Reason::Account);
        assert_eq!(of(7 << 16, 23), Reason::Account);
        assert_eq!(of(13 << 16, 7), Reason::UnknownService);
        assert_eq!(of(13 << 16, 156), Reason::NoKdc);
        assert_eq!(of(13 << 16, 141), Reason::NoTicket);
        assert_eq!(Error::from_status("x", 7 << 16, 0, String::new()).reason(), Reason::NoTicket);
        assert_eq!(Error::from_status("x", 13 << 16, 22, String::new()).reason(), Reason::Other);
    }
}
