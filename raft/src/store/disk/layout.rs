//! How a list lies in sled. sled needs 11 to 25 µs a key, and a key a record would make it what every write waits
//! for; so records lie in blocks, and a change is written behind those before it, not into its place:
//!
//! | key | value |
//! |---|---|
//! | `00` | the mark: index, membership, digest |
//! | `f0` | the ground: which blocks are the list, and which changes came after them |
//! | `f1` generation `u32` number `u32` | a block of the ground: records, in the order of their keys where they have one |
//! | `f2` number `u64` | a block of changes: keys, and their records or that they are gone |
//! | `01`…`ef` | a record under its own key: generation 0, as builds before blocks wrote a list |
//!
//! The list is the ground with the changes from `first_change` on, a later one over an earlier one. Once there are
//! twice as many changes as entries, the writer lays a new ground from a still picture: blocks of the next generation,
//! then `f0`. What `f0` does not name is nobody's, and is swept. Integers are big-endian, blocks packed.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::packing;
use crate::codec::{self, Content};

/// The key of the mark.
pub(super) const MARK: &[u8] = &[0];
/// The key of the ground.
pub(super) const GROUND: &[u8] = &[0xF0];
const BLOCK: u8 = 0xF1;
const CHANGES: u8 = 0xF2;

/// Bytes beyond which a block is full. Packed it has some 4 KiB: sled takes 250 MB/s in values of that size; of 16 KiB
/// it keeps three times as much in memory, of 1 KiB it takes half.
pub(super) const BLOCK_BYTES: usize = 16 << 10;
/// Blocks in one atomic batch. Beyond some 350 keys sled keeps all it wrote in memory.
pub(super) const BATCH_BLOCKS: usize = 64;

/// Which blocks are the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ground {
    /// Of its blocks; 0 is a record a key.
    pub(super) generation: u32,
    /// The number of the first block of changes that is not in it.
    pub(super) first_change: u64,
}

/// Where a writer goes on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) ground: Ground,
    /// The last generation of which there is a block, also of a ground that was not laid to its end.
    pub(super) last_generation: u32,
    /// The number of the next block of changes.
    pub(super) next_change: u64,
}

impl Place {
    /// The ground that would be laid now: of a generation that has no block yet.
    pub(super) fn next_ground(&mut self) -> Ground {
        self.last_generation = self.last_generation.max(self.ground.generation).saturating_add(1);
        Ground { generation: self.last_generation, first_change: self.next_change }
    }
}

impl Ground {
    /// The keys of the blocks of all generations.
    pub(super) fn all_blocks() -> Range<Vec<u8>> {
        vec![BLOCK]..vec![CHANGES]
    }

    /// The keys of generation 0.
    pub(super) fn records() -> Range<Vec<u8>> {
        vec![1]..GROUND.to_vec()
    }

    /// The keys of its blocks.
    pub(super) fn blocks(self) -> Range<Vec<u8>> {
        block_key(self.generation, 0)..block_key(self.generation.saturating_add(1), 0)
    }

    /// The keys of the changes after it.
    pub(super) fn changes(self) -> Range<Vec<u8>> {
        change_key(self.first_change)..vec![CHANGES + 1]
    }

    /// All keys but the mark that it does not name.
    pub(super) fn strangers(self) -> Vec<Range<Vec<u8>>> {
        let blocks = self.blocks();
        let mut ranges = vec![
            vec![BLOCK]..blocks.start,
            blocks.end..vec![CHANGES],
            vec![CHANGES]..change_key(self.first_change),
        ];
        if self.generation > 0 {
            ranges.push(Ground::records());
        }
        ranges
    }
}

/// The key of a block of the ground.
pub(super) fn block_key(generation: u32, number: u32) -> Vec<u8> {
    [&[BLOCK], generation.to_be_bytes().as_slice(), &number.to_be_bytes()].concat()
}

/// The generation in the key of a block of the ground.
pub(super) fn block_generation(key: &[u8]) -> Option<u32> {
    key.get(1..5)?.try_into().ok().map(u32::from_be_bytes)
}

