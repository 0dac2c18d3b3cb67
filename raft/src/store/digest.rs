//! A digest of the whole state that follows each change at the cost of the change: the sum of the hashes of all
//! records. Two nodes at the same index have the same digest, or one of them is wrong.

use std::collections::VecDeque;
use std::fmt;
use std::io;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::blocklist::{Change, List, Record};
use crate::codec::{self, Content};
use crate::store::disk::StoredChanges;

/// Indexes between two digests that are remembered, so that busy nodes share some with each other.
pub(crate) const REMEMBERED_EVERY: u64 = 256;
/// Digests that are remembered.
const REMEMBERED_MAX: usize = 64;

/// What several batches have changed, one after the other.
#[derive(Default)]
pub(crate) struct Changes(Vec<Change>);

impl Changes {
    /// Changes; some may be of the same key.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Joins what one more batch has changed, in the order of the keys.
    pub(crate) fn join(&mut self, mut changes: Vec<Change>) {
        self.0.append(&mut changes);
    }

    /// Whether anything but entries has changed, and what goes with them.
    pub(crate) fn decide(&self) -> bool {
        self.0.iter().any(|change| change.key.is_decided())
    }

    /// Takes all of it out: one change a key, in the order of the keys, from what it was at first to what it is in the
    /// end.
    fn drain(&mut self) -> impl Iterator<Item = Change> {
        let changes = &mut self.0;
        // What a batch has changed is in order: the sort finds these runs, and of equal ones keeps the order.
        changes.sort_by(|one, other| one.key.cmp(&other.key));
        changes.dedup_by(|next, first| {
            let same = next.key == first.key;
            if same {
                first.record = next.record.take();
            }
            same
        });
        changes.drain(..)
    }
}

/// The digest of a set of records, whatever their order. Stored with what it describes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateDigest {
    high: u128,
    low: u128,
}

impl StateDigest {
    /// Follows changes of a list of which this is the rest that there was before; gives them in their stored form, and
    /// leaves none of them.
    pub(crate) fn follow(&mut self, rest_before: &List, changes: &mut Changes) -> io::Result<StoredChanges> {
        let (mut stored, mut encoder) = (StoredChanges::with_room(changes.len()), Encoder::default());
        for Change { key, before, record } in changes.drain() {
            if let Some(old) = before.record(&key, rest_before) {
                self.take(encoder.encode(&old)?);
            }
            if let Some(new) = stored.push(&key, record.as_ref())? {
                self.put(new);
            }
        }
        Ok(stored)
    }

    /// One more record, in its stored form.
    pub(crate) fn put(&mut self, stored: &[u8]) {
        let (high, low) = halves(stored);
        self.high = self.high.wrapping_add(high);
        self.low = self.low.wrapping_add(low);
    }

    /// One record less.
    fn take(&mut self, stored: &[u8]) {
        let (high, low) = halves(stored);
        self.high = self.high.wrapping_sub(high);
        self.low = self.low.wrapping_sub(low);
    }
}

impl fmt::Display for StateDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}{:032x}", self.high, self.low)
    }
}

/// A record as it is stored, which is what is hashed.
pub(crate) fn encode(record: &Record) -> io::Result<Vec<u8>> {
    codec::encode(Content::Record, record)
}

/// The same for many records, one after the other in one buffer.
#[derive(Default)]
pub(crate) struct Encoder(Vec<u8>);

impl Encoder {
    pub(crate) fn encode(&mut self, record: &Record) -> io::Result<&[u8]> {
        codec::encode_into(&mut self.0, Content::Record, record)?;
        Ok(&self.0)
    }
}

fn halves(stored: &[u8]) -> (u128, u128) {
    let hash: [u8; 32] = Sha256::digest(stored).into();
    let half = |from: usize| u128::from_be_bytes(std::array::from_fn(|at| hash[from + at]));
    (half(0), half(16))
}

/// The digests of some indexes that this node has passed, for comparison with others.
#[derive(Debug, Default)]
pub(crate) struct Passed(Mutex<VecDeque<(u64, StateDigest)>>);

impl Passed {
    pub(crate) fn note(&self, index: u64, digest: StateDigest) {
        let mut passed = self.0.lock();
        passed.push_back((index, digest));
        if passed.len() > REMEMBERED_MAX {
            passed.pop_front();
        }
    }

    /// Oldest first.
    pub(crate) fn all(&self) -> Vec<(u64, StateDigest)> {
        self.0.lock().iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::*;
    use crate::blocklist::tests::{batch, history};

    fn of(list: &List) -> StateDigest {
        let mut digest = StateDigest::default();
        list.records().for_each(|record| digest.put(&encode(&record).unwrap()));
        digest
    }

    proptest! {
        #[test]
        fn it_is_always_that_of_all_records(history in history()) {
            let (mut list, mut digest) = (List::default(), StateDigest::default());
            let mut indexes = 1..;
            for group in history.chunks(3) {
                let (before, mut changes) = (list.rest(), Changes::default());
                for (command, index) in group.iter().zip(&mut indexes) {
                    changes.join(list.apply(index, &batch(index, vec![command.clone()])).changes);
                }
                digest.follow(&before, &mut changes).unwrap();
                prop_assert_eq!(digest, of(&list));
            }
        }
    }

    #[test]
    fn what_was_put_and_taken_leaves_nothing() {
        let mut digest = StateDigest::default();
        digest.put(b"one");
        let one = digest;
        digest.put(b"two");
        digest.take(b"one");
        digest.put(b"one");
        digest.take(b"two");
        assert_eq!(digest, one);
        assert_ne!(digest, StateDigest::default());
        assert_eq!(
            one.to_string(),
            "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed",
            "one record has its own SHA-256"
        );
    }
}
