//! `Accept-Encoding`, and pieces of compressed bytes that stand behind each other. Frames of zstd do by themselves.
//! Members of gzip would too, but curl reads one member alone: so a piece is a run of deflate blocks that ends at a
//! byte, and the pieces of an export are one member, with its head before them and its sum behind.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_ENCODING;
use bytes::Bytes;
use crc32fast::Hasher;
use flate2::{Compress, Compression, FlushCompress, Status};

/// How the bytes of an answer are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Zstd,
}

impl Coding {
    pub(super) const ALL: [Coding; 3] = [Coding::Identity, Coding::Gzip, Coding::Zstd];

    /// The word of `Content-Encoding`, if there is one.
    pub(super) fn word(self) -> Option<&'static str> {
        match self {
            Coding::Identity => None,
            Coding::Gzip => Some("gzip"),
            Coding::Zstd => Some("zstd"),
        }
    }

    /// The coding that a client likes best (RFC 9110, section 12.5.3); it has to ask for one. Of two that it likes
    /// as much, zstd: it is shorter, and faster to read.
    pub(super) fn asked_for(headers: &HeaderMap) -> Coding {
        let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let (mut gzip, mut zstd, mut identity, mut rest) = (None, None, None, None);
        for range in values.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let word = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts.next().map_or(1.0, quality);
            match word.as_str() {
                "gzip" | "x-gzip" => gzip = Some(quality),
                "zstd" => zstd = Some(quality),
                "identity" => identity = Some(quality),
                "*" => rest = Some(quality),
                _ => {}
            }
        }
        let quality = |named: Option<f32>| named.or(rest).unwrap_or(0.0);
        let (gzip, zstd) = (quality(gzip), quality(zstd));
        let best = gzip.max(zstd);
        if best <= 0.0 || identity.is_some_and(|identity| identity > best) {
            Coding::Identity
        } else if zstd >= gzip {
            Coding::Zstd
        } else {
            Coding::Gzip
        }
    }
}

/// `q=0.5`; what is not a quality means that the coding is not wanted.
fn quality(parameter: &str) -> f32 {
    let number = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="));
    let number = number.and_then(|number| number.parse::<f32>().ok());
    number.filter(|quality| (0.0..=1.0).contains(quality)).unwrap_or(0.0)
}

/// The head of a gzip member without a name or a time (RFC 1952), so that the same list is the same bytes.
pub(super) const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
/// The longest text in a block that is not compressed.
const STORED_BYTES_MAX: usize = 65_535;

/// Deflate blocks, of which none is the last one, and the sum of what is in them.
#[derive(Clone)]
pub(super) struct Deflated {
    pub(super) bytes: Bytes,
    pub(super) sum: Hasher,
}

impl Deflated {
    /// Compressed, as fast as can be.
    pub(super) fn of(text: &[u8]) -> Deflated {
        let mut compress = Compress::new(Compression::fast(), false);
        let mut bytes = Vec::with_capacity(text.len() / 2 + 64);
        loop {
            let read = usize::try_from(compress.total_in()).unwrap_or(usize::MAX);
            let rest = text.get(read..).unwrap_or_default();
            let done = compress.compress_vec(rest, &mut bytes, FlushCompress::Sync);
            match done {
                // Room is left: all is read, and written up to a byte.
                Ok(_) if bytes.len() < bytes.capacity() => break,
                Ok(Status::Ok | Status::BufError | Status::StreamEnd) => bytes.reserve(bytes.len().max(64)),
                // It cannot happen to a compressor; the text is right uncompressed as well.
                Err(_) => return Deflated::stored(text),
            }
        }
        Deflated { bytes: bytes.into(), sum: summed(text) }
    }

    /// As it is: for what is too short to become shorter.
    pub(super) fn stored(text: &[u8]) -> Deflated {
        let mut bytes = Vec::with_capacity(text.len() + 5);
        for block in text.chunks(STORED_BYTES_MAX) {
            let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
            bytes.push(0);
            bytes.extend(length.to_le_bytes());
            bytes.extend((!length).to_le_bytes());
            bytes.extend(block);
        }
        Deflated { bytes: bytes.into(), sum: summed(text) }
    }
}

