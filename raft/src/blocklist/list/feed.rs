//! The changes since an index, as exports see them: what to block from now on, and what no longer.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::List;
use super::apply::Applying;
use super::exporting::Exported;
use super::nesting::around;
use crate::blocklist::entry::Entry;
use crate::blocklist::kind::Kind;
use crate::blocklist::observable::Observable;
use crate::blocklist::record::RecordKey;

/// What changed in the exports of a kind since an index. To take the removed ones out and put the added ones in
/// brings an export of that index up to date.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed<'a> {
    /// What is listed and was touched since, also by a sighting, in export order.
    pub added: Vec<Exported<'a>>,
    /// What left the list since, in export order.
    pub removed: Vec<Observable>,
}

/// What may be other in an export than it was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Touched {
    /// Its lines: new, changed or gone.
    pub lines: BTreeSet<Observable>,
    /// What it leaves out or cuts.
    pub cuts: bool,
}

/// The index asked for is older than what is kept: the whole list has to be taken again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("changes are kept since index {oldest}")]
pub struct Gone {
    /// The oldest index that can be asked for.
    pub oldest: u64,
}

impl List {
    /// What changed in the exports of this kind after `since`; the same on every node that has applied the same.
    pub fn changes_since(&self, kind: Kind, since: u64) -> Result<Feed<'_>, Gone> {
        let oldest = self.feed_floors[kind as usize];
        if since < oldest {
            return Err(Gone { oldest });
        }
        let mut added = Vec::new();
        for entry in self.touched_since(kind, since) {
            added.extend(self.exported_as(&entry.value).into_iter().map(|value| Exported { value, entry }));
        }
        let added = last_of_each(added);
        let is_added = |value: &Observable| added.binary_search_by(|line| line.value.cmp(value)).is_ok();
        let removed: BTreeSet<Observable> = self
            .tombstones
            .after(since)
            .filter(|value| value.kind() == kind)
            .flat_map(|value| self.exported_as(value))
            .filter(|value| !is_added(value) && !self.is_exported(value))
            .collect();
        Ok(Feed { added, removed: removed.into_iter().collect() })
    }

    /// The oldest index that `changes_since` and `lines_touched_since` can be asked about.
    pub fn changes_kept_since(&self, kind: Kind) -> u64 {
        self.feed_floors[kind as usize]
    }

    /// The lines of exports of this kind that may be other ones than they were at `since`: new, changed or gone.
    /// No other line is. Of what is more than a change of entries, `Gone` tells.
    pub fn lines_touched_since(&self, kind: Kind, since: u64) -> Result<Touched, Gone> {
        let oldest = self.feed_floors[kind as usize];
        if since < oldest {
            return Err(Gone { oldest });
        }
        let values: BTreeSet<&Observable> = match self.recent.after(since) {
            Some(values) => values.filter(|value| value.kind() == kind).collect(),
            None => {
                let listed = self.touched_since(kind, since).into_iter().map(|entry| &entry.value);
                listed.chain(self.tombstones.after(since).filter(|value| value.kind() == kind)).collect()
            }
        };
        // The holes are the same as then, so an entry that is gone had the lines that it would have now.
        let mut touched = Touched::default();
        for value in values {
            let lines = self.exported_as(value);
            touched.cuts |= lines.as_slice() != [value.clone()];
            touched.lines.extend(lines);
        }
        Ok(touched)
    }

    /// All that exports of this kind may have held at some time and do not hold now, as far as it is remembered: what
    /// was removed, and what is listed and left out or cut. For those of whom nobody knows what they have.
    pub fn no_longer_exported(&self, kind: Kind) -> BTreeSet<Observable> {
        let buried = self.tombstones.iter().map(|(value, _)| value).filter(|value| value.kind() == kind);
        let left_out: Vec<Observable> = match kind {
            Kind::Ip => self.cuts(|_| true).0.into_iter().collect(),
            _ if self.allows.is_empty() => Vec::new(),
            _ => self.entries(kind).map(|entry| entry.value.clone()).collect(),
        };
        let mut values: BTreeSet<Observable> =
            buried.flat_map(|value| self.exported_as(value).into_iter().chain([value.clone()])).collect();
        values.extend(left_out);
        values.retain(|value| !self.is_exported(value));
        values
    }

    /// The entries of a kind that were touched after an index, wide networks before those within them.
    fn touched_since(&self, kind: Kind, since: u64) -> Vec<&Arc<Entry>> {
        let newer = |entry: &&Arc<Entry>| entry.index > since;
        match self.recent.after(since) {
            Some(values) => {
                let values: BTreeSet<&Observable> = values.filter(|value| value.kind() == kind).collect();
                values.into_iter().filter_map(|value| self.get(value)).filter(newer).collect()
            }
            None => self.entries(kind).filter(newer).collect(),
        }
    }

    /// Whether this very line is in an export, of its own entry or as a piece of a wider one.
    fn is_exported(&self, value: &Observable) -> bool {
        let own = self.get(value);
        let wider = value.network().map(|network| around(&self.entries, &self.widths, network));
        let wider = wider.into_iter().flatten().map(|(_, entry)| entry);
        own.into_iter().chain(wider).any(|entry| self.exported_as(&entry.value).contains(value))
    }
}

/// In export order, and of lines with one value the last.
fn last_of_each(mut lines: Vec<Exported<'_>>) -> Vec<Exported<'_>> {
    // It keeps the order of equal ones, and costs little where most are in order.
    lines.sort_by(|one, other| one.value.cmp(&other.value));
    lines.dedup_by(|next, kept| {
        let equal = next.value == kept.value;
        if equal {
            std::mem::swap(next, kept);
        }
        equal
    });
    lines
}

impl Applying<'_> {
    /// Takes an entry off the list and remembers that it was there.
    pub(super) fn drop_entry(&mut self, value: &Observable) {
        let before = self.list.remove_entry(value);
        self.touch_entry(value, before, None);
        self.list.tombstones.put(value.clone(), self.index);
        self.touch(RecordKey::Tombstone(value.clone()));
        while let Some((index, oldest)) = self.list.tombstones.surplus() {
            self.list.tombstones.remove(&oldest);
            self.raise_floor(oldest.kind(), index);
            self.touch(RecordKey::Tombstone(oldest));
        }
    }

    /// Forgets that an observable was removed: it is listed again.
    pub(super) fn unbury(&mut self, value: &Observable) {
        if self.list.tombstones.remove(value) {
            self.touch(RecordKey::Tombstone(value.clone()));
        }
    }

    /// Notes that any entry of this kind may be exported otherwise now: followers take the whole list again.
    pub(super) fn touch_holes(&mut self, kind: Kind) {
        self.touch_kind(kind);
        self.raise_floor(kind, self.index);
    }

    fn raise_floor(&mut self, kind: Kind, index: u64) {
        let floor = &mut self.list.feed_floors[kind as usize];
        *floor = index.max(*floor);
        self.touch(RecordKey::FeedFloor(kind));
    }
}
