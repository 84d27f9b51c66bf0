//! The words everybody speaks: paths, entries, metadata, locations, units. No I/O, no async, no clock.
//!
//! Everything that crosses a crate boundary in longshore is made of these types, so that plans,
//! inventories and reports compile without a runtime and a name means the same thing on every wire.

mod digest;
mod entry;
mod location;
mod metadata;
mod names;
mod observed;
mod path;
mod units;

pub use digest::{DigestKind, Digests};
pub use entry::{Entry, FileId, Kind, Special, Stamp, Timestamp};
pub use location::{Location, LocationError};
pub use metadata::{Acl, Facets, Metadata, Posix, Principal};
pub use names::{NameMap, NameRefusal, NameRules};
pub use observed::{Method, Observed};
pub use path::{PathTextError, RelPath};
pub use units::{ByteSize, UnitError, human_count, human_duration, parse_duration};
