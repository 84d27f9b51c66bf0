//! The journal's promises, held against a disk that forgets, tears and stops.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

extern crate longshore_journal as journal;

mod codec;
mod commit;
mod compact;
mod crash;
mod damage;
mod lock;
mod results;
mod samples;
mod sort;
mod throughput;
