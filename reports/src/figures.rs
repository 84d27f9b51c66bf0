//! How figures and choices read: one way for every kind of output.

use journal::{Answer, Outcome};
use model::{ByteSize, Method, Observed, human_count, human_duration};
use plan::{Money, MonthlyCost, NamePolicy, Severity, Step, VerifyPolicy};
use std::{fmt, time::Duration};

/// Bytes in IEC units.
pub(crate) fn bytes(n: u64) -> String {
    ByteSize(n).to_string()
}

/// A count with thousands separators.
pub(crate) fn count(n: u64) -> String {
    human_count(n)
}

/// `1 file`, `2 files`; the plural is given.
pub(crate) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// Milliseconds as people say them.
pub(crate) fn span(ms: u64) -> String {
    human_duration(Duration::from_millis(ms))
}

/// Microseconds as people say them: `85 µs`, `1.2 ms`, `3.4 s`.
pub(crate) fn micros(us: u64) -> String {
    let tenths = |unit: u64| {
        let tenths = (us.saturating_add(unit / 20)) / (unit / 10);
        format!("{}.{}", count(tenths / 10), tenths % 10)
    };
    match us {
        0..=999 => format!("{us} µs"),
        1_000..=999_949 => format!("{} ms", tenths(1_000)),
        _ => format!("{} s", tenths(1_000_000)),
    }
}

/// `2025-11-22T13:36:24.123Z` as `2025-11-22 13:36:24 UTC`; anything else as it is.
pub(crate) fn time(rfc3339: &str) -> String {
    let raw = rfc3339.as_bytes();
    let regular = raw.is_ascii() && raw.len() >= 20 && raw[10] == b'T' && raw.ends_with(b"Z");
    if regular { format!("{} {} UTC", &rfc3339[..10], &rfc3339[11..19]) } else { crate::visible::text(rfc3339) }
}

/// How a figure was got, in one word.
pub(crate) const fn method(method: Method) -> &'static str {
    match method {
        Method::Measured => "measured",
        Method::Reported => "reported",
        Method::Estimated => "estimated",
    }
}

/// A number of bytes with how it was got.
pub(crate) fn observed_bytes(figure: &Observed<u64>) -> String {
    format!("{} ({})", bytes(figure.value), method(figure.method))
}

/// A decimal with thousands separators and at most `digits` decimals, trailing zeros cut down to `least`.
pub(crate) fn decimal(n: f64, digits: usize, least: usize) -> String {
    if !n.is_finite() {
        return "unknown".to_owned();
    }
    let text = format!("{:.digits$}", n.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let kept = fraction.trim_end_matches('0').len().max(least.min(fraction.len()));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), human_count);
    let zero = text.bytes().all(|b| b == b'0' || b == b'.');
    let sign = if n < 0.0 && !zero { "-" } else { "" };
    if kept == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{}", &fraction[..kept]) }
}

/// A rate or a quantity: two decimals below 100, none above.
pub(crate) fn quantity(n: f64) -> String {
    match n.abs() {
        0.0 => "0".to_owned(),
        size if size < 0.01 => decimal(n, 6, 0),
        size if size < 100.0 => decimal(n, 2, 0),
        _ => decimal(n, 0, 0),
    }
}

/// An amount, two decimals; an amount that would round to nothing says so.
pub(crate) fn amount(money: Money) -> String {
    if money.0 > 0.0 && money.0 < 0.005 { "under 0.01".to_owned() } else { decimal(money.0, 2, 2) }
}

/// The price of one unit, with as many decimals as price lists have.
pub(crate) fn unit_price(usd: f64) -> String {
    decimal(usd, 8, 2)
}

/// `1,234.56 USD per month (us-east-1, prices as of 2025-10-22, estimated)`.
pub(crate) fn monthly(cost: &MonthlyCost) -> String {
    format!("{} {} per month ({})", amount(cost.total_usd), crate::visible::text(&cost.currency), priced(cost))
}

/// `us-east-1, prices as of 2025-10-22, estimated`, and a warning where a price has no price list behind it.
pub(crate) fn priced(cost: &MonthlyCost) -> String {
    let doubt = if cost.has_unverified { ", with a price that is not from a price list" } else { "" };
    format!(
        "{}, prices as of {}, estimated{doubt}",
        crate::visible::text(&cost.region),
        crate::visible::text(&cost.as_of)
    )
}

/// A part of a whole in hundredths of a percent, 0 to 10,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share {
    hundredths: u32,
    some: bool,
}

