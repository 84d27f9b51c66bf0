//! Between counts and real numbers, in one place.

/// Bytes of a GiB, which AWS bills as a GB.
pub(crate) const GIB: u64 = 1 << 30;

/// Exact below 2^53; beyond that (8 PiB in bytes) off by less than one part in 10^15.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub(crate) const fn real(n: u64) -> f64 {
    n as f64
}

/// The next whole number; 0 for what is negative or no number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, which is what is wanted")]
pub(crate) fn up(x: f64) -> u64 {
    x.ceil() as u64
}

/// GiB of so many bytes.
pub(crate) fn gib(bytes: f64) -> f64 {
    bytes / real(GIB)
}

/// The share of `part` in `whole`; 0 of nothing.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { real(part) / real(whole) }
}
