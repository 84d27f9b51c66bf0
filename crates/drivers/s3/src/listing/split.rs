//! Where to cut a listing that is under way: a guess at the key some pages ahead.
//!
//! A cut is exact wherever it falls, since a range is all keys after one text up to another; a bad guess costs a
//! request, never a key. The guess takes keys for numbers: each position has the characters that were seen
//! there for digits, and how fast the number grew over the last pages tells where it will be.

use bytes::Bytes;

/// Positions that have an alphabet of their own; beyond, all share one.
const POSITIONS: usize = 96;
/// Digits after the first that differs, for precision.
const DIGITS: usize = 3;
/// Sorts behind all that begins alike. Not the last code point: that is none that may be exchanged.
const TOP: char = '\u{10FFFD}';

/// Which printable ASCII characters were seen where, one bit each.
#[derive(Debug)]
pub(super) struct Alphabets {
    at: Vec<u128>,
    all: u128,
}

impl Default for Alphabets {
    fn default() -> Self {
        Self { at: vec![0; POSITIONS + 1], all: 0 }
    }
}

const fn span(from: u8, to: u8) -> u128 {
    let mut set = 0;
    let mut byte = from;
    while byte <= to {
        set |= 1 << byte;
        byte += 1;
    }
    set
}

const DECIMAL: u128 = span(b'0', b'9');
const HEX: u128 = span(b'a', b'f');
const LOWER: u128 = span(b'a', b'z');
const UPPER: u128 = span(b'A', b'Z');

impl Alphabets {
    /// Learns from a key.
    pub(super) fn learn(&mut self, key: &[u8]) {
        for (place, byte) in key.iter().enumerate() {
            if (0x20..0x7F).contains(byte) {
                self.at[place.min(POSITIONS)] |= 1 << byte;
                self.all |= 1 << byte;
            }
        }
    }

    /// What may stand at a position: what was seen there, and what is of its kind. The first pages have shown
    /// only the lowest of the leading digits.
    fn digits(&self, place: usize, here: u8) -> u128 {
        let mut set = self.at[place.min(POSITIONS)] | (1 << here);
        let hexadecimal = self.all & LOWER & !HEX == 0 && self.all & HEX != 0 && self.all & DECIMAL != 0;
        if set & DECIMAL != 0 {
            set |= DECIMAL;
        }
        if hexadecimal && set & (DECIMAL | HEX) != 0 {
            set |= DECIMAL | HEX;
        } else if set & LOWER != 0 {
            set |= LOWER;
        }
        if set & UPPER != 0 {
            set |= UPPER;
        }
        set
    }
}

fn count(set: u128) -> u64 {
    u64::from(set.count_ones())
}

/// How many characters of the set are below.
fn rank(set: u128, byte: u8) -> u64 {
    count(set & ((1 << (byte & 0x7F)) - 1))
}

/// The character of that rank.
fn nth(set: u128, rank: u64) -> Option<u8> {
    (0x20..0x7F_u8).filter(|byte| set & (1 << byte) != 0).nth(usize::try_from(rank).ok()?)
}

/// How fast keys grow: so many keys led from one to the other.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    pub first: Bytes,
    pub last: Bytes,
    pub keys: u64,
}

impl Pace {
    /// Where the two begin to differ.
    fn place(&self) -> usize {
        self.first.iter().zip(&self.last).take_while(|(a, b)| a == b).count()
    }

    /// Does a key begin like these? Then it is likely to grow like them.
    pub(super) fn suits(&self, key: &[u8]) -> bool {
        let place = self.place();
        place < key.len() && key[..place] == self.first[..place]
    }
}

/// A text that about `ahead` keys after `at` will lie below, at this pace. Sorts after `at` and before
/// `limit`; `None` where there is no such text, so probably no so many keys either.
pub(super) fn ahead(
    pace: &Pace,
    at: &[u8],
    ahead: u64,
    limit: Option<&[u8]>,
    alphabets: &Alphabets,
) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(at).ok()?;
    let mut place = pace.place();
    if place >= at.len() {
        return None;
    }
    while !text.is_char_boundary(place) {
        place -= 1;
    }
    let fits = |cut: &[u8]| cut > at && limit.is_none_or(|limit| cut < limit);
    let far = |factor: u64| match text[place..].chars().next()? {
        here if here.is_ascii() => in_ascii(pace, at, place, ahead * factor / 2, alphabets),
        here => {
            in_unicode(pace, here, place, ahead * factor / 2).map(|c| format!("{}{c}", &text[..place]).into_bytes())
        }
    };
    // A cut just before the limit would leave next to nothing behind it.
    if limit.is_some() && !far(3).is_some_and(|cut| fits(&cut)) {
        return None;
    }
    // Behind all that begins alike, when its end is nearer than that.
    far(2).filter(|cut| fits(cut)).or_else(|| {
        let end = format!("{}{TOP}", &text[..place]).into_bytes();
        (limit.is_none() && end.as_slice() > at).then_some(end)
    })
}

