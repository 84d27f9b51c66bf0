//! Every decoder of a reply against replies of nfs-ganesha, cut and mutated: an answer or an error, no panic, and
//! no more memory than a small multiple of the reply.

use super::*;
use fastrand::Rng;
use std::time::{Duration, Instant};

/// Memory that a decoder may hold for each byte of the reply: a name of one byte takes 32 on the wire and 160 here.
const PER_BYTE: usize = 16;

struct Case {
    name: &'static str,
    seed: &'static [u8],
    /// Bytes of memory that what was decoded holds.
    decode: fn(&Bytes) -> Result<usize, Failure>,
}

const CASES: [Case; 13] = [
    Case { name: "GETATTR", seed: include_bytes!("captured/getattr"), decode: |r| attributes(r).map(|_| 0) },
    Case { name: "LOOKUP", seed: include_bytes!("captured/lookup"), decode: |r| found(r).map(|f| f.handle.len()) },
    Case { name: "LOOKUP refused", seed: include_bytes!("captured/lookup-noent"), decode: |r| found(r).map(|_| 0) },
    Case { name: "READLINK", seed: include_bytes!("captured/readlink"), decode: |r| link_target(r).map(|t| t.len()) },
    Case { name: "READ", seed: include_bytes!("captured/read"), decode: |r| content(r).map(|c| c.data.len()) },
    Case { name: "READDIR", seed: include_bytes!("captured/readdir"), decode: |r| listing_plain(r).map(|l| held(&l)) },
    Case {
        name: "READDIRPLUS",
        seed: include_bytes!("captured/readdirplus"),
        decode: |r| listing_plus(r).map(|l| held(&l)),
    },
    Case { name: "FSSTAT", seed: include_bytes!("captured/fsstat"), decode: |r| volume(r).map(|_| 0) },
    Case { name: "FSINFO", seed: include_bytes!("captured/fsinfo"), decode: |r| limits(r).map(|_| 0) },
    Case { name: "PATHCONF", seed: include_bytes!("captured/pathconf"), decode: |r| name_limits(r).map(|_| 0) },
    Case {
        name: "MNT",
        seed: include_bytes!("captured/mnt"),
        decode: |r| root(r).map(|root| root.handle.len() + 4 * root.auth_flavors.capacity()),
    },
    Case {
        name: "EXPORT",
        seed: include_bytes!("captured/export"),
        decode: |r| {
            exports(r).map(|list| {
                let groups = |e: &Export| e.path.len() + e.groups.iter().map(|g| 24 + g.capacity()).sum::<usize>();
                list.capacity() * size_of::<Export>() + list.iter().map(groups).sum::<usize>()
            })
        },
    },
    Case { name: "GETPORT", seed: include_bytes!("captured/getport"), decode: |r| port(r).map(|_| 0) },
];

fn held(listing: &Listing<'_>) -> usize {
    listing.entries.capacity() * size_of::<Listed<'_>>()
}

fn check(case: &Case, reply: &[u8]) {
    let reply = Bytes::copy_from_slice(reply);
    if let Ok(held) = (case.decode)(&reply) {
        assert!(held <= PER_BYTE * reply.len() + 1024, "{}: {held} bytes of {}", case.name, reply.len());
    }
}

#[test]
fn what_a_real_server_sent_is_understood() {
    for case in &CASES {
        let answer = (case.decode)(&Bytes::from_static(case.seed));
        assert_eq!(answer.is_ok(), case.name != "LOOKUP refused", "{}: {answer:?}", case.name);
    }
    let refused = found(&Bytes::from_static(include_bytes!("captured/lookup-noent")));
    assert!(matches!(refused, Err(Failure::Status(nfsstat3::NFS3ERR_NOENT))), "{refused:?}");
    let plus = Bytes::from_static(include_bytes!("captured/readdirplus"));
    let plus = listing_plus(&plus).unwrap();
    assert!(plus.entries.iter().any(|e| e.name == b"caf\xe9\xff" && e.handle.is_some() && e.attributes.is_some()));
    let data = content(&Bytes::from_static(include_bytes!("captured/read"))).unwrap();
    assert_eq!((&data.data[..], data.end), (&b"content of a file\n"[..], true));
}

#[test]
fn a_reply_that_was_cut_is_never_taken_for_whole() {
    for case in &CASES {
        for len in 0..case.seed.len() {
            let cut = (case.decode)(&Bytes::copy_from_slice(&case.seed[..len]));
            assert!(cut.is_err(), "{} cut at {len}", case.name);
        }
        let more = [case.seed, &[0; 4]].concat();
        if case.name != "LOOKUP refused" {
            assert!((case.decode)(&more.into()).is_err(), "{} with something after it", case.name);
        }
    }
}

/// `LONGSHORE_FUZZ_SECONDS` for each decoder, 2 by default; the seed is printed, and `LONGSHORE_FUZZ_SEED` sets it.
#[test]
fn no_reply_makes_a_decoder_panic_or_take_much_memory() {
    let number =
        |name: &str, otherwise: u64| std::env::var(name).ok().map_or(otherwise, |text| text.parse().expect("a number"));
    let budget = Duration::from_secs(number("LONGSHORE_FUZZ_SECONDS", 2));
    let seed = number("LONGSHORE_FUZZ_SEED", 4211);
    std::thread::scope(|scope| {
        for case in &CASES {
            scope.spawn(move || {
                let mut rng = Rng::with_seed(seed);
                let (since, mut tried) = (Instant::now(), 0_u64);
                while since.elapsed() < budget {
                    let mut reply = case.seed.to_vec();
                    for _ in 0..rng.usize(1..6) {
                        mutate(&mut reply, &mut rng);
                    }
                    check(case, &reply);
                    tried += 1;
                }
                println!("{}: {tried} replies, seed {seed}", case.name);
            });
        }
    });
}

fn mutate(reply: &mut Vec<u8>, rng: &mut Rng) {
    let word = |reply: &[u8], rng: &mut Rng| rng.usize(0..=reply.len() / 4) * 4;
    match rng.u8(0..8) {
        0 => reply.truncate(rng.usize(0..=reply.len())),
        1 => {
            if let Some(byte) = rng.choice(reply.iter_mut()) {
                *byte ^= 1 << (reply_bit(rng));
            }
        }
        2 => {
            // A length or a truth value that is a little or very wrong.
            let at = word(reply, rng);
            let value = *rng
                .choice(&[0, 1, 2, 3, 4, 64, 65, 0xffff, 0x7fff_ffff, 0x8000_0000, u32::MAX - 3, u32::MAX])
                .expect("not empty");
            if let Some(place) = reply.get_mut(at..at + 4) {
                place.copy_from_slice(&u32::to_be_bytes(value));
            }
        }
        3 => {
            let at = word(reply, rng);
            reply.splice(at..at, rng.u32(..).to_be_bytes());
        }
        4 => {
            let at = word(reply, rng);
            reply.drain(at..(at + 4).min(reply.len()));
        }
        5 => {
            // A piece comes again.
            let (start, len) = (word(reply, rng), word(reply, rng));
            let piece = reply[start..(start + len).min(reply.len())].to_vec();
            let at = word(reply, rng);
            reply.splice(at..at, piece);
            reply.truncate(64 << 10);
        }
        6 => reply.extend((0..rng.usize(0..40)).map(|_| rng.u8(..))),
        _ => {
            for byte in reply.iter_mut().skip(rng.usize(0..200)).take(8) {
                *byte = rng.u8(..);
            }
        }
    }
}

fn reply_bit(rng: &mut Rng) -> u8 {
    rng.u8(0..8)
}
