//! How many connections there are at once. When there are too many, the one that has been idle longest gives way,
//! so that clients which connect and say nothing never shut others out; a client whose idle connection has ended
//! connects again. A request under way is never given up: when all are busy, the new one is turned away.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::sleep;

/// Instead of a moment: a request is under way.
const BUSY: u64 = u64::MAX;

/// All connections of a node.
pub(crate) struct Connections {
    most: usize,
    started: Instant,
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    next: u64,
    by_number: BTreeMap<u64, Arc<State>>,
}

struct State {
    /// Since when nothing is under way, in milliseconds, or `BUSY`.
    idle_since: AtomicU64,
    leave: Notify,
}

/// The place of one connection; it is free again when this goes.
pub(crate) struct Place {
    connections: Arc<Connections>,
    number: u64,
    state: Arc<State>,
}

/// While this lives, a request is under way.
pub(crate) struct Busy {
    /// Since when moments are counted.
    started: Instant,
    state: Arc<State>,
}

impl Connections {
    pub(crate) fn new(most: usize) -> Connections {
        Connections { most, started: Instant::now(), all: Mutex::default() }
    }

    /// A place, if need be that of another connection; none when all have requests under way.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Place> {
        let state = Arc::new(State { idle_since: moment(self.started).into(), leave: Notify::new() });
        let mut all = self.all.lock();
        if all.by_number.len() >= self.most {
            let idle = |(number, state): (&u64, &Arc<State>)| match state.idle_since.load(Ordering::Relaxed) {
                BUSY => None,
                since => Some((since, *number)),
            };
            let (_, oldest) = all.by_number.iter().filter_map(idle).min()?;
            if let Some(oldest) = all.by_number.remove(&oldest) {
                oldest.leave.notify_one();
            }
        }
        all.next += 1;
        let number = all.next;
        all.by_number.insert(number, state.clone());
        Some(Place { connections: self.clone(), number, state })
    }

    /// Has all of them end, each as soon as its request is answered.
    pub(crate) fn dismiss(&self) {
        self.all.lock().by_number.values().for_each(|state| state.leave.notify_one());
    }
}

/// Now, in milliseconds since then.
fn moment(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(BUSY - 1)
}

impl Place {
    /// Ends when this connection has to make room.
    pub(crate) async fn has_to_leave(&self) {
        self.state.leave.notified().await;
    }

    /// Ends when no request has come for this long since the last one was answered.
    pub(crate) async fn is_silent_for(&self, time: Duration) {
        let mut left = time;
        while !left.is_zero() {
            sleep(left).await;
            left = match self.state.idle_since.load(Ordering::Relaxed) {
                BUSY => time,
                since => {
                    let silent = moment(self.connections.started).saturating_sub(since);
                    time.saturating_sub(Duration::from_millis(silent))
                }
            };
        }
    }

    /// Says that a request has come.
    pub(crate) fn busy(&self) -> Busy {
        self.state.idle_since.store(BUSY, Ordering::Relaxed);
        Busy { started: self.connections.started, state: self.state.clone() }
    }

    /// Whether a request is under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.state.idle_since.load(Ordering::Relaxed) == BUSY
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.all.lock().by_number.remove(&self.number);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.state.idle_since.store(moment(self.started), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(place: &Place) -> bool {
        !place.connections.all.lock().by_number.contains_key(&place.number)
    }

    #[test]
    fn the_one_idle_longest_gives_way_and_none_that_is_busy() {
        let connections = Arc::new(Connections::new(2));
        let first = connections.enter().unwrap();
        let second = connections.enter().unwrap();
        let busy = first.busy();
        let third = connections.enter().unwrap();
        assert!(left(&second), "it was idle, and the older one was not");
        assert!(!left(&first));
        let _busy_too = third.busy();
        assert!(connections.enter().is_none(), "requests are never given up");
        drop(busy);
        let _fourth = connections.enter().unwrap();
        assert!(left(&first));
    }

    #[tokio::test]
    async fn silence_is_counted_from_the_end_of_the_last_request() {
        let connections = Arc::new(Connections::new(1));
        let place = connections.enter().unwrap();
        let busy = place.busy();
        let silent = place.is_silent_for(Duration::from_millis(20));
        tokio::pin!(silent);
        let waited = tokio::time::timeout(Duration::from_millis(100), &mut silent).await;
        assert!(waited.is_err(), "a request is under way, however long it takes");
        drop(busy);
        silent.await;
        assert!(!place.is_busy());
    }

    #[tokio::test]
    async fn all_are_dismissed_at_the_end() {
        let connections = Arc::new(Connections::new(2));
        let places = [connections.enter().unwrap(), connections.enter().unwrap()];
        connections.dismiss();
        for place in &places {
            place.has_to_leave().await;
        }
    }

    #[test]
    fn a_place_that_is_left_is_free() {
        let connections = Arc::new(Connections::new(1));
        let first = connections.enter().unwrap();
        let _busy = first.busy();
        assert!(connections.enter().is_none());
        drop(first);
        assert!(connections.enter().is_some());
    }
}
