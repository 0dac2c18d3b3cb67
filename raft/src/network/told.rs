//! What a leader has told its followers to be on its disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::types::LogId;

/// Up to where each follower was told. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(Arc<Mutex<BTreeMap<u64, LogId>>>);

impl Told {
    /// This follower is about to be told of all up to an entry.
    pub(crate) fn note(&self, follower: u64, id: LogId) {
        let mut told = self.0.lock();
        let last = told.entry(follower).or_insert(id);
        *last = id.max(*last);
    }

    /// Whether this follower was told of all up to an entry.
    pub(crate) fn covers(&self, follower: u64, id: Option<LogId>) -> bool {
        id <= self.0.lock().get(&follower).copied()
    }

    /// The last entry that any of them was told of.
    pub(crate) fn last(&self) -> Option<LogId> {
        self.0.lock().values().max().copied()
    }
}

#[cfg(test)]
mod tests {
    use openraft::testing::log_id;

    use super::*;
    use crate::types::TypeConfig;

    #[test]
    fn each_follower_is_told_for_itself() {
        let id = |term, index| log_id::<TypeConfig>(term, 1, index);
        let told = Told::default();
        assert_eq!((told.last(), told.covers(2, None), told.covers(2, Some(id(1, 1)))), (None, true, false));
        told.note(2, id(1, 5));
        told.note(2, id(1, 4));
        told.note(3, id(1, 7));
        assert!(told.covers(2, Some(id(1, 5))) && !told.covers(2, Some(id(1, 6))));
        assert!(!told.covers(2, Some(id(2, 5))), "of a later term");
        assert_eq!(told.last(), Some(id(1, 7)));
    }
}
