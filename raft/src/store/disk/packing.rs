//! Blocks as they lie in sled: packed with zstd. Records of one list are much alike, and what sled costs, in time and
//! in memory, follows the bytes. Blocks that are not packed are those of earlier builds, and are read as they are.

use std::borrow::Cow;
use std::io;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use zstd::bulk::{Compressor, Decompressor};

use crate::codec::{self, Content};

/// Its fastest; a higher one takes several times as long and saves a fifth.
const LEVEL: i32 = 1;

/// A block, packed. Stored.
#[derive(Serialize, Deserialize)]
struct Packed {
    /// Bytes of the block.
    length: u32,
    /// One zstd frame.
    frame: Bytes,
}

/// Packs blocks, one after the other.
pub(super) struct Packer(Compressor<'static>);

impl Packer {
    pub(super) fn new() -> io::Result<Packer> {
        Compressor::new(LEVEL).map(Packer)
    }

    /// A block in its stored form.
    pub(super) fn pack(&mut self, block: &[u8]) -> io::Result<Vec<u8>> {
        let length = u32::try_from(block.len()).map_err(io::Error::other)?;
        codec::encode(Content::Packed, &Packed { length, frame: self.0.compress(block)?.into() })
    }
}

/// A block out of its stored form.
pub(crate) fn unpack(stored: &[u8]) -> io::Result<Cow<'_, [u8]>> {
    if !codec::is(Content::Packed, stored) {
        return Ok(Cow::Borrowed(stored));
    }
    let Packed { length, frame } = codec::decode(Content::Packed, stored)?;
    let damaged = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    if u64::from(length) > codec::VALUE_BYTES_MAX {
        return Err(damaged(format!("a block of {length} bytes")));
    }
    let block = Decompressor::new()?.decompress(&frame, length as usize);
    let block = block.map_err(|error| damaged(format!("a packed block: {error}")))?;
    if block.len() != length as usize {
        return Err(damaged(format!("a packed block of {} bytes in place of {length}", block.len())));
    }
    Ok(Cow::Owned(block))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_comes_out() {
        let block = codec::encode(Content::Block, &vec![Bytes::from_static(b"seen by web01"); 500]).unwrap();
        let mut packer = Packer::new().unwrap();
        for _ in 0..2 {
            let stored = packer.pack(&block).unwrap();
            assert!(stored.len() < block.len() / 10, "{} of {}", stored.len(), block.len());
            assert_eq!(unpack(&stored).unwrap(), block);
        }
        assert_eq!(unpack(&block).unwrap(), block, "of an earlier build");
    }

    #[test]
    fn what_is_no_block_is_refused() {
        let mut packer = Packer::new().unwrap();
        let frame: Bytes = packer.0.compress(&[7; 100]).unwrap().into();
        let stored = |length: u32, frame: &Bytes| {
            codec::encode(Content::Packed, &Packed { length, frame: frame.clone() }).unwrap()
        };
        assert!(unpack(&stored(100, &frame)).is_ok());
        for length in [0, 99, 101, u32::MAX] {
            assert!(unpack(&stored(length, &frame)).is_err(), "{length} bytes");
        }
        for end in 0..frame.len() {
            assert!(unpack(&stored(100, &frame.slice(..end))).is_err(), "cut at {end}");
        }
    }
}
