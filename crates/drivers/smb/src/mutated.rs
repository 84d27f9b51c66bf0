//! Decoders against answers that were cut or changed: captured from Samba 4.17, mutated at random.
//!
//! No decoder may panic, and none may keep more than a small multiple of what came. `LONGSHORE_FUZZ_SECONDS` is how
//! long each is tried (2 by default), `LONGSHORE_FUZZ_DECODER` the only one to try; the seed is printed with a failure,
//! and with `--nocapture` how many answers each was given.

use crate::{
    auth,
    crypto::{Opener, Sealer},
    dfs, frame, look, rpc,
    wire::{
        directory, file, fs, ioctl,
        negotiate::{Cipher, Negotiated},
        query, quota, reparse, session,
    },
};
use bytes::Bytes;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

const SAMPLES: &[&[u8]] = &[
    include_bytes!("samples/negotiate.bin"),
    include_bytes!("samples/negotiate-21.bin"),
    include_bytes!("samples/session-setup.bin"),
    include_bytes!("samples/session-setup-done.bin"),
    include_bytes!("samples/tree-connect.bin"),
    include_bytes!("samples/create.bin"),
    include_bytes!("samples/close.bin"),
    include_bytes!("samples/read.bin"),
    include_bytes!("samples/shares.bin"),
    include_bytes!("samples/referral.bin"),
    include_bytes!("samples/query-directory.bin"),
    include_bytes!("samples/query-info-96.bin"),
    include_bytes!("samples/query-info-104.bin"),
    include_bytes!("samples/query-info-168.bin"),
    include_bytes!("samples/query-info-176.bin"),
    include_bytes!("samples/query-info-216.bin"),
    include_bytes!("samples/query-info-224.bin"),
    include_bytes!("samples/query-info-384.bin"),
];

/// Decodes a message in one way, and tells how many bytes are kept of it.
type Decoder = fn(&Bytes) -> usize;

const DECODERS: &[(&str, Decoder)] = &[
    ("frame", |raw| {
        let messages = frame::messages(raw[..].into()).unwrap_or_default();
        usize::from(frame::is_sealed(raw)) + messages.iter().map(|(_, message)| message.len()).sum::<usize>()
    }),
    ("negotiate", |raw| {
        Negotiated::decode(raw).map_or(0, |answer| answer.token.len() + usize::from(answer.is_confirmed_by(raw)))
    }),
    ("session", |raw| {
        let token = session::SetupAnswer::decode(raw).map_or(Vec::new(), |answer| answer.token);
        auth::decode_for_tests(&token) + auth::decode_for_tests(raw) + token.len()
    }),
    ("tree", |raw| usize::from(session::TreeAnswer::decode(raw).is_ok())),
    ("file", |raw| {
        usize::from(file::Created::decode(raw).is_ok())
            + usize::from(file::closed(raw).is_ok())
            + file::content(raw).map_or(0, |content| content.len())
    }),
    ("directory", |raw| {
        let output = query::output(raw).unwrap_or_default();
        let name = |item: &directory::Item<'_>| crate::names::from_wire(item.name).len();
        directory::items(&output).chain(directory::items(raw)).flatten().map(|item| name(&item)).sum()
    }),
    ("info", |raw| {
        let output = query::output(raw).unwrap_or_default();
        let mut kept = 0;
        for raw in [&output, raw] {
            kept += usize::from(query::All::decode(raw).is_ok()) + usize::from(fs::FullSize::decode(raw).is_ok());
            kept += query::streams(raw).map_or(0, |streams| streams.iter().map(Bytes::len).sum());
            kept += fs::Volume::decode(raw).map_or(0, |volume| volume.label.len());
            kept += fs::FsAttributes::decode(raw).map_or(0, |known| known.name.len());
            kept += look::checked(raw.clone()).map_or(0, |descriptor| descriptor.len());
        }
        kept
    }),
    ("quota", |raw| {
        let output = query::output(raw).unwrap_or_default();
        let mut kept = 0;
        for raw in [&output, raw] {
            kept += usize::from(quota::Control::decode(raw).is_ok());
            kept += quota::users(raw).map_or(0, |users| users.iter().map(|user| user.sid.len()).sum());
        }
        kept
    }),
    ("ioctl", |raw| {
        let output = ioctl::output(raw).unwrap_or_default();
        let mut kept = 0;
        for raw in [&output, raw] {
            kept += dfs::decode(raw).map_or(0, |found| found.targets.iter().map(|t| t.host.len() + t.dir.len()).sum());
            kept += usize::from(reparse::kind_of_data(raw).is_ok());
            kept += rpc::decode_for_tests(raw);
        }
        kept
    }),
    ("sealed", |raw| {
        let opener = Opener::new(Cipher::Aes128Gcm, &[1; 16], 7);
        opener.open(raw[..].into()).map_or(0, |content| content.len())
    }),
];

