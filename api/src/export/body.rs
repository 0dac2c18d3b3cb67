//! The body of an answer: the pieces of an export, one after the other, as they are kept.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::HttpBody;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use super::coding::Coding;
use super::whole::Export;

/// Gives out an export in one coding; no byte of it is copied.
pub(super) struct Sending {
    export: Arc<Export>,
    coding: Coding,
    /// The next piece.
    next: usize,
    /// Bytes that have not been given out.
    left: u64,
}

impl Sending {
    pub(super) fn new(export: Arc<Export>, coding: Coding) -> Sending {
        let left = export.pieces(coding).length;
        Sending { export, coding, next: 0, left }
    }
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(piece) = self.export.pieces(self.coding).bytes.get(self.next).cloned() else {
            return Poll::Ready(None);
        };
        self.next += 1;
        self.left -= piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
