//! How many requests may wait for changes at once, streams included: each holds a connection and some memory.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

/// Requests that may wait or stream at once.
const FOLLOWERS_MAX: usize = 1024;
/// When to try again when there are as many.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The places of those who wait.
pub(crate) struct Followers(Arc<Semaphore>);

impl Default for Followers {
    fn default() -> Followers {
        Followers(Arc::new(Semaphore::new(FOLLOWERS_MAX)))
    }
}

impl Followers {
    /// Requests that wait or stream now.
    pub(crate) fn count(&self) -> usize {
        FOLLOWERS_MAX.saturating_sub(self.0.available_permits())
    }

    /// Takes a place until the permit is dropped.
    pub(crate) fn enter(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.0.clone().try_acquire_owned().map_err(|_| {
            let message = format!("{FOLLOWERS_MAX} requests wait for changes here, the limit of this node");
            ApiError::Unavailable(message, RETRY_AFTER)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_limit_nobody_waits_until_somebody_leaves() {
        let followers = Followers::default();
        let mut places: Vec<_> = (0..FOLLOWERS_MAX).map(|_| followers.enter().unwrap()).collect();
        assert!(matches!(followers.enter(), Err(ApiError::Unavailable(..))));
        places.pop();
        assert_eq!(followers.count(), FOLLOWERS_MAX - 1);
        assert!(followers.enter().is_ok());
    }
}
