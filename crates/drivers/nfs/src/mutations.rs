//! Replies of a real server, cut off and mutilated: a decoder refuses them or reads something else, but never panics,
//! and holds no more memory than a small multiple of what came.
//!
//! `LONGSHORE_FUZZ_SECONDS` is the time for each decoder, 2 s by default, and `LONGSHORE_FUZZ_SEED` the seed. Each
//! prints how many replies it was given and the most memory that the process had until then.

use fastrand::Rng;
use std::{
    fmt::Debug,
    fs,
    time::{Duration, Instant},
};

/// Memory that a decoder may hold for each byte of the reply: a name of one byte takes 32 on the wire and 160 here.
const PER_BYTE: usize = 16;
/// Longest reply that is made of a captured one.
const LONGEST: usize = 64 << 10;

/// Gives `decode` the reply as it came, then every beginning of it, which must be refused, and then mutilated ones.
/// What it answers is the memory, in bytes, that it holds.
pub(crate) fn pester<E: Debug>(name: &str, captured: &[u8], decode: impl Fn(Vec<u8>) -> Result<usize, E>) {
    decode(captured.to_vec()).expect("the reply as it came is read");
    for len in 0..captured.len() {
        assert!(decode(captured[..len].to_vec()).is_err(), "{name}: cut at {len} it is read all the same");
    }
    mutilated(name, captured, |raw| decode(raw).unwrap_or(0));
}

/// Gives `decode` mutilated replies only, for what may be refused as it came.
pub(crate) fn mutilated(name: &str, captured: &[u8], decode: impl Fn(Vec<u8>) -> usize) {
    let number =
        |name: &str, otherwise: u64| std::env::var(name).ok().map_or(otherwise, |text| text.parse().expect("a number"));
    let budget = Duration::from_secs(number("LONGSHORE_FUZZ_SECONDS", 2));
    let seed = number("LONGSHORE_FUZZ_SEED", 4211);
    let mut random = Rng::with_seed(seed);
    let (mut spent, mut tried) = (Duration::ZERO, 0_u64);
    while spent < budget {
        let since = Instant::now();
        for _ in 0..200 {
            let mut raw = captured.to_vec();
            for _ in 0..random.usize(1..6) {
                mutilate(&mut raw, &mut random);
            }
            let len = raw.len();
            let held = decode(raw);
            assert!(held <= PER_BYTE * len + 1024, "{name}: {held} bytes of {len}");
        }
        tried += 200;
        // A process that was stopped meanwhile did not work.
        spent += since.elapsed().min(Duration::from_secs(1));
    }
    println!("{name}: {tried} replies in {spent:?}, seed {seed}, at most {} resident", most_memory());
}

/// The most memory that this process ever had, as Linux tells it.
fn most_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or("?".to_owned(), |most| most.trim().to_owned())
}

fn mutilate(raw: &mut Vec<u8>, random: &mut Rng) {
    /// Lengths and truth values that are a little or very wrong.
    const ODD: [u32; 17] = [
        0,
        1,
        2,
        3,
        4,
        64,
        65,
        127,
        128,
        129,
        0xffff,
        0x7fff_ffff,
        0x8000_0000,
        0x8000_0001,
        0xffff_fff0,
        u32::MAX - 3,
        u32::MAX,
    ];
    let word = |raw: &[u8], random: &mut Rng| random.usize(0..=raw.len() / 4) * 4;
    let at = word(raw, random).min(raw.len());
    match random.u8(0..9) {
        0 => raw.truncate(random.usize(0..=raw.len())),
        1 => {
            if let Some(byte) = random.choice(raw.iter_mut()) {
                *byte ^= 1 << random.u8(0..8);
            }
        }
        2 | 3 => {
            if let Some(place) = raw.get_mut(at..at + 4) {
                place.copy_from_slice(&ODD[random.usize(0..ODD.len())].to_be_bytes());
            }
        }
        4 => {
            raw.splice(at..at, random.u32(..).to_be_bytes());
        }
        5 => {
            raw.drain(at..(at + 4 * random.usize(1..4)).min(raw.len()));
        }
        6 => {
            // A piece comes again.
            let from = word(raw, random).min(raw.len());
            let piece = raw[from..(from + word(raw, random)).min(raw.len())].to_vec();
            raw.splice(at..at, piece);
            raw.truncate(LONGEST);
        }
        7 => raw.extend((0..random.usize(0..40)).map(|_| random.u8(..))),
        _ => {
            for byte in raw.iter_mut().skip(random.usize(0..200)).take(8) {
                *byte = random.u8(..);
            }
        }
    }
}
