//! Changes of the list in their stored form: made by the thousand for each group of log entries, handed to the writer,
//! written in blocks, and read from there. None has memory of its own.

use std::io;

use serde::{Deserialize, Serialize};

use super::layout::BLOCK_BYTES;
use crate::blocklist::{Record, RecordKey};
use crate::codec::{self, Content};
use crate::store::keys;

/// A key of the list with its new record; none when it is gone. Stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredChange<'b> {
    #[serde(with = "serde_bytes")]
    pub(super) key: &'b [u8],
    #[serde(borrow, with = "serde_bytes")]
    pub(super) record: Option<&'b [u8]>,
}

/// Changes one after the other, in one buffer.
#[derive(Debug, Default)]
pub(crate) struct StoredChanges {
    bytes: Vec<u8>,
    lengths: Vec<Lengths>,
}

/// Of the key of a change, and of its record behind it.
#[derive(Debug)]
struct Lengths {
    key: usize,
    record: Option<usize>,
}

impl StoredChanges {
    /// None yet, with room for so many.
    pub(crate) fn with_room(changes: usize) -> StoredChanges {
        const TYPICAL_BYTES: usize = 160;
        StoredChanges {
            bytes: Vec::with_capacity(changes * TYPICAL_BYTES),
            lengths: Vec::with_capacity(changes),
        }
    }

    /// Writes one more; gives the record as it is stored.
    pub(crate) fn push(&mut self, key: &RecordKey, record: Option<&Record>) -> io::Result<Option<&[u8]>> {
        let begin = self.bytes.len();
        keys::write(key, &mut self.bytes);
        let behind_key = self.bytes.len();
        if let Some(record) = record {
            codec::encode_behind(&mut self.bytes, Content::Record, record)?;
        }
        let stored = record.map(|_| &self.bytes[behind_key..]);
        self.lengths.push(Lengths { key: behind_key - begin, record: stored.map(<[u8]>::len) });
        Ok(stored)
    }

    pub(super) fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Of all keys and records.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = StoredChange<'_>> {
        let mut rest = self.bytes.as_slice();
        let mut next = move |length: usize| {
            let (part, behind) = rest.split_at(length);
            rest = behind;
            part
        };
        self.lengths.iter().map(move |lengths| {
            let key = next(lengths.key);
            StoredChange { key, record: lengths.record.map(&mut next) }
        })
    }
}

impl StoredChange<'_> {
    /// Its bytes in a block, or a few less.
    fn bytes(&self) -> usize {
        self.key.len() + self.record.map_or(0, <[u8]>::len)
    }
}

/// Of each key the last change, in the order of the keys.
pub(super) fn last_of_each<'b>(mut changes: Vec<StoredChange<'b>>) -> Vec<StoredChange<'b>> {
    // What was changed together is in order: the sort finds these runs, and of equal keys keeps the order.
    changes.sort_by_key(|change| change.key);
    changes.dedup_by(|next, last| {
        let same = next.key == last.key;
        if same {
            *last = *next;
        }
        same
    });
    changes
}

/// Cuts changes into those of one block each.
pub(super) fn cut<'s, 'b>(changes: &'s [StoredChange<'b>]) -> impl Iterator<Item = &'s [StoredChange<'b>]> {
    let mut bytes = 0;
    changes.split_inclusive(move |change| {
        bytes += change.bytes();
        let is_full = bytes >= BLOCK_BYTES;
        if is_full {
            bytes = 0;
        }
        is_full
    })
}

/// Writes a block of changes, in place of what the buffer holds.
pub(super) fn write(buffer: &mut Vec<u8>, changes: &[StoredChange<'_>]) -> io::Result<()> {
    codec::encode_into(buffer, Content::Changes, &changes)
}

/// Reads a block of changes that is not packed any more.
pub(super) fn read(block: &[u8]) -> io::Result<Vec<StoredChange<'_>>> {
    codec::decode(Content::Changes, block)
}

