//! Which nodes have writes on their way through this one as the leader.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Who had a write on its way counts for this much longer: that it is committed is yet to be told, and the next write
/// comes about now.
const COUNTS_FOR: Duration = Duration::from_millis(5);

/// The writes of each node that are on their way. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Callers(Arc<Mutex<BTreeMap<u64, Caller>>>);

#[derive(Clone, Copy, Debug)]
struct Caller {
    writes: usize,
    /// When the last of them began or ended.
    last: Instant,
}

/// A write of a node that is on its way until this is dropped.
#[derive(Debug)]
pub(crate) struct Calling {
    callers: Callers,
    node: u64,
}

impl Callers {
    /// A write of this node begins.
    pub(crate) fn begin(&self, node: u64) -> Calling {
        self.count(node, |writes| writes.saturating_add(1));
        Calling { callers: self.clone(), node }
    }

    /// Whether this node waits for a write of its own, or did so just now.
    pub(crate) fn waits(&self, node: u64) -> bool {
        self.waits_at(Instant::now(), node)
    }

    fn waits_at(&self, now: Instant, node: u64) -> bool {
        let caller = self.0.lock().get(&node).copied();
        let is_fresh = |last: Instant| now.saturating_duration_since(last) < COUNTS_FOR;
        caller.is_some_and(|caller| caller.writes > 0 || is_fresh(caller.last))
    }

    fn count(&self, node: u64, change: impl FnOnce(usize) -> usize) {
        let last = Instant::now();
        let mut callers = self.0.lock();
        let caller = callers.entry(node).or_insert(Caller { writes: 0, last });
        *caller = Caller { writes: change(caller.writes), last };
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        self.callers.count(self.node, |writes| writes.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_waits_while_a_write_of_its_own_is_on_its_way_and_a_moment_longer() {
        let callers = Callers::default();
        let now = Instant::now();
        let later = now + Duration::from_secs(3600);
        assert!(!callers.waits_at(now, 2));
        let (first, second) = (callers.begin(2), callers.begin(2));
        drop(first);
        assert!(callers.waits_at(later, 2), "one is still on its way");
        assert!(!callers.waits_at(now, 3), "another node's");
        drop(second);
        assert!(callers.waits_at(now, 2), "it ended a moment ago");
        assert!(!callers.waits_at(later, 2));
    }
}
