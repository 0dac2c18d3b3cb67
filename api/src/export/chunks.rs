//! The chunks of an export, one after the other. What holds for all of them is kept for groups of them, whose borders
//! are said by values as those of chunks are: after a change only the groups with a new chunk are gone over again.

use std::ops::Range;

use imbl::Vector;
use raft::blocklist::Observable;
use sha2::{Digest, Sha256};

use super::chunk::{Chunk, TextDigest, begins_group, shortened};
use crate::format::Totals;

/// Parts of a file, between the frames.
pub(super) const PARTS: usize = 2;

/// Chunks in the order of their rows.
#[derive(Default)]
pub(super) struct Chunks {
    chunks: Vector<Chunk>,
    groups: Vec<Group>,
}

/// Chunks that stand beside each other.
#[derive(Clone, Copy)]
struct Group {
    len: usize,
    sum: Sum,
    digest: TextDigest,
}

/// What is known of chunks together.
#[derive(Clone, Copy, Default)]
pub(super) struct Sum {
    pub(super) totals: Totals,
    /// Rows that cannot be had in the form that was asked for.
    pub(super) skipped: usize,
    /// Chunks that have rows in each part.
    pub(super) texts: [u64; PARTS],
    /// Bytes of the rows, without what stands between chunks.
    pub(super) length: u64,
}

impl Chunks {
    /// The same with runs of chunks replaced, each by its place and what stands there now; the last run first, so that
    /// the places before it stay what they are.
    pub(super) fn with_replaced(&self, replaced: impl Iterator<Item = (Range<usize>, Vec<Chunk>)>) -> Chunks {
        let mut chunks = self.chunks.clone();
        // Groups by their lengths; those with new chunks are one, and without what holds for it, until all are in.
        let mut groups: Vec<(usize, Option<Group>)> =
            self.groups.iter().map(|group| (group.len, Some(*group))).collect();
        let mut starts = starts(&self.groups);
        for (place, fresh) in replaced {
            // The group that holds the first chunk of the run, and the one that holds the last.
            let first = starts.partition_point(|start| *start <= place.start) - 1;
            let last = starts.partition_point(|start| *start < place.end) - 1;
            let len: usize = groups[first..=last].iter().map(|(len, _)| len).sum();
            groups.splice(first..=last, [(len - place.len() + fresh.len(), None)]);
            starts.truncate(first + 1);
            replace(&mut chunks, place, fresh);
        }
        Chunks::grouped(chunks, groups.into_iter())
    }

    /// Chunks, with the groups that are known; the others are made here.
    fn grouped(chunks: Vector<Chunk>, groups: impl Iterator<Item = (usize, Option<Group>)>) -> Chunks {
        let mut made = Vec::new();
        let mut start = 0;
        for (len, known) in groups {
            match known {
                Some(group) => made.push(group),
                None => made.extend(groups_of(chunks.focus().narrow(start..start + len))),
            }
            start += len;
        }
        Chunks { chunks, groups: made }
    }

    /// Of all of them.
    pub(super) fn sum(&self) -> Sum {
        let mut sum = Sum::default();
        self.groups.iter().for_each(|group| sum.join(&group.sum));
        sum
    }

    /// Digests of all rows, in their order.
    pub(super) fn digests(&self) -> impl Iterator<Item = &TextDigest> {
        self.groups.iter().filter(|group| group.sum.length > 0).map(|group| &group.digest)
    }

    pub(super) fn len(&self) -> usize {
        self.chunks.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub(super) fn get(&self, at: usize) -> Option<&Chunk> {
        self.chunks.get(at)
    }

    /// Those from a place on.
    pub(super) fn starting_at(&self, at: usize) -> impl Iterator<Item = &Chunk> {
        self.chunks.focus().narrow(at.min(self.len())..).into_iter()
    }

    /// The runs of chunks that have to be written anew when rows of these values were touched, which are in their
    /// order. A chunk whose first row may be gone runs into the one before it.
    pub(super) fn runs<'v>(&self, touched: impl Iterator<Item = &'v Observable>) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for value in touched {
            let place = match self.chunks.binary_search_by(|chunk| chunk.first.cmp(value)) {
                Ok(place) => place.saturating_sub(1)..place + 1,
                // What comes before the first row belongs to the first chunk.
                Err(after) => after.saturating_sub(1)..after.max(1),
            };
            match runs.last_mut() {
                Some(last) if last.end >= place.start => last.end = last.end.max(place.end),
                _ => runs.push(place),
            }
        }
        runs
    }
}

impl From<Vec<Chunk>> for Chunks {
    fn from(chunks: Vec<Chunk>) -> Chunks {
        let len = chunks.len();
        Chunks::grouped(chunks.into(), [(len, None)].into_iter())
    }
}

impl Sum {
    fn join(&mut self, other: &Sum) {
        self.totals.join(&other.totals);
        self.skipped += other.skipped;
        self.texts = [self.texts[0] + other.texts[0], self.texts[1] + other.texts[1]];
        self.length += other.length;
    }
}

/// The first place of each group.
fn starts(groups: &[Group]) -> Vec<usize> {
    let mut next = 0;
    let start = |group: &Group| {
        next += group.len;
        next - group.len
    };
    groups.iter().map(start).collect()
}

fn replace(chunks: &mut Vector<Chunk>, place: Range<usize>, fresh: Vec<Chunk>) {
    if fresh.len() == place.len() {
        fresh.into_iter().zip(place).for_each(|(chunk, at)| drop(chunks.set(at, chunk)));
    } else {
        let rest = chunks.split_off(place.end);
        chunks.truncate(place.start);
        chunks.extend(fresh);
        chunks.append(rest);
    }
}

/// Goes over chunks, and groups them.
fn groups_of<'c>(chunks: impl IntoIterator<Item = &'c Chunk>) -> Vec<Group> {
    let (mut groups, mut digests) = (Vec::new(), Sha256::new());
    let (mut len, mut sum) = (0, Sum::default());
    for chunk in chunks {
        if len > 0 && begins_group(&chunk.first) {
            groups.push(Group { len, sum, digest: shortened(&digests.finalize_reset()) });
            (len, sum) = (0, Sum::default());
        }
        len += 1;
        sum.totals.join(&chunk.totals);
        sum.skipped += chunk.skipped;
        for part in (0..PARTS).filter(|part| chunk.lengths[*part] > 0) {
            sum.texts[part] += 1;
            sum.length += chunk.lengths[part] as u64;
            digests.update(chunk.digests[part]);
        }
    }
    if len > 0 {
        groups.push(Group { len, sum, digest: shortened(&digests.finalize()) });
    }
    groups
}
