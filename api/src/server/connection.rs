//! One connection: its requests one after the other, until either side has enough.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use raft::blocklist::Kind;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::ClientAddress;
use super::answering::Answering;
use super::arriving::{Arriving, Bodies};
use super::connections::{Busy, Place};
use super::refusing::Refusing;
use super::threads::Seat;
use super::together::Together;
use super::turns::Turns;
use crate::site::Site;

/// The head of a request has this long to arrive, the wait before its first byte included: how long a connection
/// may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest head of a request, in bytes; also the largest piece of a body that is read at once.
pub(super) const HEAD_BYTES_MAX: usize = 64 << 10;
/// What is left of an answer may still go out when an idle connection has to end.
const LEAVE_TIME: Duration = Duration::from_millis(100);

/// What a connection works with.
pub(super) struct Connection {
    pub(super) address: SocketAddr,
    pub(super) site: Site,
    pub(super) place: Place,
    pub(super) bodies: Arc<Bodies>,
}

impl Connection {
    /// Answers requests until the client goes, the place is needed, or the server ends.
    pub(super) async fn serve(self: Arc<Self>, stream: TcpStream, seat: &Seat) {
        // A connection that says nothing takes no buffer, and is small.
        let mut first = [0];
        tokio::select! {
            said = timeout(HEAD_TIMEOUT, stream.peek(&mut first)) => if !matches!(said, Ok(Ok(1))) { return },
            () = self.place.has_to_leave() => return,
        }
        Box::pin(self.talk(stream, seat)).await;
    }

    async fn talk(self: &Arc<Self>, stream: TcpStream, seat: &Seat) {
        let answering = AtomicBool::new(false);
        let answer = service_fn(|request| {
            answering.store(true, Ordering::Relaxed);
            self.clone().answer(self.place.busy(), request)
        });
        let stream = Together::new(Turns::new(stream), seat.gate().clone());
        let stream = Refusing::new(stream, &self.place, &answering);
        let connection = http1::Builder::new()
            // `has_to_leave` sees to that, with one clock for all requests of a connection.
            .header_read_timeout(None)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), answer);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            biased;
            ended = &mut connection => ended,
            () = self.place.is_silent_for(HEAD_TIMEOUT) => Ok(()),
            () = self.place.has_to_leave() => {
                connection.as_mut().graceful_shutdown();
                if self.place.is_busy() {
                    connection.await
                } else {
                    timeout(LEAVE_TIME, connection).await.unwrap_or(Ok(()))
                }
            }
        };
        if let Err(error) = ended {
            tracing::trace!(%error, address = %self.address, "a connection broke off");
        }
    }

    async fn answer(
        self: Arc<Self>,
        busy: Busy,
        request: Request<Incoming>,
    ) -> Result<Response<Answering>, Infallible> {
        let (parts, incoming) = request.into_parts();
        let is_get = parts.method == Method::GET;
        let read = match incoming.is_end_stream() {
            true => self.site.read(&parts, self.address.ip()).await,
            false => None,
        };
        // The others apart, so that the answer to a read takes no room for them.
        let response = match read {
            Some(response) => response,
            None => match self.site.reported(&parts, &incoming.size_hint()) {
                Some(kind) => Box::pin(self.report(kind, parts, incoming)).await,
                None => Box::pin(self.route(parts, incoming)).await,
            },
        };
        Ok(Answering::new(response, is_get, busy))
    }

    async fn report(&self, kind: Kind, parts: Parts, incoming: Incoming) -> Response<Body> {
        let share = self.bodies.share();
        let body = Arriving::new(incoming, share.clone());
        self.site.report(kind, parts, body, &share, self.address.ip()).await
    }

    async fn route(&self, mut parts: Parts, incoming: Incoming) -> Response<Body> {
        parts.extensions.insert(ConnectInfo(ClientAddress(self.address)));
        let mut body = Body::empty();
        if !incoming.is_end_stream() {
            let share = self.bodies.share();
            body = Body::new(Arriving::new(incoming, share.clone()));
            parts.extensions.insert(share);
        }
        self.site.route(Request::from_parts(parts, body)).await
    }
}
