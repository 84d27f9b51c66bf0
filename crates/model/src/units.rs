//! Sizes and durations as people write and read them.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr, time::Duration};

/// A number of bytes that reads `64MiB`, `1.5GB`, `512` and prints in IEC units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteSize(pub u64);

/// A unit that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitError {
    /// What was written.
    pub text: String,
    /// What would have been understood.
    pub wanted: &'static str,
}
impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read `{}`: expected {}", self.text, self.wanted)
    }
}
impl std::error::Error for UnitError {}

const SIZES: &str = "a size such as `512`, `64KiB`, `1.5GiB` or `2TB`";
const TIMES: &str = "a duration such as `500ms`, `30s`, `5m`, `2h` or `7d`";

impl FromStr for ByteSize {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError { text: text.to_owned(), wanted: SIZES };
        let (number, unit) = split(text.trim()).ok_or_else(wrong)?;
        let scale: u64 = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            "t" | "tib" => 1 << 40,
            "p" | "pib" => 1 << 50,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "tb" => 1_000_000_000_000,
            "pb" => 1_000_000_000_000_000,
            _ => return Err(wrong()),
        };
        scaled(number, scale).map(Self).ok_or_else(wrong)
    }
}

/// Splits `1.5GiB` into `1.5` and `GiB`.
fn split(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (end > 0).then(|| (&text[..end], text[end..].trim_start()))
}

/// `number` (decimal, perhaps with a fraction) times `scale`, exact to the unit below.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole: u64 = whole.parse().ok()?;
    let digits = &fraction[..fraction.len().min(9)];
    let part: u128 = digits.parse().ok()?;
    let of = 10_u128.pow(u32::try_from(digits.len()).ok()?);
    let part = u64::try_from(part * u128::from(scale) / of).ok()?;
    whole.checked_mul(scale)?.checked_add(part)
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        if self.0 < 1024 {
            return f.pad(&format!("{} B", self.0));
        }
        let power = self.0.ilog2() / 10;
        let unit = 1_u64 << (10 * power);
        let (whole, rest) = (self.0 / unit, self.0 % unit);
        let tenths = u128::from(rest) * 10 / u128::from(unit);
        f.pad(&format!("{whole}.{tenths} {}", UNITS[power as usize - 1]))
    }
}
impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        for (unit, name) in [(1_u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
            if self.0 > 0 && self.0.is_multiple_of(unit) {
                return out.serialize_str(&format!("{}{name}", self.0 / unit));
            }
        }
        out.serialize_str(&self.0.to_string())
    }
}
impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// Reads `500ms`, `30s`, `5m`, `2h`, `7d`.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let wrong = || UnitError { text: text.to_owned(), wanted: TIMES };
    let (number, unit) = split(text.trim()).ok_or_else(wrong)?;
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    scaled(number, millis).map(Duration::from_millis).ok_or_else(wrong)
}

/// `2 h 05 min`, `3 min 07 s`, `4.2 s`, `87 ms`.
pub fn human_duration(span: Duration) -> String {
    let secs = span.as_secs();
    match secs {
        0 if span.as_millis() < 1000 => format!("{} ms", span.as_millis()),
        0..=59 => format!("{:.1} s", span.as_secs_f64()),
        60..=3599 => format!("{} min {:02} s", secs / 60, secs % 60),
        3600..=172_799 => format!("{} h {:02} min", secs / 3600, secs % 3600 / 60),
        _ => format!("{} d {:02} h", secs / 86_400, secs % 86_400 / 3600),
    }
}

/// `1234567` as `1,234,567`.
pub fn human_count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_and_print() {
        for (text, bytes) in
            [("0", 0), ("64KiB", 65536), ("1.5GiB", 1_610_612_736), ("2TB", 2_000_000_000_000), ("7 MiB", 7 << 20)]
        {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["", "x", "1.2.3G", "-1", "9999999999P", "1 XB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
        assert_eq!(ByteSize(1_610_612_736).to_string(), "1.5 GiB");
        assert_eq!(ByteSize(u64::MAX).to_string(), "15.9 EiB");
    }

    #[test]
    fn durations_and_counts_read_and_print() {
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert!(parse_duration("5").is_err());
        assert_eq!(human_duration(Duration::from_mins(125)), "2 h 05 min");
        assert_eq!(human_count(1_234_567), "1,234,567");
    }
}
