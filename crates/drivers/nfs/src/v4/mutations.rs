//! Replies of a real server (nfs-ganesha 4.3), cut off and mutilated: a decoder refuses them or reads something
//! else, but never panics. `LONGSHORE_FUZZ_SECONDS` is the time for each decoder, 2 s by default.
//!
//! No decoder allocates by a length that it was told: what is collected was read, element by element.

use super::{
    attributes::HANDLE_MAX,
    compound::{Reply, op},
    failure::Failure,
    open, session,
};
use crate::xdr::Reader;
use bytes::Bytes;
use std::time::{Duration, Instant};

type Decode = fn(Bytes) -> Result<(), Failure>;

fn reply(raw: Bytes) -> Result<Reply, Failure> {
    Ok(Reply::new(raw)?)
}

/// The reply behind its SEQUENCE and PUTFH.
fn placed(raw: Bytes) -> Result<Reply, Failure> {
    let mut reply = sequenced(raw)?;
    reply.done(op::PUTFH)?;
    Ok(reply)
}

fn sequenced(raw: Bytes) -> Result<Reply, Failure> {
    let mut reply = reply(raw)?;
    reply.take(op::SEQUENCE, |from| {
        let mut told = *from;
        let (id, number, slot) = (told.array()?, told.u32()?, told.u32()?);
        session::sequence(from, &id, slot, number)
    })?;
    Ok(reply)
}

fn pestered(captured: &'static [u8], decode: Decode) {
    let seconds = std::env::var("LONGSHORE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    decode(Bytes::from_static(captured)).expect("the reply as it came is read");
    for len in 0..captured.len() {
        assert!(decode(Bytes::from_static(&captured[..len])).is_err(), "cut at {len} it is read all the same");
    }
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut random = fastrand::Rng::with_seed(captured.len() as u64);
    while Instant::now() < until {
        for _ in 0..1000 {
            let mut raw = captured.to_vec();
            for _ in 0..random.usize(1..5) {
                mutilate(&mut raw, &mut random);
            }
            // Whatever it says, it says so.
            drop(decode(raw.into()));
        }
    }
}

fn mutilate(raw: &mut Vec<u8>, random: &mut fastrand::Rng) {
    const LENGTHS: [u32; 10] = [0, 1, 2, 4, 127, 129, 0xffff, 0x7fff_ffff, 0xffff_fff0, u32::MAX];
    if raw.len() < 8 {
        return;
    }
    let word = random.usize(0..raw.len() / 4) * 4;
    match random.u8(0..5) {
        0 => raw[word] = random.u8(..),
        1 => {
            let at = random.usize(0..raw.len());
            raw[at] ^= 1 << random.u8(0..8);
        }
        2 => {
            let len = LENGTHS[random.usize(0..LENGTHS.len())];
            raw[word..word + 4].copy_from_slice(&len.to_be_bytes());
        }
        3 => {
            raw.drain(word..(word + 4 * random.usize(1..4)).min(raw.len()));
        }
        _ => {
            let copied = raw[word..(word + 4 * random.usize(1..16)).min(raw.len())].to_vec();
            raw.splice(word..word, copied);
        }
    }
}

macro_rules! decoders {
    ($($name:ident $file:literal $decode:expr;)*) => {$(
        #[test]
        fn $name() {
            pestered(include_bytes!(concat!("captured/", $file, ".bin")), $decode);
        }
    )*};
}

decoders! {
    exchange_id "exchange_id" |raw| session::known(&mut reply(raw)?).map(drop);
    create_session "create_session" |raw| session::created(&mut reply(raw)?).map(drop);
    bind_conn_to_session "bind_conn_to_session" |raw| {
        reply(raw)?.take(op::BIND_CONN_TO_SESSION, |from| from.raw(24).map(|_| ()))
    };
    reclaim_complete "reclaim_complete" |raw| sequenced(raw)?.done(op::RECLAIM_COMPLETE);
    statistics "statistics" |raw| placed(raw)?.attributes().map(drop);
    readdir "readdir" |raw| {
        let page = placed(raw)?.directory()?;
        for name in page.names {
            let told = name.attributes;
            assert!(told.handle.as_ref().is_none_or(|handle| handle.len() <= HANDLE_MAX));
            drop(super::entry::entry(name.name.as_slice().into(), Bytes::new(), told, model::Facets::POSIX));
        }
        Ok(())
    };
    readlink "readlink" |raw| placed(raw)?.link().map(drop);
    read "read" |raw| {
        let mut reply = placed(raw)?;
        reply.attributes()?;
        reply.content()?;
        reply.attributes().map(drop)
    };
    open_for_reading "open" |raw| open::opened(&mut placed(raw)?).map(drop);
    close "close" |raw| placed(raw)?.take(op::CLOSE, |from| from.raw(16).map(|_| ()));
    lookup "lookup" |raw| {
        let mut reply = placed(raw)?;
        reply.done(op::LOOKUP)?;
        reply.handle()?;
        reply.attributes().map(drop)
    };
    identity "identity" |raw| {
        let mut reply = sequenced(raw)?;
        reply.done(op::PUTROOTFH)?;
        reply.done(op::LOOKUP)?;
        reply.done(op::LOOKUP)?;
        reply.handle()?;
        reply.attributes().map(drop)
    };
}

#[test]
fn a_name_that_is_not_there_is_told_as_such() {
    let mut reply = placed(Bytes::from_static(include_bytes!("captured/missing.bin"))).unwrap();
    assert!(reply.done(op::LOOKUP).unwrap_err().is_gone());
}

#[test]
fn calls_of_the_server() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..100_000 {
        let mut raw: Vec<u8> = [&[0; 40][..], &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 11], &[0; 48]].concat();
        raw[23] = 1;
        mutilate(&mut raw, &mut random);
        mutilate(&mut raw, &mut random);
        if let Some(answer) = super::callback::answer(&raw) {
            assert!(answer.len() < raw.len() + 200 && Reader(&answer).u32().is_ok());
        }
    }
}
