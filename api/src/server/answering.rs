//! The body of an answer on its way out. A whole list goes to the socket as it is kept, as many pieces in one write as
//! the system takes; all else comes piece by piece.

use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::http::Response;
use bytes::{Buf, Bytes};
use hyper::body::{Frame, SizeHint};

use super::connections::Busy;
use crate::export::Run;

/// The body of an answer; the request is under way until it has gone out.
pub(super) struct Answering {
    /// A list, in place of the body.
    list: Option<Run>,
    body: Body,
    busy: Option<Busy>,
}

/// Bytes of an answer.
pub(super) enum Piece {
    Some(Bytes),
    /// All of a list; the request is under way until the last byte is written.
    All {
        list: Run,
        _busy: Option<Busy>,
    },
}

impl Answering {
    /// The answer to a GET may have its list at once; another one has a body, or none.
    pub(super) fn new(mut response: Response<Body>, is_get: bool, busy: Busy) -> Response<Answering> {
        let list = response.extensions_mut().remove::<Run>().filter(|run| is_get && run.has_remaining());
        response.map(|body| {
            let body = if list.is_some() { Body::empty() } else { body };
            Answering { list, body, busy: Some(busy) }
        })
    }
}

impl HttpBody for Answering {
    type Data = Piece;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, axum::Error>>> {
        if let Some(list) = self.list.take() {
            let _busy = self.busy.take();
            return Poll::Ready(Some(Ok(Frame::data(Piece::All { list, _busy }))));
        }
        let frame = Pin::new(&mut self.body).poll_frame(context);
        frame.map(|frame| frame.map(|frame| frame.map(|frame| frame.map_data(Piece::Some))))
    }

    fn is_end_stream(&self) -> bool {
        self.list.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.list {
            Some(list) => SizeHint::with_exact(list.remaining() as u64),
            None => self.body.size_hint(),
        }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        match self {
            Piece::Some(bytes) => bytes.remaining(),
            Piece::All { list, .. } => list.remaining(),
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Piece::Some(bytes) => bytes.chunk(),
            Piece::All { list, .. } => list.chunk(),
        }
    }

    fn chunks_vectored<'p>(&'p self, slices: &mut [IoSlice<'p>]) -> usize {
        match self {
            Piece::Some(bytes) => bytes.chunks_vectored(slices),
            Piece::All { list, .. } => list.chunks_vectored(slices),
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Piece::Some(bytes) => bytes.advance(count),
            Piece::All { list, .. } => list.advance(count),
        }
    }
}
