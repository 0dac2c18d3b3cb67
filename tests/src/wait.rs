//! The one place where a story waits.

use std::thread;
use std::time::{Duration, Instant};

/// Between two looks at a condition.
const POLL: Duration = Duration::from_millis(20);

/// Looks at `condition` until it gives something; fails the story with `reason` when `within` is over.
#[track_caller]
pub fn wait_for<T>(reason: &str, within: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(started.elapsed() < within, "waited {within:?} in vain: {reason}");
        pause(POLL);
    }
}

/// Lets time pass: between two looks or two requests, and while a fault lasts. Nothing is waited for by it.
#[expect(clippy::disallowed_methods, reason = "here and nowhere else")]
pub(crate) fn pause(time: Duration) {
    thread::sleep(time);
}
