//! Whole numbers as runs, in both versions of the encoding ("Run Length Encoding", ORC Specification v1).

use super::stream::Stream;
use crate::row::invalid;
use std::io;

/// Gives numbers one by one; memory for one run of up to 512.
#[derive(Debug)]
pub(super) struct Integers<'a> {
    stream: Stream<'a>,
    signed: bool,
    second: bool,
    run: Vec<i64>,
    used: usize,
}

impl<'a> Integers<'a> {
    /// `second` is version 2 of the encoding. Numbers without a sign stay so: one beyond `i64` is refused.
    pub(super) fn new(stream: Stream<'a>, signed: bool, second: bool) -> Self {
        Self { stream, signed, second, run: Vec::with_capacity(512), used: 0 }
    }

    pub(super) fn next(&mut self) -> io::Result<i64> {
        while self.used == self.run.len() {
            self.used = 0;
            self.run.clear();
            if self.second { self.second_version()? } else { self.first_version()? }
        }
        self.used += 1;
        Ok(self.run[self.used - 1])
    }

    /// The next number of those that have no sign.
    pub(super) fn next_size(&mut self) -> io::Result<u64> {
        u64::try_from(self.next()?).map_err(|_| invalid("a length is negative"))
    }

    fn first_version(&mut self) -> io::Result<()> {
        let control = i8::from_le_bytes([self.stream.byte()?]);
        if control < 0 {
            for _ in 0..control.unsigned_abs() {
                let number = self.base()?;
                self.run.push(number);
            }
            return Ok(());
        }
        let delta = i64::from(i8::from_le_bytes([self.stream.byte()?]));
        let mut number = self.base()?;
        for _ in 0..i16::from(control) + 3 {
            self.run.push(number);
            number = number.wrapping_add(delta);
        }
        Ok(())
    }

    fn second_version(&mut self) -> io::Result<()> {
        let first = self.stream.byte()?;
        match first >> 6 {
            0 => {
                let number = self.big_endian(u32::from((first >> 3) & 7) + 1)?;
                let number = self.meant(number);
                self.run.extend(std::iter::repeat_n(number, usize::from(first & 7) + 3));
            }
            1 => {
                let count = self.count(first)?;
                let mut bits = Bits::new(width(first >> 1));
                for _ in 0..count {
                    let number = bits.next(&mut self.stream)?;
                    let number = self.meant(number);
                    self.run.push(number);
                }
            }
            2 => self.patched(first)?,
            _ => self.deltas(first)?,
        }
        Ok(())
    }

    fn deltas(&mut self, first: u8) -> io::Result<()> {
        let count = self.count(first)?;
        let mut number = self.base()?;
        self.run.push(number);
        let step = unzigzag(self.varint()?);
        // The code 0 means that all steps are alike, so it is not a width here.
        let mut bits = (first >> 1 & 0x1F != 0).then(|| Bits::new(width(first >> 1)));
        for place in 1..count {
            let step = match &mut bits {
                Some(bits) if place > 1 => {
                    let size = bits.next(&mut self.stream)?.cast_signed();
                    if step < 0 { size.wrapping_neg() } else { size }
                }
                _ => step,
            };
            number = number.wrapping_add(step);
            self.run.push(number);
        }
        Ok(())
    }

    fn patched(&mut self, first: u8) -> io::Result<()> {
        let count = self.count(first)?;
        let (third, fourth) = (self.stream.byte()?, self.stream.byte()?);
        let (bytes, gap_width, patches) = (u32::from(third >> 5) + 1, u32::from(fourth >> 5) + 1, fourth & 0x1F);
        let (value_width, patch_width) = (width(first >> 1), width(third));
        let base = self.big_endian(bytes)?;
        // Sign and magnitude, not the complement of two.
        let sign = 1_u64 << (bytes * 8 - 1);
        let size = (base & !sign).cast_signed();
        let base = if base & sign == 0 { size } else { -size };
        let mut values = Vec::with_capacity(usize::from(count));
        let mut bits = Bits::new(value_width);
        for _ in 0..count {
            values.push(bits.next(&mut self.stream)?);
        }
        if patch_width + gap_width > 64 {
            return Err(invalid("the patches of a run are wider than 64 bits"));
        }
        let mut bits = Bits::new(rounded(patch_width + gap_width));
        let mut place = 0_usize;
        for _ in 0..patches {
            let both = bits.next(&mut self.stream)?;
            let patch = if patch_width == 64 { both } else { both & ((1 << patch_width) - 1) };
            place += usize::try_from(both.checked_shr(patch_width).unwrap_or(0)).map_err(invalid)?;
            let high = patch.checked_shl(value_width).unwrap_or(0);
            match values.get_mut(place) {
                Some(value) => *value |= high,
                None => return Err(invalid("a patch lies outside its run")),
            }
        }
        self.run.extend(values.into_iter().map(|value| base.wrapping_add(value.cast_signed())));
        Ok(())
    }

    /// Numbers in this run: nine bits, the highest in the first byte.
    fn count(&mut self, first: u8) -> io::Result<u16> {
        Ok((u16::from(first & 1) << 8 | u16::from(self.stream.byte()?)) + 1)
    }

    fn big_endian(&mut self, bytes: u32) -> io::Result<u64> {
        let mut number = 0;
        for _ in 0..bytes {
            number = number << 8 | u64::from(self.stream.byte()?);
        }
        Ok(number)
    }

    fn varint(&mut self) -> io::Result<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.stream.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(invalid("a number has no end"))
    }

    fn base(&mut self) -> io::Result<i64> {
        let number = self.varint()?;
        Ok(self.meant(number))
    }

    fn meant(&self, number: u64) -> i64 {
        if self.signed { unzigzag(number) } else { number.cast_signed() }
    }
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

/// Bits that a code of five bits stands for.
fn width(code: u8) -> u32 {
    match code & 0x1F {
        code @ 0..=23 => u32::from(code) + 1,
        24 => 26,
        25 => 28,
        26 => 30,
        27 => 32,
        28 => 40,
        29 => 48,
        30 => 56,
        _ => 64,
    }
}

/// The least width that a code stands for, and that holds so many bits.
fn rounded(bits: u32) -> u32 {
    (0..32).map(width).find(|width| *width >= bits).unwrap_or(64)
}

/// Numbers of so many bits each, the highest bit first.
#[derive(Debug)]
struct Bits {
    width: u32,
    held: u128,
    count: u32,
}

impl Bits {
    fn new(width: u32) -> Self {
        Self { width, held: 0, count: 0 }
    }
    fn next(&mut self, stream: &mut Stream<'_>) -> io::Result<u64> {
        while self.count < self.width {
            self.held = self.held << 8 | u128::from(stream.byte()?);
            self.count += 8;
        }
        self.count -= self.width;
        let number = self.held >> self.count;
        self.held &= (1 << self.count) - 1;
        u64::try_from(number).map_err(invalid)
    }
}