/// A block as it is written once it was read, for the fuzzers; none when it is no block.
#[cfg(any(test, fuzzing))]
pub(crate) fn again(block: &[u8]) -> Option<Vec<u8>> {
    let (changes, mut written) = (read(block).ok()?, Vec::new());
    write(&mut written, &changes).expect("what was read can be written");
    Some(written)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::blocklist::tests::{batch, history};
    use crate::blocklist::{List, OriginMark};
    use crate::store::digest::encode;
    use proptest::prelude::{prop_assert_eq, proptest};

    fn change<'b>(key: &'b str, record: Option<&'b str>) -> StoredChange<'b> {
        StoredChange { key: key.as_bytes(), record: record.map(str::as_bytes) }
    }

    fn blocks_of(changes: &[StoredChange<'_>]) -> Vec<Vec<u8>> {
        let written = |changes: &[StoredChange<'_>]| {
            let mut block = b"what was there before".to_vec();
            write(&mut block, changes).map(|()| block)
        };
        cut(changes).map(|changes| written(changes).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn what_was_put_in_comes_out(history in history()) {
            let (mut list, mut stored, mut expected) = (List::default(), StoredChanges::default(), Vec::new());
            for (index, command) in (1..).zip(history) {
                for change in list.apply(index, &batch(index, vec![command])).changes {
                    let record = change.record.map(|record| (encode(&record).unwrap(), record));
                    let written = stored.push(&change.key, record.as_ref().map(|(_, record)| record)).unwrap();
                    prop_assert_eq!(written, record.as_ref().map(|(bytes, _)| bytes.as_slice()));
                    expected.push((keys::record(&change.key), record.map(|(bytes, _)| bytes)));
                }
            }
            let found = stored.iter().map(|change| (change.key.to_vec(), change.record.map(<[u8]>::to_vec)));
            prop_assert_eq!(found.collect::<Vec<_>>(), expected);
            prop_assert_eq!(stored.iter().map(|change| change.bytes()).sum::<usize>(), stored.bytes());
            prop_assert_eq!(stored.iter().count(), stored.len());
        }
    }

    #[test]
    fn of_each_key_the_last_change_is_left() {
        let changes = vec![
            change("b", Some("1")),
            change("c", Some("1")),
            change("a", Some("1")),
            change("b", Some("2")),
            change("b", None),
            change("c", Some("3")),
        ];
        assert_eq!(last_of_each(changes.clone()), [changes[2], changes[4], changes[5]]);
        assert!(last_of_each(Vec::new()).is_empty() && blocks_of(&[]).is_empty());
    }

    #[test]
    fn blocks_hold_what_was_put_in() {
        let key = |number: u32| number.to_be_bytes().repeat(number as usize % 50 + 1);
        let change = |number: u32| (key(number), number.is_multiple_of(3).then(|| key(number / 2)));
        let all: BTreeMap<_, _> = (0..2000).map(change).collect();
        let changes: Vec<StoredChange<'_>> =
            all.iter().map(|(key, record)| StoredChange { key, record: record.as_deref() }).collect();
        let blocks = blocks_of(&changes);
        assert!(blocks.len() > 5 && blocks.iter().all(|block| block.len() < 2 * BLOCK_BYTES));
        let found: Vec<StoredChange<'_>> = blocks.iter().flat_map(|block| read(block).unwrap()).collect();
        assert_eq!(found, changes);
    }

    #[test]
    fn stored_bytes_do_not_change() {
        let block = blocks_of(&[change("k", Some("v")), change("l", None)]).remove(0);
        assert_eq!(hex::encode(&block), "5d0b0102016b010176016c00");
        assert_eq!(again(&block), Some(block));
        assert_eq!(again(b"]\x0b\x01\x02\x01k"), None);
        let mut stored = StoredChanges::default();
        let mark = Record::Origin(7, OriginMark { incarnation: 1, sequence: 300 });
        stored.push(&mark.key(), Some(&mark)).unwrap();
        let hex: Vec<_> =
            stored.iter().map(|change| (hex::encode(change.key), change.record.map(hex::encode))).collect();
        assert_eq!(hex, [("030000000000000007".to_owned(), Some("5d0201020701fb2c01".to_owned()))]);
    }
}
