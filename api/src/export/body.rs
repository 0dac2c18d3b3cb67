//! The bytes of an answer: the pieces of an export, one after the other, as they are kept; none is copied.

use std::convert::Infallible;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::HttpBody;
use bytes::{Buf, Bytes};
use hyper::body::{Frame, SizeHint};

use super::coding::Coding;
use super::whole::{Export, Place};

/// What is left of an export in one coding. A connection that finds it in an answer sends it in place of the body, in
/// writes of many pieces.
#[derive(Clone)]
pub(crate) struct Run {
    export: Arc<Export>,
    coding: Coding,
    /// Where the next piece is, and how much of it has gone.
    place: Place,
    offset: usize,
    left: usize,
}

impl Run {
    pub(super) fn new(export: Arc<Export>, coding: Coding) -> Run {
        // It is in memory, and so no longer than a usize says.
        let left = export.length_in(coding) as usize;
        Run { export, coding, place: Place::default(), offset: 0, left }
    }

    /// What is left, each piece with the place behind it; the first may have gone in part.
    fn pieces(&self) -> impl Iterator<Item = (&Bytes, Place)> {
        self.export.coded_from(self.coding, self.place)
    }

    /// The next piece; none at the end.
    fn piece(&self) -> Option<&Bytes> {
        if self.left == 0 { None } else { self.pieces().next().map(|(piece, _)| piece) }
    }
}

impl Buf for Run {
    fn remaining(&self) -> usize {
        self.left
    }

    fn chunk(&self) -> &[u8] {
        self.piece().map_or(&[], |piece| &piece[self.offset..])
    }

    fn chunks_vectored<'r>(&'r self, slices: &mut [IoSlice<'r>]) -> usize {
        let (mut filled, mut shown, mut offset) = (0, 0, self.offset);
        let mut pieces = self.pieces();
        // Behind the last one all chunks of the other part may be gone over in vain.
        while filled < slices.len() && shown < self.left {
            let Some((piece, _)) = pieces.next() else { break };
            slices[filled] = IoSlice::new(&piece[offset..]);
            shown += piece.len() - offset;
            (filled, offset) = (filled + 1, 0);
        }
        filled
    }

    fn advance(&mut self, count: usize) {
        let (mut place, mut offset, mut rest) = (self.place, self.offset, count);
        let mut pieces = self.pieces();
        while rest > 0 {
            let Some((piece, behind)) = pieces.next() else { break };
            let length = piece.len() - offset;
            if rest < length {
                offset += rest;
                break;
            }
            (place, offset, rest) = (behind, 0, rest - length);
        }
        drop(pieces);
        (self.place, self.offset, self.left) = (place, offset, self.left - count);
    }
}

/// The same as a body, for who wants one.
pub(super) struct Sending(pub(super) Run);

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(piece) = self.0.piece().cloned() else {
            return Poll::Ready(None);
        };
        self.0.advance(piece.len());
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.left as u64)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use raft::Picture;
    use raft::blocklist::Kind;

    use super::*;
    use crate::list::Rendering;
    use crate::list::samples::Desk;
    use crate::parameters::Parameters;

    /// Reads a run in steps, by the slices that it shows.
    fn read(mut run: Run, room: usize, step: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while run.has_remaining() {
            let mut slices = vec![IoSlice::new(&[]); room];
            let filled = run.chunks_vectored(&mut slices);
            assert!(filled > 0 && *slices[0] == *run.chunk());
            let shown: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
            let taken = step.min(shown.len());
            bytes.extend(&shown[..taken]);
            run.advance(taken);
        }
        bytes
    }

    #[test]
    fn a_run_is_the_same_in_steps_of_any_length() {
        let mut desk = Desk::default();
        (0..100).for_each(|at| desk.add(9, "anna", &format!("45.7.0.{at}"), "ids-1", &[]));
        let parameters = Parameters::parse(Some("format=json"), &Rendering::WORDS).unwrap();
        let rendering = Rendering::read(Kind::Ip, &parameters, &HeaderMap::new()).unwrap();
        let mut picture = Picture::default();
        picture.list = desk.list.clone();
        let export = Arc::new(rendering.recipe.write(&picture));
        for coding in Coding::ALL {
            let pieces: Vec<_> = export.coded(coding).collect();
            assert!(pieces.len() > 10, "{coding:?}");
            let whole: Vec<u8> = pieces.into_iter().flatten().copied().collect();
            for (room, step) in [(64, usize::MAX), (1, usize::MAX), (3, 1), (4, 7), (64, 100)] {
                let run = Run::new(export.clone(), coding);
                assert_eq!(read(run, room, step), whole, "{coding:?}, {room} slices, steps of {step}");
            }
        }
    }
}
