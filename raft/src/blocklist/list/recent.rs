//! What the last batches touched, so that a follower close behind costs no look at the whole list. It saves
//! time and decides nothing: what it has not, a scan finds.

use std::sync::Arc;

use imbl::OrdMap;

use crate::blocklist::observable::Observable;

/// The most observables remembered.
const RECENT_MAX: usize = 65_536;

/// Touched observables by index. Derived, never stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    by_index: OrdMap<u64, Arc<[Observable]>>,
    count: usize,
    /// Everything that was touched after this index is here.
    floor: u64,
}

impl Recent {
    /// Remembers what a batch touched, and forgets the oldest beyond the limit.
    pub(super) fn note(&mut self, index: u64, values: Vec<Observable>) {
        if values.is_empty() {
            return;
        }
        self.count += values.len();
        let together = match self.by_index.get(&index) {
            Some(earlier) => earlier.iter().cloned().chain(values).collect(),
            None => values.into(),
        };
        self.by_index.insert(index, together);
        while self.count > RECENT_MAX {
            let (Some(forgotten), rest) = self.by_index.without_min_with_key() else { break };
            self.count -= forgotten.1.len();
            self.floor = self.floor.max(forgotten.0);
            self.by_index = rest;
        }
    }

    /// Says that something of this index, or before it, is not here.
    pub(super) fn miss(&mut self, index: u64) {
        self.floor = self.floor.max(index);
    }

    /// What was touched after this index, some of it perhaps twice; `None` when not all of it is known.
    pub(super) fn after(&self, index: u64) -> Option<impl Iterator<Item = &Observable>> {
        let known = index >= self.floor;
        known.then(|| self.by_index.range(index.saturating_add(1)..).flat_map(|(_, values)| values.iter()))
    }
}