fn in_ascii(pace: &Pace, at: &[u8], place: usize, ahead: u64, alphabets: &Alphabets) -> Option<Vec<u8>> {
    let here = &at[place..at.len().min(place + DIGITS)];
    let printable = here.iter().take_while(|byte| (0x20..0x7F).contains(*byte)).count();
    if printable == 0 {
        return None;
    }
    let sets: Vec<u128> = (0..printable).map(|i| alphabets.digits(place + i, here[i])).collect();
    let number = |key: &[u8]| {
        sets.iter().enumerate().fold(0_u64, |sum, (i, set)| {
            let digit = key.get(place + i).filter(|byte| byte.is_ascii()).map_or(0, |byte| rank(*set, *byte));
            sum * count(*set) + digit.min(count(*set) - 1)
        })
    };
    let step = number(&pace.last).saturating_sub(number(&pace.first)).saturating_mul(ahead) / pace.keys.max(1);
    let mut left = number(at).saturating_add(step.max(1));
    let mut cut = at[..place + printable].to_vec();
    for (i, set) in sets.iter().enumerate().rev() {
        cut[place + i] = nth(*set, left % count(*set))?;
        left /= count(*set);
    }
    for at in (0..place).rev() {
        if left == 0 {
            break;
        }
        if !(0x20..0x7F).contains(&cut[at]) {
            return None;
        }
        let set = alphabets.digits(at, cut[at]);
        let sum = rank(set, cut[at]) + left;
        cut[at] = nth(set, sum % count(set))?;
        left = sum / count(set);
    }
    (left == 0 && std::str::from_utf8(&cut).is_ok()).then_some(cut)
}

fn in_unicode(pace: &Pace, here: char, place: usize, ahead: u64) -> Option<char> {
    let code = |key: &[u8]| {
        let c = std::str::from_utf8(key).ok().and_then(|text| text.get(place..)?.chars().next()).unwrap_or('\0');
        u64::from(u32::from(c))
    };
    let step = code(&pace.last).saturating_sub(code(&pace.first)) * ahead / pace.keys.max(1);
    let target = u32::try_from(u64::from(u32::from(here)) + step.max(1)).ok()?;
    // Surrogates are no characters.
    let target = if (0xD800..0xE000).contains(&target) { 0xE000 } else { target };
    char::from_u32(target).filter(|c| *c < TOP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(keys: &[&str], count: u64, far: u64, limit: Option<&str>) -> Option<String> {
        let mut alphabets = Alphabets::default();
        for key in keys {
            alphabets.learn(key.as_bytes());
        }
        let key = |key: &str| Bytes::copy_from_slice(key.as_bytes());
        let pace = Pace { first: key(keys[0]), last: key(keys[keys.len() - 1]), keys: count };
        let cut = ahead(&pace, &pace.last, far, limit.map(str::as_bytes), &alphabets);
        cut.map(|raw| String::from_utf8(raw).unwrap())
    }

    #[test]
    fn numbers_go_on_at_the_same_pace() {
        assert_eq!(guess(&["k0000", "k1999"], 2, 4, None).unwrap(), "k597");
        assert_eq!(guess(&["k1000", "k1099"], 1, 20, None).unwrap(), "k3079");
        assert_eq!(guess(&["00af", "00ff", "0100"], 1, 16, None).unwrap(), "0610");
        assert_eq!(guess(&["p/2024/01/01/a", "p/2024/01/04/a"], 4, 8, None).unwrap(), "p/2024/01/10/a");
    }

    #[test]
    fn at_the_end_of_what_begins_alike_the_cut_is_behind_it() {
        assert_eq!(guess(&["z0", "z9"], 1, 50, None).unwrap(), format!("z{TOP}"));
        assert_eq!(guess(&["z0", "z9"], 1, 50, Some("zz")), None);
        assert_eq!(guess(&["\u{AC00}", "\u{AC10}"], 1, 2, None).unwrap(), "\u{AC30}");
    }

    proptest::proptest! {
        #[test]
        fn a_cut_lies_between_and_is_text(keys in proptest::collection::vec(proptest::collection::vec(0_u8..=255, 0..12), 2..6),
                                          count in 0_u64..9, far in 1_u64..40, limit in proptest::option::of("[a-z]{0,5}")) {
            let mut keys = keys;
            keys.sort();
            let mut alphabets = Alphabets::default();
            for key in &keys { alphabets.learn(key); }
            let limit = limit.as_deref().map(str::as_bytes);
            let at = keys.pop().unwrap();
            let pace = Pace { first: keys[0].clone().into(), last: keys[keys.len() - 1].clone().into(), keys: count };
            if let Some(cut) = ahead(&pace, &at, far, limit, &alphabets) {
                proptest::prop_assert!(cut > at);
                proptest::prop_assert!(limit.is_none_or(|limit| cut.as_slice() < limit));
                proptest::prop_assert!(std::str::from_utf8(&cut).is_ok());
            }
        }
    }
}
