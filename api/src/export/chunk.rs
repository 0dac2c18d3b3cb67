//! A run of rows in the order of the list, written down. A row begins a chunk by its value alone, one in about
//! `CHUNK_ROWS`: a change of one row changes one chunk, and no border but its own.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use raft::blocklist::Observable;
use sha2::{Digest, Sha256};

use super::coding::{self, Deflated};
use crate::format::Totals;

/// Rows in a chunk, on average: some ten to some hundred KB. Who chooses values so that none begins a chunk gets a
/// long one, and the cost of that. Few in tests, so that short lists have borders.
const CHUNK_ROWS: u64 = if cfg!(test) { 4 } else { 2_048 };
/// Chunks in a group, on average.
const GROUP_CHUNKS: u64 = if cfg!(test) { 3 } else { 64 };

/// A run of rows.
#[derive(Clone)]
pub(super) struct Chunk {
    /// The value of the first row, kept or not.
    pub(super) first: Observable,
    /// The rows of each part of the file.
    pub(super) texts: Arc<[Text; 2]>,
    pub(super) digests: [TextDigest; 2],
    pub(super) lengths: [usize; 2],
    pub(super) totals: Totals,
    /// Rows that cannot be had in the form that was asked for.
    pub(super) skipped: usize,
}

/// As much of a SHA-256 as an ETag holds.
pub(super) type TextDigest = [u8; 16];

pub(super) fn digest(bytes: &[u8]) -> TextDigest {
    shortened(&Sha256::digest(bytes))
}

pub(super) fn shortened(whole: &[u8]) -> TextDigest {
    let mut digest = TextDigest::default();
    digest.copy_from_slice(&whole[..16]);
    digest
}

impl Chunk {
    pub(super) fn new(first: Observable, texts: [Vec<u8>; 2], totals: Totals, skipped: usize) -> Chunk {
        let digests = texts.each_ref().map(|text| digest(text));
        let lengths = texts.each_ref().map(Vec::len);
        let texts = Arc::new(texts.map(|text| Text { plain: text.into(), ..Text::default() }));
        Chunk { first, texts, digests, lengths, totals, skipped }
    }
}

/// Bytes, and the same compressed once somebody has asked for that.
#[derive(Default)]
pub(super) struct Text {
    plain: Bytes,
    gzip: OnceLock<Deflated>,
    zstd: OnceLock<Bytes>,
}

impl Text {
    pub(super) fn deflated(&self) -> &Deflated {
        self.gzip.get_or_init(|| Deflated::of(&self.plain))
    }

    pub(super) fn zstd(&self) -> &Bytes {
        self.zstd.get_or_init(|| coding::zstd_frame(&self.plain))
    }

    pub(super) fn plain(&self) -> &Bytes {
        &self.plain
    }
}

/// Whether a row of this value begins a chunk. The same on every node and in every version: the ETag hangs on it.
pub(super) fn begins_chunk(value: &Observable) -> bool {
    hash(value).is_multiple_of(CHUNK_ROWS)
}

/// Whether it begins a group of them as well.
pub(super) fn begins_group(value: &Observable) -> bool {
    hash(value).is_multiple_of(CHUNK_ROWS * GROUP_CHUNKS)
}

fn hash(value: &Observable) -> u64 {
    match value {
        Observable::Ip(network) => {
            let bits = match network.net().addr() {
                IpAddr::V4(address) => u128::from(address.to_bits()),
                IpAddr::V6(address) => address.to_bits(),
            };
            let low = mixed(bits as u64 ^ u64::from(network.net().prefix_len()));
            mixed(low ^ (bits >> 64) as u64)
        }
        other => {
            // FNV-1a.
            let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            mixed(other.text().unwrap_or_default().bytes().fold(0xcbf2_9ce4_8422_2325, mix))
        }
    }
}

/// The last step of SplitMix64: every bit of the result hangs on every bit given.
fn mixed(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