impl Share {
    /// `part` of `whole`; nothing of nothing is nothing.
    pub(crate) fn of(part: u64, whole: u64) -> Self {
        let hundredths = (u128::from(part.min(whole)) * 10_000).checked_div(u128::from(whole)).unwrap_or(0);
        Self { hundredths: u32::try_from(hundredths).unwrap_or(10_000), some: part > 0 && whole > 0 }
    }
    /// A width or a position for CSS and SVG, exact to 0.01 %.
    pub(crate) fn css(self) -> String {
        format!("{}.{:02}%", self.hundredths / 100, self.hundredths % 100)
    }
    /// Like [`Self::css`], but what is not nothing stays wide enough to be seen.
    pub(crate) fn bar(self) -> String {
        let least = if self.some { 50 } else { 0 };
        Self { hundredths: self.hundredths.max(least), ..self }.css()
    }
    /// A bar of at most `cells` characters, exact to an eighth of one; what is not nothing shows.
    pub(crate) fn blocks(self, cells: u32) -> String {
        const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
        let eighths = (self.hundredths * cells * 8 / 10_000).max(u32::from(self.some));
        let whole = "█".repeat(usize::try_from(eighths / 8).unwrap_or(0));
        let rest = PARTS[usize::try_from(eighths % 8).unwrap_or(0)];
        format!("{whole}{rest}")
    }
}

/// `12.3 %`; below a tenth of a percent `< 0.1 %`.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.hundredths, self.some) {
            (0..=9, true) => f.write_str("< 0.1 %"),
            (10_000, _) => f.write_str("100 %"),
            (n, _) => write!(f, "{}.{} %", n / 100, n % 100 / 10),
        }
    }
}

/// The severity in one word.
pub(crate) const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Blocking => "blocking",
    }
}

/// How a move ended: a word, and what it means.
pub(crate) const fn outcome(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Done => ("done", "every item is at the target"),
        Outcome::LeftOver => ("left over", "it ran to the end, but some items failed or were skipped"),
        Outcome::Different => ("different", "verification found differences"),
        Outcome::Refused => ("refused", "preflight said no; nothing was written"),
        Outcome::Stopped => ("stopped", "it could not finish"),
        Outcome::Interrupted => ("interrupted", "it can be taken up again"),
    }
}

/// An answer of preflight in one word.
pub(crate) const fn answer(answer: Answer) -> &'static str {
    match answer {
        Answer::Yes => "yes",
        Answer::Warn => "warn",
        Answer::No => "no",
    }
}

/// What happens to names that the target cannot hold.
pub(crate) const fn name_policy(policy: NamePolicy) -> &'static str {
    match policy {
        NamePolicy::Refuse => "refuse names that the target cannot hold",
        NamePolicy::Escape => "escape names that the target cannot hold, reversibly",
        NamePolicy::Restore => "give escaped names their bytes back",
    }
}

/// How it is proved that the data arrived.
pub(crate) const fn verify_policy(policy: VerifyPolicy) -> &'static str {
    match policy {
        VerifyPolicy::Stamp => "stamp: size and entity tag in the target's listing",
        VerifyPolicy::Digest => "digest: size, checksum and metadata as the target states them",
        VerifyPolicy::ReadBack => "read-back: everything read again from both sides",
    }
}

/// A step of a plan in one word.
pub(crate) const fn step(step: &Step) -> &'static str {
    match step {
        Step::Preflight {} => "preflight",
        Step::Transfer {} => "transfer",
        Step::Verify {} => "verify",
    }
}

/// Lower bound of a bucket of sizes, in the shortest form: `0`, `512`, `4 KiB`.
pub(crate) fn bound(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let power = bytes.checked_ilog2().unwrap_or(0) / 10;
    let unit = UNITS[usize::try_from(power).unwrap_or(0)];
    format!("{} {unit}", bytes >> (10 * power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_reads_with_separators_and_never_hides_a_small_amount() {
        assert_eq!(amount(Money(1_234_567.891)), "1,234,567.89");
        assert_eq!(amount(Money(0.001)), "under 0.01");
        assert_eq!(amount(Money(0.0)), "0.00");
        assert_eq!(amount(Money(f64::NAN)), "unknown");
        assert_eq!(amount(Money(-0.001)), "0.00");
        assert_eq!(unit_price(0.0125), "0.0125");
        assert_eq!(unit_price(0.3), "0.30");
    }

    #[test]
    fn a_share_is_exact_and_what_is_there_can_be_seen() {
        assert_eq!(Share::of(1, 3).to_string(), "33.3 %");
        assert_eq!(Share::of(1, 1_000_000).to_string(), "< 0.1 %");
        assert_eq!(Share::of(0, 0).to_string(), "0.0 %");
        assert_eq!(Share::of(u64::MAX, u64::MAX).css(), "100.00%");
        assert_eq!(Share::of(1, 1_000_000).bar(), "0.50%");
        assert_eq!(Share::of(1, 1_000_000).blocks(20), "▏");
        assert_eq!(Share::of(1, 2).blocks(3), "█▌");
    }

    #[test]
    fn times_spans_and_bounds_read() {
        assert_eq!(time("2025-11-22T13:36:24.123Z"), "2025-11-22 13:36:24 UTC");
        assert_eq!(time("today"), "today");
        assert_eq!((micros(85), micros(1_249), micros(3_400_000)), ("85 µs".into(), "1.2 ms".into(), "3.4 s".into()));
        assert_eq!((bound(0), bound(512), bound(4096)), ("0 B".into(), "512 B".into(), "4 KiB".into()));
        assert_eq!(bound(1 << 63), "8 EiB");
    }
}
