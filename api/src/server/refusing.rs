//! A connection's stream, on which what hyper refuses by itself (a head that is no HTTP, or too long) gets the one
//! shape of errors: hyper would answer it with an empty body. The rest of what a refused client sends is read, for a
//! while, and forgotten: a connection that is closed over it would take the answer back.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::StatusCode;
use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::connection::HEAD_BYTES_MAX;
use super::connections::Place;
use super::together::Together;
use super::turns::Turns;
use crate::answer;

/// How much of what a refused client sends is read.
const FORGOTTEN_BYTES_MAX: usize = 4 << 20;
/// And for how long.
const FORGOTTEN_TIME: Duration = Duration::from_secs(2);

/// The stream of one connection.
pub(super) struct Refusing<'a> {
    stream: Together<Turns<TcpStream>>,
    place: &'a Place,
    /// An answer of ours is under way, up to its last byte.
    answering: &'a AtomicBool,
    refusal: Option<Refusal>,
}

/// What a client is told that has not sent a request.
struct Refusal {
    bytes: Bytes,
    forgotten: usize,
    clock: Pin<Box<Sleep>>,
}

impl<'a> Refusing<'a> {
    pub(super) fn new(
        stream: Together<Turns<TcpStream>>,
        place: &'a Place,
        answering: &'a AtomicBool,
    ) -> Refusing<'a> {
        Refusing { stream, place, answering, refusal: None }
    }

    /// Whether hyper's own answer is swallowed, because the client gets another one.
    fn swallows(&mut self, text: &[u8]) -> bool {
        if self.refusal.is_none() && !self.answering.load(Ordering::Relaxed) {
            self.refusal = refused(text).map(|bytes| Refusal {
                bytes,
                forgotten: 0,
                clock: Box::pin(tokio::time::sleep(FORGOTTEN_TIME)),
            });
        }
        self.refusal.is_some()
    }

    fn poll_refuse(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(refusal) = &mut self.refusal else { return Poll::Ready(Ok(())) };
        while refusal.bytes.has_remaining() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &refusal.bytes))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            refusal.bytes.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_forget(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(refusal) = &mut self.refusal else { return Poll::Ready(()) };
        let mut space = [0; 4096];
        while refusal.forgotten < FORGOTTEN_BYTES_MAX {
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    refusal.forgotten += buffer.filled().len();
                }
                // The client has hung up, or broken off.
                Poll::Ready(_) => break,
                Poll::Pending => return refusal.clock.as_mut().poll(context),
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Refusing<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Refusing<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.swallows(bytes) {
            true => Poll::Ready(Ok(bytes.len())),
            false => Pin::new(&mut self.stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.swallows(slices.first().map_or(&[], |slice| slice)) {
            true => Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum())),
            false => Pin::new(&mut self.stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when it has handed out all that it has.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refuse(context))?;
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        if !self.place.is_busy() {
            self.answering.store(false, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refuse(context))?;
        ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        self.poll_forget(context).map(Ok)
    }
}

/// What the client gets instead of this answer of hyper's; none when it is no refusal.
fn refused(text: &[u8]) -> Option<Bytes> {
    let status = text.strip_prefix(b"HTTP/1.1 ").or_else(|| text.strip_prefix(b"HTTP/1.0 "))?;
    let status = StatusCode::from_bytes(status.get(..3)?).ok().filter(StatusCode::is_client_error)?;
    let most = HEAD_BYTES_MAX >> 10;
    let message = match status {
        StatusCode::URI_TOO_LONG => format!("the URL is too long; the head of a request has {most} KiB"),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            format!("the head of the request is larger than {most} KiB, or has too many lines")
        }
        _ => "this is not a request of HTTP/1.1".into(),
    };
    Some(in_bytes(status, "", &message))
}

/// A whole answer as it goes over the wire, the last one of its connection; `headers` are lines.
pub(super) fn in_bytes(status: StatusCode, headers: &str, message: &str) -> Bytes {
    let body = answer::message_text(message);
    let head = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-type: {}\r\ncontent-length: {}\r\n\r\n",
        answer::JSON,
        body.len()
    );
    [head.as_bytes(), &body].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_hyper_refuses_is_said_otherwise() {
        let own = |text: &str| refused(text.as_bytes()).map(|bytes| String::from_utf8(bytes.into()).unwrap());
        for text in ["HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 Continue\r\n", "HTTP/1.1 4", "[{\"value\"", ""] {
            assert_eq!(own(text), None, "{text}");
        }
        for (status, word) in
            [("400 Bad Request", "HTTP/1.1"), ("414 URI Too Long", "URL"), ("431 x", "head")]
        {
            let said = own(&format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"));
            let said = said.expect("it is refused");
            let (head, body) = said.split_once("\r\n\r\n").expect("a head and a body");
            assert!(head.starts_with(&format!("HTTP/1.1 {}", &status[..3])), "{head}");
            assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
            assert!(body.starts_with("{\"message\":\"") && body.contains(word), "{body}");
        }
    }
}
