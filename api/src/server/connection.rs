//! One connection: its requests one after the other, until either side has enough.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::ClientAddress;
use super::arriving::{Arriving, Bodies};
use super::connections::{Busy, Place};
use super::refusing::Refusing;

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
    pub(super) router: Router,
    pub(super) place: Place,
    pub(super) bodies: Arc<Bodies>,
}

impl Connection {
    /// Answers requests until the client goes, the place is needed, or the server ends.
    pub(super) async fn serve(self, stream: TcpStream, end: watch::Receiver<bool>) {
        // A connection that says nothing takes no buffer, and is small.
        let mut first = [0];
        tokio::select! {
            said = timeout(HEAD_TIMEOUT, stream.peek(&mut first)) => if !matches!(said, Ok(Ok(1))) { return },
            () = self.has_to_leave(end.clone()) => return,
        }
        Box::pin(self.talk(stream, end)).await;
    }

    async fn has_to_leave(&self, mut end: watch::Receiver<bool>) {
        tokio::select! {
            // The sender going away is an end too.
            _ = end.wait_for(|end| *end) => {}
            () = self.place.has_to_leave() => {}
        }
    }

    async fn talk(&self, stream: TcpStream, end: watch::Receiver<bool>) {
        let answering = AtomicBool::new(false);
        let answer = service_fn(|request| {
            answering.store(true, Ordering::Relaxed);
            self.answer(self.place.busy(), request)
        });
        let stream = Refusing::new(stream, &self.place, &answering);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), answer);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = self.has_to_leave(end) => {
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

    fn answer(
        &self,
        busy: Busy,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Answering>, Infallible>> + use<> {
        let (mut parts, incoming) = request.into_parts();
        parts.extensions.insert(ConnectInfo(ClientAddress(self.address)));
        let mut body = Body::empty();
        if !incoming.is_end_stream() {
            let share = self.bodies.share();
            body = Body::new(Arriving::new(incoming, share.clone()));
            parts.extensions.insert(share);
        }
        let router = TowerToHyperService::new(self.router.clone());
        async move {
            let Ok(response) = router.call(Request::from_parts(parts, body)).await;
            Ok(response.map(|body| Answering { body, _busy: busy }))
        }
    }
}

/// The body of an answer; the request is under way until it has gone out.
struct Answering {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
