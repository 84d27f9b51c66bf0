//! The compression of an image's sections.
//!
//! `FileSummary.codec` names a Java class of Hadoop (`dfs.image.compression.codec`); every section is a
//! compressed stream of its own, and where an image has sub-sections every one of these is: a section is then
//! several streams one after the other. All decoders here go on with the next stream until the section ends,
//! and a stream that ends early is an error.

mod block;
mod bzip2;
mod zlib;
mod zstandard;

use crate::failure::{Broken, Outcome};
use std::io::{BufReader, Read};

/// Bytes taken from the image at once.
const BUFFER: usize = 128 << 10;

/// How the sections are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    /// Not at all.
    None,
    /// `DefaultCodec` and `DeflateCodec`: zlib streams (RFC 1950).
    Zlib,
    /// `GzipCodec`: gzip members (RFC 1952).
    Gzip,
    /// `BZip2Codec`: bzip2 streams.
    Bzip2,
    /// `Lz4Codec`: LZ4 blocks in Hadoop's framing.
    Lz4,
    /// `SnappyCodec`: raw snappy in Hadoop's framing.
    Snappy,
    /// `ZStandardCodec`: Zstandard frames (RFC 8878).
    Zstandard,
}

impl Codec {
    /// The codec for the class that an image names; the empty name is no compression.
    pub(crate) fn from_class(class: &str) -> Outcome<Self> {
        match class.strip_prefix("org.apache.hadoop.io.compress.").unwrap_or(class) {
            "" => Ok(Self::None),
            "DefaultCodec" | "DeflateCodec" => Ok(Self::Zlib),
            "GzipCodec" => Ok(Self::Gzip),
            "BZip2Codec" => Ok(Self::Bzip2),
            "Lz4Codec" => Ok(Self::Lz4),
            "SnappyCodec" => Ok(Self::Snappy),
            "ZStandardCodec" => Ok(Self::Zstandard),
            _ => Err(Broken::Unsupported(format!(
                "the image is compressed with `{class}`, which is not read here; save it with \
                 `dfs.image.compress=false`, or with the Default, Gzip, BZip2, Lz4, Snappy or ZStandard codec"
            ))),
        }
    }

    /// The content of a section whose compressed bytes are `raw`.
    pub(crate) fn open(self, raw: impl Read + Send + 'static) -> Box<dyn Read + Send> {
        let raw = BufReader::with_capacity(BUFFER, raw);
        match self {
            Self::None => Box::new(raw),
            Self::Zlib => Box::new(zlib::Zlib::new(raw)),
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(raw)),
            Self::Bzip2 => Box::new(bzip2::Bzip2::new(raw)),
            Self::Lz4 => Box::new(block::Blocks::new(raw, block::Packing::Lz4)),
            Self::Snappy => Box::new(block::Blocks::new(raw, block::Packing::Snappy)),
            Self::Zstandard => zstandard::open(raw),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, ErrorKind, Write as _};

    /// `bzip2` of 300 times `a` and three times `bcd`, and of nothing.
    const RUNS: &[u8] = b"\x42\x5A\x68\x39\x31\x41\x59\x26\x53\x59\xDD\x6A\x37\x71\x00\x00\x02\x91\x00\x80\x20\x3C\x00\x00\x08\x20\x00\x21\x22\x30\x30\x06\x16\xF2\x67\xC5\x54\xC2\xEE\x48\xA7\x0A\x12\x1B\xAD\x46\xEE\x20";
    const NOTHING: &[u8] = b"\x42\x5A\x68\x39\x17\x72\x45\x38\x50\x90\x00\x00\x00\x00";

    fn content(codec: Codec, raw: Vec<u8>) -> std::io::Result<Vec<u8>> {
        let mut content = Vec::new();
        codec.open(Cursor::new(raw)).read_to_end(&mut content)?;
        Ok(content)
    }

    fn zlib(of: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(of).unwrap();
        packed.finish().unwrap()
    }

    fn zstandard(of: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(of, 3).unwrap()
    }

