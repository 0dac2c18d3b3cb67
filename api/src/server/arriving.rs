//! The bodies of requests on their way in: how slow one may be, and how much of all of them is held at once.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::HttpBody;
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use parking_lot::Mutex;
use tokio::time::Sleep;

use crate::error::ApiError;

/// The most bytes of bodies that are held at once, of all requests together.
const BODIES_BYTES_MAX: usize = 256 << 20;
/// In this time a body comes to its end, or grows by `STEP_BYTES`.
const STEP_TIME: Duration = Duration::from_secs(30);
/// What of a long body has to come in `STEP_TIME`.
const STEP_BYTES: usize = 64 << 10;

/// The bodies of all requests.
pub(super) struct Bodies {
    most: usize,
    held: AtomicUsize,
}

/// What one request holds of it, until this goes, and why its body broke off.
pub(crate) struct Share {
    bodies: Arc<Bodies>,
    held: AtomicUsize,
    broken: Mutex<Option<ApiError>>,
}

/// A body that counts.
pub(super) struct Arriving {
    body: Incoming,
    share: Arc<Share>,
    /// What has come since the clock was set.
    step: usize,
    clock: Option<Pin<Box<Sleep>>>,
}

impl Bodies {
    /// One body of the largest size always finds room when there is no other.
    pub(super) fn new(body_bytes_max: usize) -> Bodies {
        Bodies { most: BODIES_BYTES_MAX.max(body_bytes_max), held: AtomicUsize::new(0) }
    }

    pub(super) fn share(self: &Arc<Self>) -> Arc<Share> {
        Arc::new(Share { bodies: self.clone(), held: AtomicUsize::new(0), broken: Mutex::new(None) })
    }
}

impl Share {
    /// Why the body broke off, if it did by a limit of ours; told once.
    pub(crate) fn broken(&self) -> Option<ApiError> {
        self.broken.lock().take()
    }

    /// Makes room for some more bytes; false when there is none.
    fn hold(&self, bytes: usize) -> bool {
        self.held.fetch_add(bytes, Ordering::Relaxed);
        let before = self.bodies.held.fetch_add(bytes, Ordering::Relaxed);
        before.saturating_add(bytes) <= self.bodies.most
    }

    fn break_off(&self, why: ApiError) -> io::Error {
        let error = io::Error::other(why.message().to_owned());
        *self.broken.lock() = Some(why);
        error
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.bodies.held.fetch_sub(self.held.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl Arriving {
    pub(super) fn new(body: Incoming, share: Arc<Share>) -> Arriving {
        Arriving { body, share, step: 0, clock: None }
    }

    fn count(&mut self, bytes: usize) -> io::Result<()> {
        if !self.share.hold(bytes) {
            let sentence = "this node holds as many bytes of requests as it can; send the request again";
            let why = ApiError::Unavailable(sentence.into(), Duration::from_secs(1));
            return Err(self.share.break_off(why));
        }
        self.step += bytes;
        if self.step >= STEP_BYTES {
            self.step = 0;
            self.clock = None;
        }
        Ok(())
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let counted = self.count(frame.data_ref().map_or(0, Bytes::len));
                Poll::Ready(Some(counted.map(|()| frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(io::Error::other(error)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                let clock = self.clock.get_or_insert_with(|| Box::pin(tokio::time::sleep(STEP_TIME)));
                std::task::ready!(clock.as_mut().poll(context));
                let why = ApiError::TooSlow("the body did not arrive in time".into());
                Poll::Ready(Some(Err(self.share.break_off(why))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bodies_together_have_a_limit_and_give_back_what_they_held() {
        let bodies = Arc::new(Bodies::new(1));
        let (first, second) = (bodies.share(), bodies.share());
        assert!(first.hold(BODIES_BYTES_MAX - 1));
        assert!(second.hold(1));
        assert!(!second.hold(1), "there is no room for one byte more");
        drop(second);
        assert!(bodies.share().hold(1), "what was refused is not counted for ever");
        drop(first);
        assert_eq!(bodies.held.load(Ordering::Relaxed), 0);
    }
}
