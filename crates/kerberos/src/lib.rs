//! Kerberos tickets by the GSSAPI library of the host, loaded when it is needed.
//!
//! SMB and the web pages of Hadoop both ask for a proof that only a ticket gives. The library of the host
//! (MIT's `libgssapi_krb5`, or Heimdal's) knows its realm, its caches and its keytabs, so it is used as it is;
//! it is opened at run time, so that a host without Kerberos runs us all the same.
//!
//! ```no_run
//! use longshore_kerberos::{Context, Credentials, Mechanism};
//! let mut context = Context::initiate("cifs@filer01", &Credentials::default(), Mechanism::Kerberos)?;
//! let first = context.step(None)?;
//! // send first.token, receive an answer
//! # let answer = vec![];
//! let last = context.step(Some(&answer))?;
//! assert!(last.done);
//! let key = context.session_key()?;
//! # Ok::<(), longshore_kerberos::Error>(())
//! ```
//!
//! Every call may talk to the KDC and blocks: from async code it belongs into a blocking task.

mod context;
mod error;
mod library;

pub use context::{Context, Step};
pub use error::{Error, Reason};

use std::path::PathBuf;

/// Whose ticket to use, and where it lies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// `alice@EXAMPLE.COM`; the cache's or the keytab's own when absent.
    pub principal: Option<String>,
    /// A keytab to get tickets with; they are kept in memory only. Needs MIT Kerberos 1.11 or later.
    pub keytab: Option<PathBuf>,
    /// A cache of tickets, such as `FILE:/tmp/krb5cc_1000`; the host's default when absent.
    pub ccache: Option<String>,
}

/// Which form the tokens have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Kerberos 5 by itself, 1.2.840.113554.1.2.2 (RFC 4121).
    Kerberos,
    /// Negotiation that comes to Kerberos, 1.3.6.1.5.5.2 (RFC 4178), as HTTP wants it (RFC 4559).
    Negotiate,
}
