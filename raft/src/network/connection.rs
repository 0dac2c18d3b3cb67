//! One connection to one peer: requests go out in the order they were started, replies come back in any.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio_util::codec::FramedRead;
use tokio_util::task::AbortOnDropHandle;

use crate::network::frame::{self, Frame, Route};
use crate::network::handshake;
use crate::network::message::{Reply, Request};

/// Connecting and proving who one is may take this long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

type Pending = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Reply>>>>>;

/// An open connection. Dropping it closes it and fails what is under way.
pub(crate) struct Connection {
    route: Route,
    next_number: u64,
    outgoing: mpsc::UnboundedSender<Bytes>,
    pending: Pending,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl Connection {
    /// Connects, and proves to be `route.from` to `route.to`.
    pub(crate) async fn open(address: &str, route: Route, secret: &[u8; 32]) -> io::Result<Connection> {
        let connecting = async {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            handshake::call(&mut stream, route, secret).await?;
            io::Result::Ok(stream)
        };
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, format!("no answer from {address}")))??;
        let (read, write) = stream.into_split();
        let pending: Pending = Arc::new(Mutex::new(Some(HashMap::new())));
        let (outgoing, queue) = mpsc::unbounded_channel();
        let tasks = [
            AbortOnDropHandle::new(tokio::spawn(send(write, queue, pending.clone()))),
            AbortOnDropHandle::new(tokio::spawn(receive(read, route.back(), pending.clone()))),
        ];
        Ok(Connection { route, next_number: 0, outgoing, pending, _tasks: tasks })
    }

    /// Sends what there is no reply to.
    pub(crate) fn tell(&mut self, request: Request) -> io::Result<()> {
        let (_, bytes) = self.numbered(request)?;
        self.outgoing.send(bytes).map_err(|_| closed())
    }

    /// Starts a request; the receiver fails when the connection does.
    pub(crate) fn start(&mut self, request: Request) -> io::Result<oneshot::Receiver<Reply>> {
        let (number, bytes) = self.numbered(request)?;
        let (sender, receiver) = oneshot::channel();
        self.pending.lock().as_mut().ok_or_else(closed)?.insert(number, sender);
        self.outgoing.send(bytes).map_err(|_| closed())?;
        Ok(receiver)
    }

    fn numbered(&mut self, message: Request) -> io::Result<(u64, Bytes)> {
        self.next_number += 1;
        let number = self.next_number;
        Ok((number, frame::encode(&Frame { route: self.route, number, message })?))
    }

    /// Whether requests can still be started.
    pub(crate) fn is_open(&self) -> bool {
        self.pending.lock().is_some()
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the connection is closed")
}

async fn send(write: OwnedWriteHalf, queue: mpsc::UnboundedReceiver<Bytes>, pending: Pending) {
    if let Err(error) = frame::write_queue(write, queue).await {
        tracing::debug!(%error, "a connection to a peer failed");
    }
    pending.lock().take();
}

async fn receive(read: OwnedReadHalf, route: Route, pending: Pending) {
    let mut frames = FramedRead::new(read, frame::frames());
    while let Some(Ok(bytes)) = frames.next().await {
        let reply = match frame::decode::<Reply>(&bytes, route) {
            Ok(reply) => reply,
            Err(error) => {
                tracing::warn!(%error, "a peer's reply is not readable");
                break;
            }
        };
        let waiting = pending.lock().as_mut().and_then(|pending| pending.remove(&reply.number));
        if let Some(waiting) = waiting {
            // Whoever asked may have given up.
            drop(waiting.send(reply.message));
        }
    }
    pending.lock().take();
}
