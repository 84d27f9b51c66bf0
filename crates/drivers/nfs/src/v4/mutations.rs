//! Every decoder of an answer of NFSv4.1 against those of nfs-ganesha 4.3, and the calls of a server, mutilated.
//!
//! No decoder allocates by a length that it was told: what is collected was read, element by element.

use super::{
    attributes::{HANDLE_MAX, Locations},
    compound::{Reply, op},
    failure::Failure,
    open, session,
};
use crate::{
    mutations::{mutilated, pester},
    xdr::{Reader, Writer},
};
use bytes::Bytes;

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

macro_rules! decoders {
    ($($name:ident $file:literal $decode:expr;)*) => {$(
        #[test]
        fn $name() {
            let decode: Decode = $decode;
            pester(concat!("v4 ", $file), include_bytes!(concat!("captured/", $file, ".bin")), |raw| decode(raw.into()).map(|()| 0));
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

/// What a server told of where a file system is (`fs_locations4`), behind SEQUENCE, PUTFH and GETATTR.
#[test]
fn places_of_a_file_system() {
    let mut told = Writer::default();
    // The root, and two places of two servers each.
    told.u32(1).opaque(b"old").u32(2);
    for place in [&b"new"[..], b"newer"] {
        told.u32(2).opaque(b"a.example").opaque(b"b.example").u32(2).opaque(b"export").opaque(place);
    }
    let told = told.into_bytes();
    let mut reply = Writer::default();
    // One result: GETATTR with bit 24 only.
    reply.u32(0).opaque(b"").u32(1).u32(op::GETATTR).u32(0).u32(1).u32(1 << 24).opaque(&told);
    let decode = |raw: Vec<u8>| Ok::<_, Failure>(Reply::new(raw.into())?.attributes()?.locations);
    let raw = reply.into_bytes();
    assert_eq!(decode(raw.to_vec()).unwrap().unwrap().0.len(), 4);
    let held =
        |places: Option<Locations>| places.map_or(0, |Locations(all)| all.iter().map(|text| 24 + text.len()).sum());
    pester("v4 fs_locations", &raw, |raw| decode(raw).map(held));
}

#[test]
fn calls_of_the_server() {
    let mut call: Vec<u8> = [&[0; 40][..], &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 11], &[0; 48]].concat();
    call[23] = 1;
    mutilated("v4 callback", &call, |raw| {
        let len = raw.len();
        super::callback::answer(&raw).map_or(0, |answer| {
            assert!(answer.len() < len + 200 && Reader(&answer).u32().is_ok());
            answer.len()
        })
    });
}