/// The key of a block of changes.
pub(super) fn change_key(number: u64) -> Vec<u8> {
    [&[CHANGES], number.to_be_bytes().as_slice()].concat()
}

/// The number in the key of a block of changes.
pub(super) fn change_number(key: &[u8]) -> Option<u64> {
    let (class, number) = key.split_first()?;
    (*class == CHANGES).then(|| number.try_into().ok().map(u64::from_be_bytes))?
}

/// Cuts records, in their stored form, into full blocks; the last one may be smaller.
#[derive(Default)]
pub(super) struct Blocks {
    records: Vec<Bytes>,
    bytes: usize,
}

impl Blocks {
    /// Takes one more record; gives a block when it is full.
    pub(super) fn push(&mut self, record: Bytes) -> io::Result<Option<Vec<u8>>> {
        self.bytes += record.len();
        self.records.push(record);
        if self.bytes < BLOCK_BYTES { Ok(None) } else { self.finish() }
    }

    /// The block of what is left, if anything is.
    pub(super) fn finish(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.bytes = 0;
        let records = std::mem::take(&mut self.records);
        (!records.is_empty())
            .then(|| codec::encode_sized(Content::Block, &records, 2 * BLOCK_BYTES))
            .transpose()
    }
}

/// Reads a block of the ground.
pub(super) fn read_block(bytes: &[u8]) -> io::Result<Vec<Bytes>> {
    codec::decode(Content::Block, &packing::unpack(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_the_grounds_or_a_strangers() {
        let ground = Ground { generation: 3, first_change: 7 };
        let own =
            |key: &[u8]| ground.blocks().contains(&key.to_vec()) || ground.changes().contains(&key.to_vec());
        let strange = |key: &[u8]| ground.strangers().iter().any(|range| range.contains(&key.to_vec()));
        let rows: [(Vec<u8>, bool); 9] = [
            (block_key(3, 0), true),
            (block_key(3, u32::MAX), true),
            (block_key(2, u32::MAX), false),
            (block_key(4, 0), false),
            (block_key(u32::MAX, 5), false),
            (change_key(7), true),
            (change_key(u64::MAX), true),
            (change_key(6), false),
            (vec![5, 0, 1, 4, 192, 0, 2, 1, 32], false),
        ];
        for (key, owned) in rows {
            assert_eq!((own(&key), strange(&key)), (owned, !owned), "{key:?}");
        }
        assert!(!strange(MARK) && !strange(GROUND));
        let first = Ground::default();
        assert!(
            first.strangers().iter().all(|range| !range.contains(&vec![5, 0, 1])),
            "generation 0 is its own"
        );
    }

    #[test]
    fn blocks_hold_what_was_put_in() {
        let record = |number: u32| Bytes::from(number.to_be_bytes().repeat(number as usize % 50 + 1));
        let (mut cut, mut blocks) = (Blocks::default(), Vec::new());
        for number in 0..2000 {
            blocks.extend(cut.push(record(number)).unwrap());
        }
        blocks.extend(cut.finish().unwrap());
        assert!(cut.finish().unwrap().is_none());
        assert!(blocks.len() > 10 && blocks.iter().all(|block| block.len() < 2 * BLOCK_BYTES));
        let read: Vec<Bytes> = blocks.iter().flat_map(|block| read_block(block).unwrap()).collect();
        assert_eq!(read, (0..2000).map(record).collect::<Vec<_>>());
        assert_eq!(change_number(&change_key(9)), Some(9));
        assert_eq!(change_number(&block_key(9, 9)), None);
        assert_eq!(block_generation(&block_key(9, 7)), Some(9));
    }

    #[test]
    fn stored_bytes_do_not_change() {
        let hex = |bytes: Vec<u8>| hex::encode(bytes);
        let ground = Ground { generation: 3, first_change: 300 };
        assert_eq!(hex(codec::encode(Content::Ground, &ground).unwrap()), "5d090103fb2c01");
        let mut blocks = Blocks::default();
        assert_eq!(blocks.push(Bytes::from_static(b"ab")).unwrap(), None);
        assert_eq!(blocks.finish().unwrap().map(hex).unwrap(), "5d0a0101026162");
    }
}
