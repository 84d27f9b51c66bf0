//! The messages that a reader needs, by [MS-SMB2], [MS-FSCC], [MS-DFSC].
//!
//! Requests are built as bytes, answers are taken apart from the bytes that came. Every length is checked against
//! what is there before anything is done with it, and content is shared, not copied.

pub(crate) mod cursor;
pub(crate) mod directory;
pub(crate) mod file;
pub(crate) mod fs;
pub(crate) mod header;
pub(crate) mod ioctl;
pub(crate) mod negotiate;
pub(crate) mod query;
pub(crate) mod quota;
pub(crate) mod reparse;
pub(crate) mod session;
pub(crate) mod status;
