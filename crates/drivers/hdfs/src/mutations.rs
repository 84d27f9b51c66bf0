//! For tests: what a decoder makes of answers that were changed, for `LONGSHORE_FUZZ_SECONDS` seconds (1 by default).

use std::{
    env, fs,
    time::{Duration, Instant},
};

/// Gives `decode` flips, cuts and splices of `answers`, and prints how many there were and the peak of memory.
pub fn try_all<T: AsRef<[u8]>>(what: &str, answers: &[T], mut decode: impl FnMut(&[u8])) {
    let seconds = env::var("LONGSHORE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 11).unwrap() % below.max(1)
    };
    let mut rounds = 0_u64;
    while Instant::now() < until {
        let mut body = answers[random(answers.len())].as_ref().to_vec();
        for _ in 0..=random(4) {
            let at = random(body.len());
            match random(5) {
                0 if !body.is_empty() => body[at] = u8::try_from(random(256)).unwrap(),
                1 => body.truncate(at),
                2 => {
                    let other = answers[random(answers.len())].as_ref();
                    let from = random(other.len());
                    body.splice(at..at, other[from..].iter().copied());
                }
                3 if !body.is_empty() => body[at] ^= 1 << random(8),
                _ => body.splice(at..at, *b"99999999999999999999").for_each(drop),
            }
        }
        decode(&body);
        rounds += 1;
    }
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    println!("{what}: {rounds} answers in {seconds} s, {peak}");
    assert!(rounds > 100, "{rounds} rounds");
}