/// The end of a gzip member: an empty last block, and the sum and length of all that was in it.
pub(super) fn gzip_foot(sum: Hasher, length: u64) -> Bytes {
    let mut bytes = vec![3, 0];
    bytes.extend(sum.finalize().to_le_bytes());
    // The length is that modulo 2^32.
    bytes.extend((length as u32).to_le_bytes());
    bytes.into()
}

/// A text as a frame of zstd.
pub(super) fn zstd_frame(text: &[u8]) -> Bytes {
    // Level 1 fails for want of memory alone.
    zstd::bulk::compress(text, 1).map_or_else(|_| raw_frame(text), Bytes::from)
}

/// A frame of blocks that are not compressed (RFC 8878, section 3.1.1), of up to 128 KiB each.
fn raw_frame(text: &[u8]) -> Bytes {
    let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, 0xe0];
    bytes.extend((text.len() as u64).to_le_bytes());
    let mut blocks = text.chunks(128 << 10).peekable();
    if blocks.peek().is_none() {
        bytes.extend([1, 0, 0]);
    }
    while let Some(block) = blocks.next() {
        let last = usize::from(blocks.peek().is_none());
        bytes.extend(&(last | (block.len() << 3)).to_le_bytes()[..3]);
        bytes.extend(block);
    }
    bytes.into()
}

fn summed(text: &[u8]) -> Hasher {
    let mut sum = Hasher::new();
    sum.update(text);
    sum
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_client_gets_the_coding_that_it_asks_for() {
        let rows = [
            ("", Coding::Identity),
            ("gzip", Coding::Gzip),
            ("x-gzip", Coding::Gzip),
            ("GZip", Coding::Gzip),
            ("zstd", Coding::Zstd),
            ("deflate, gzip, br, zstd", Coding::Zstd),
            ("gzip;q=1.0, zstd;q=0.9", Coding::Gzip),
            ("gzip;q=0, zstd;q=0", Coding::Identity),
            ("gzip; q=0.001", Coding::Gzip),
            ("gzip;q=0.5, identity", Coding::Identity),
            ("gzip;q=0.5, identity;q=0.5", Coding::Gzip),
            ("identity;q=0, gzip", Coding::Gzip),
            ("*", Coding::Zstd),
            ("*;q=0.5, zstd;q=0", Coding::Gzip),
            ("*;q=0", Coding::Identity),
            ("gzip;q=2, zstd;q=-1", Coding::Identity),
            ("gzip;q=NaN", Coding::Identity),
            ("gzip;quick", Coding::Identity),
            ("br", Coding::Identity),
            (",;,", Coding::Identity),
        ];
        for (accept, expected) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accept));
            assert_eq!(Coding::asked_for(&headers), expected, "{accept}");
        }
        assert_eq!(Coding::asked_for(&HeaderMap::new()), Coding::Identity);
        let mut two = HeaderMap::new();
        two.append(ACCEPT_ENCODING, HeaderValue::from_static("br"));
        two.append(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        assert_eq!(Coding::asked_for(&two), Coding::Gzip);
    }

    #[test]
    fn pieces_behind_each_other_are_one_member() {
        let noise: Vec<u8> =
            (0..200_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let rows: [&[u8]; 5] = [b"", b"\n", b"192.0.2.1\n192.0.2.2\n", &[b'a'; 100_000], &noise];
        let mut bytes = GZIP_HEAD.to_vec();
        let (mut sum, mut text) = (Hasher::new(), Vec::<u8>::new());
        for row in rows {
            for piece in [Deflated::of(row), Deflated::stored(row)] {
                bytes.extend(&piece.bytes);
                sum.combine(&piece.sum);
                text.extend(row);
            }
        }
        bytes.extend(gzip_foot(sum, text.len() as u64));
        let mut found = Vec::new();
        let mut rest = bytes.as_slice();
        flate2::bufread::GzDecoder::new(&mut rest).read_to_end(&mut found).unwrap();
        assert!(found == text && rest.is_empty(), "one member, and nothing behind it");
    }

    #[test]
    fn frames_behind_each_other_are_one_stream() {
        let noise: Vec<u8> =
            (0..300_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let mut bytes = Vec::new();
        let mut text: Vec<u8> = Vec::new();
        for row in [&b""[..], b"\n", &[b'a'; 100_000], &noise] {
            for frame in [zstd_frame(row), raw_frame(row)] {
                bytes.extend(&frame);
                text.extend(row);
            }
        }
        assert!(zstd::stream::decode_all(bytes.as_slice()).unwrap() == text);
    }
}
