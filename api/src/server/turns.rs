//! A stream that is written to in turns. The kernel takes a long answer about as fast as it is copied, and a client on a
//! fast line reads it as fast: without turns, all that share the thread would wait for the end of it.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::yield_now;

/// What goes out in one turn, in bytes: a tenth or two of a millisecond.
const TURN_BYTES: usize = 512 << 10;
/// The most pieces in one write; hyper has no more.
const PIECES_MAX: usize = 64;

/// The stream, and what it has taken in this turn.
pub(super) struct Turns<S> {
    stream: S,
    taken: usize,
}

impl<S: AsyncWrite + Unpin> Turns<S> {
    pub(super) fn new(stream: S) -> Turns<S> {
        Turns { stream, taken: 0 }
    }

    /// Writes with what is left of this turn, or waits for the next one, until the others have been looked at.
    fn poll_turn(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>, usize) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if self.taken >= TURN_BYTES {
            self.taken = 0;
            // Polled once, it has this task woken when the others have had their turn.
            let next = pin!(yield_now()).poll(context);
            debug_assert!(next.is_pending());
            return Poll::Pending;
        }
        let left = TURN_BYTES - self.taken;
        let written = write(Pin::new(&mut self.stream), context, left);
        match &written {
            Poll::Ready(Ok(bytes)) => self.taken += bytes,
            // Whatever it waits for, the others have their turn meanwhile.
            _ => self.taken = 0,
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Turns<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Turns<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_turn(context, |stream, context, left| {
            stream.poll_write(context, &bytes[..bytes.len().min(left)])
        })
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_turn(context, |stream, context, left| {
            let mut first = [IoSlice::new(&[]); PIECES_MAX];
            let count = first_of(slices, left, &mut first);
            stream.poll_write_vectored(context, &first[..count])
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Puts the first of these slices into others, up to so many bytes; how many that are.
fn first_of<'a>(slices: &'a [IoSlice<'_>], mut bytes: usize, first: &mut [IoSlice<'a>]) -> usize {
    let mut count = 0;
    for (into, slice) in first.iter_mut().zip(slices) {
        if bytes == 0 {
            break;
        }
        let part = &slice[..slice.len().min(bytes)];
        bytes -= part.len();
        *into = IoSlice::new(part);
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::io::AsyncWriteExt;

    use super::*;

    #[test]
    fn a_part_of_the_slices_is_as_long_as_it_may_be() {
        let slices = [IoSlice::new(b"abc"), IoSlice::new(b""), IoSlice::new(b"defg"), IoSlice::new(b"h")];
        let part = |bytes, most| {
            let mut first = [IoSlice::new(&[]); 4];
            let count = first_of(&slices, bytes, &mut first[..most]);
            first[..count].iter().flat_map(|slice| slice.to_vec()).collect::<Vec<u8>>()
        };
        for (bytes, most, expected) in
            [(0, 4, ""), (2, 4, "ab"), (3, 4, "abc"), (5, 4, "abcde"), (9, 4, "abcdefgh"), (9, 3, "abcdefg")]
        {
            assert_eq!(part(bytes, most), expected.as_bytes(), "{bytes} bytes, {most} slices");
        }
    }

    /// How often another future of this task had its turn while something wrote this many bytes to a stream that takes
    /// everything at once.
    async fn turns_of_another(bytes: usize, is_vectored: bool) -> usize {
        let (turns, is_over) = (Cell::new(0), Cell::new(false));
        let other = async {
            while !is_over.get() {
                turns.set(turns.get() + 1);
                tokio::task::yield_now().await;
            }
        };
        let writing = async {
            let mut stream = Turns::new(tokio::io::sink());
            let bytes = vec![0; bytes];
            match is_vectored {
                true => {
                    let mut left = bytes.as_slice();
                    while !left.is_empty() {
                        let (first, second) = left.split_at(left.len() / 2);
                        let slices = [IoSlice::new(first), IoSlice::new(second)];
                        let written = stream.write_vectored(&slices).await.unwrap();
                        assert!(written <= TURN_BYTES);
                        left = &left[written..];
                    }
                }
                false => stream.write_all(&bytes).await.unwrap(),
            }
            is_over.set(true);
        };
        tokio::join!(writing, other);
        turns.get()
    }

    #[tokio::test]
    async fn a_long_answer_leaves_others_their_turns() {
        for is_vectored in [false, true] {
            let turns = turns_of_another(16 * TURN_BYTES, is_vectored).await;
            assert!((15..=40).contains(&turns), "{turns} turns");
            assert!(turns_of_another(TURN_BYTES, is_vectored).await <= 2);
        }
    }
}
