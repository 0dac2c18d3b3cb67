//! The one place where a story waits.

use std::thread;
use std::time::{Duration, Instant};

/// Between two looks at a condition.
const POLL: Duration = Duration::from_millis(20);

/// Looks at `condition` until it gives something; fails the story with `reason` when `within` is over.
#[track_caller]
#[expect(
    clippy::disallowed_methods,
    reason = "the pause between two looks at a condition, here and nowhere else"
)]
pub fn wait_for<T>(reason: &str, within: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(started.elapsed() < within, "waited {within:?} in vain: {reason}");
        thread::sleep(POLL);
    }
}
