//! As much of ASN.1 DER as SPNEGO needs.

use crate::wire::cursor::Malformed;

const BROKEN: Malformed = Malformed("its authentication token is not DER");

/// One value: tag, length, content.
pub(crate) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = content.len();
    let mut out = vec![tag];
    if let Ok(short) = u8::try_from(len)
        && short < 0x80
    {
        out.push(short);
    } else {
        let bytes = len.to_be_bytes();
        let used = &bytes[bytes.iter().position(|b| *b != 0).unwrap_or(0)..];
        out.push(0x80 | u8::try_from(used.len()).expect("a length has at most 8 bytes"));
        out.extend_from_slice(used);
    }
    out.extend_from_slice(content);
    out
}

/// Takes one value off the front: its tag, its content, and what comes behind.
pub(crate) fn take(raw: &[u8]) -> Result<(u8, &[u8], &[u8]), Malformed> {
    let (&[tag, first], rest) = raw.split_first_chunk::<2>().ok_or(BROKEN)?;
    let (len, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7F)).ok_or(BROKEN)?;
        if bytes.is_empty() || bytes.len() > 4 {
            return Err(BROKEN);
        }
        (bytes.iter().fold(0, |len, byte| (len << 8) | usize::from(*byte)), rest)
    };
    let (content, rest) = rest.split_at_checked(len).ok_or(BROKEN)?;
    Ok((tag, content, rest))
}

/// The content of the one value with this tag that `raw` begins with.
pub(crate) fn expect(tag: u8, raw: &[u8]) -> Result<&[u8], Malformed> {
    let (found, content, _) = take(raw)?;
    if found == tag { Ok(content) } else { Err(BROKEN) }
}

/// Every value of a sequence's content.
pub(crate) fn each(mut raw: &[u8]) -> Result<Vec<(u8, &[u8])>, Malformed> {
    let mut all = Vec::new();
    while !raw.is_empty() {
        let (tag, content, rest) = take(raw)?;
        all.push((tag, content));
        raw = rest;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_every_form_come_back() {
        for len in [0, 1, 127, 128, 255, 256, 70_000] {
            let content = vec![9; len];
            let raw = [value(0x30, &content), vec![1, 2]].concat();
            assert_eq!(take(&raw).unwrap(), (0x30, &content[..], &[1, 2][..]));
        }
        assert!(take(&[0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF]).is_err());
        assert!(take(&[0x30, 0x80]).is_err());
    }
}