    /// One block in chunks, as Hadoop frames them.
    fn framed(chunks: &[&[u8]], pack: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let length = |len: usize| u32::try_from(len).unwrap().to_be_bytes();
        let mut out = length(chunks.iter().map(|chunk| chunk.len()).sum()).to_vec();
        for chunk in chunks {
            let packed = pack(chunk);
            out.extend_from_slice(&length(packed.len()));
            out.extend_from_slice(&packed);
        }
        out
    }

    #[test]
    fn streams_one_after_the_other_are_one_content() {
        let long = vec![7; 100_000];
        let both = [&b"first"[..], &long].concat();
        assert_eq!(content(Codec::Zlib, [zlib(b"first"), zlib(b""), zlib(&long)].concat()).unwrap(), both);
        let runs = [&[b'a'; 300][..], b"bcdbcdbcd"].concat();
        assert_eq!(content(Codec::Bzip2, [RUNS, NOTHING, RUNS].concat()).unwrap(), [&runs[..], &runs].concat());
        let lz4 = framed(&[b"first", &long], lz4_flex::block::compress);
        assert_eq!(content(Codec::Lz4, [lz4, vec![0; 4]].concat()).unwrap(), both);
        let snappy = framed(&[b"first", &long], |chunk| snap::raw::Encoder::new().compress_vec(chunk).unwrap());
        assert_eq!(content(Codec::Snappy, snappy).unwrap(), both);
        let frames = [zstandard(b"first"), zstandard(b""), zstandard(&long)].concat();
        assert_eq!(content(Codec::Zstandard, frames).unwrap(), both);
        for codec in [Codec::None, Codec::Zlib, Codec::Bzip2, Codec::Lz4, Codec::Snappy, Codec::Zstandard] {
            assert_eq!(content(codec, Vec::new()).unwrap(), b"", "{codec:?}");
        }
    }

    #[test]
    fn a_stream_that_is_cut_off_is_an_error_wherever_it_ends() {
        let snappy = framed(&[b"first", b"second"], |chunk| snap::raw::Encoder::new().compress_vec(chunk).unwrap());
        let lz4 = framed(&[b"first", b"second"], lz4_flex::block::compress);
        for (codec, whole) in [
            (Codec::Zlib, zlib(b"some content")),
            (Codec::Bzip2, RUNS.to_vec()),
            (Codec::Lz4, lz4),
            (Codec::Snappy, snappy),
            (Codec::Zstandard, zstandard(b"some content")),
        ] {
            for end in 1..whole.len() {
                assert!(content(codec, whole[..end].to_vec()).is_err(), "{codec:?} cut at {end}");
            }
        }
    }

    #[test]
    fn a_changed_byte_does_not_change_the_content_unseen() {
        let runs = [&[b'a'; 300][..], b"bcdbcdbcd"].concat();
        for at in 0..RUNS.len() {
            let mut changed = RUNS.to_vec();
            changed[at] ^= 1;
            // Some bits say nothing: the level, the codes of a table that no group uses, the padding.
            let read = content(Codec::Bzip2, changed);
            assert!(read.is_err() || read.is_ok_and(|read| read == runs), "byte {at}");
        }
        let huge = [&u32::MAX.to_be_bytes()[..], &u32::MAX.to_be_bytes()].concat();
        for codec in [Codec::Lz4, Codec::Snappy] {
            assert_eq!(content(codec, huge.clone()).unwrap_err().kind(), ErrorKind::InvalidData);
        }
    }

    #[test]
    fn a_window_that_would_fill_the_memory_is_refused() {
        // A frame of no known size with a window of 2^27 bytes, then one of 2^28 (RFC 8878, 3.1.1.1.2), each with one
        // empty last block.
        let frame = |log: u8| vec![0x28, 0xB5, 0x2F, 0xFD, 0x00, (log - 10) << 3, 0x01, 0x00, 0x00];
        assert_eq!(content(Codec::Zstandard, frame(27)).unwrap(), b"");
        assert!(content(Codec::Zstandard, frame(28)).is_err());
    }
}