/// `FileFsControlInformation` with limits.
fn fs_control() -> Vec<u8> {
    [[0; 24].as_slice(), &[0xFF; 8], &5_u64.to_le_bytes(), &3_u32.to_le_bytes(), &[0; 4]].concat()
}

/// A sample that was cut, changed in some places, or both.
fn mutant(chance: &mut fastrand::Rng, samples: &[Vec<u8>]) -> Vec<u8> {
    let mut raw = chance.choice(samples).expect("there are samples").clone();
    if chance.u8(..4) == 0 {
        raw.truncate(chance.usize(..=raw.len()));
    }
    for _ in 0..chance.usize(..6) {
        if raw.is_empty() {
            break;
        }
        let at = chance.usize(..raw.len());
        match chance.u8(..4) {
            0 => raw[at] = chance.u8(..),
            1 => raw[at] = *chance.choice([0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF]).as_ref().expect("there are some"),
            2 => raw[at] ^= 1 << chance.u8(..8),
            // A length or offset of all ones.
            _ => raw.iter_mut().skip(at).take(4).for_each(|byte| *byte = 0xFF),
        }
    }
    raw
}

#[test]
fn no_changed_answer_panics_or_is_kept_beyond_its_size() {
    let seconds = std::env::var("LONGSHORE_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(2);
    let mut samples: Vec<Vec<u8>> = SAMPLES.iter().map(|raw| raw.to_vec()).collect();
    // What IOCTLs bring, as the decoders of their content see it.
    samples.extend(SAMPLES.iter().filter_map(|raw| Some(ioctl::output(&Bytes::from_static(raw)).ok()?.to_vec())));
    samples.extend([quota::sample(), fs_control()]);
    let sealer = Sealer::new(Cipher::Aes128Gcm, &[1; 16], 7);
    samples.push(sealer.seal(SAMPLES[0], 0));
    let only = std::env::var("LONGSHORE_FUZZ_DECODER").ok();
    for (name, decode) in DECODERS.iter().filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name)) {
        let seed = fastrand::u64(..);
        let mut chance = fastrand::Rng::with_seed(seed);
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut tried = 0_u64;
        while Instant::now() < until {
            for _ in 0..256 {
                let raw = Bytes::from(mutant(&mut chance, &samples));
                let kept = catch_unwind(AssertUnwindSafe(|| decode(&raw)));
                let kept = kept.unwrap_or_else(|_| panic!("{name} panics, seed {seed}: {raw:02x?}"));
                assert!(kept <= 8 * raw.len() + 64, "{name} keeps {kept} of {}, seed {seed}", raw.len());
                tried += 1;
            }
        }
        assert!(tried > 0);
        println!("{name}: {tried} answers in {seconds} s");
    }
}

#[test]
fn every_sample_is_understood_by_its_decoder() {
    let sample = |number: usize| Bytes::from_static(SAMPLES[number]);
    let newest = Negotiated::decode(&sample(0)).unwrap();
    assert!(newest.dialect == 0x0311 && newest.preauth && newest.cipher.is_some() && newest.signing.is_some());
    assert_eq!(Negotiated::decode(&sample(1)).unwrap().dialect, 0x0210);
    assert!(!session::SetupAnswer::decode(&sample(2)).unwrap().token.is_empty());
    assert_eq!(session::TreeAnswer::decode(&sample(4)).unwrap().kind, 1);
    assert!(file::Created::decode(&sample(5)).is_ok() && file::closed(&sample(6)).is_ok());
    assert!(!file::content(&sample(7)).unwrap().is_empty());
    assert_eq!(dfs::decode(&ioctl::output(&sample(9)).unwrap()).unwrap().targets.len(), 1);
    let output = query::output(&sample(10)).unwrap();
    assert!(directory::items(&output).all(|item| item.is_ok()) && directory::items(&output).count() > 10);
}
