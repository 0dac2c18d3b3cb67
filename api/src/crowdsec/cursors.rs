//! Where each bouncer was when it last asked. It is known on this node alone, and lost when the node restarts: a
//! bouncer that is not known gets everything, which all bouncers can take twice.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use raft::Picture;
use raft::blocklist::Timestamp;

/// Bouncers remembered; the one that was silent longest is forgotten first.
pub(crate) const CURSORS_MAX: usize = 1024;
/// A list that a bouncer has is kept for so long, for exact differences; after that only its index is known.
const PICTURE_KEPT: Duration = Duration::from_secs(900);

/// What a bouncer has been told: everything up to here.
#[derive(Clone)]
pub(super) struct Mark {
    pub(super) index: u64,
    pub(super) time: Timestamp,
    /// The list it was told of, while it is kept. Lists share what is the same in them.
    pub(super) picture: Option<Arc<Picture>>,
}

impl Mark {
    /// Keeps no more than the index. What waited for a majority then has no index to be known by: such a mark is
    /// before everything.
    fn forget_picture(&mut self) {
        if self.picture.take().is_some_and(|picture| picture.pending > 0) {
            self.index = 0;
        }
    }
}

/// The last two answers a bouncer got. The last one may have been lost, so it has what either of them made of its
/// list, and the next answer has to be right for both. To hear something twice hurts no bouncer.
#[derive(Clone)]
pub(super) struct Marks {
    pub(super) before: Mark,
    pub(super) last: Mark,
}

struct Cursor {
    before: Option<Mark>,
    last: Mark,
    asked: Instant,
}

/// The cursors of all bouncers that ask this node.
#[derive(Default)]
pub(crate) struct Cursors {
    cursors: Mutex<HashMap<[u8; 32], Cursor>>,
    too_wide: AtomicUsize,
}

impl Cursors {
    /// What a bouncer has; `None` when that is not known, and it gets everything.
    pub(super) fn marks(&self, bouncer: &[u8; 32]) -> Option<Marks> {
        let cursors = self.cursors.lock();
        let cursor = cursors.get(bouncer)?;
        Some(Marks { before: cursor.before.clone()?, last: cursor.last.clone() })
    }

    /// A bouncer is told all up to a mark. `startup`: it has asked for everything, and asks again when this is
    /// lost; whoever gets everything without having asked does not know that it has missed it.
    pub(super) fn told(&self, bouncer: [u8; 32], mark: Mark, startup: bool, now: Instant) {
        let mut cursors = self.cursors.lock();
        let before = match startup {
            true => Some(mark.clone()),
            false => cursors.remove(&bouncer).map(|cursor| cursor.last),
        };
        cursors.insert(bouncer, Cursor { before, last: mark, asked: now });
        for cursor in cursors.values_mut() {
            if now.saturating_duration_since(cursor.asked) > PICTURE_KEPT {
                cursor.last.forget_picture();
                cursor.before.iter_mut().for_each(Mark::forget_picture);
            }
        }
        while cursors.len() > CURSORS_MAX {
            let oldest = cursors.iter().min_by_key(|(_, cursor)| cursor.asked).map(|(key, _)| *key);
            let Some(oldest) = oldest else { break };
            cursors.remove(&oldest);
        }
    }

    /// How many bouncers are remembered.
    pub(crate) fn count(&self) -> usize {
        self.cursors.lock().len()
    }

    /// So many networks could not be told to a bouncer.
    pub(super) fn note_too_wide(&self, count: usize) {
        self.too_wide.store(count, Ordering::Relaxed);
    }

    /// How many networks the last bouncer that could not take all could not take.
    pub(crate) fn too_wide(&self) -> usize {
        self.too_wide.load(Ordering::Relaxed)
    }
}
