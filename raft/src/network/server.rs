//! The called side of the peers' port. Appends and proposals of one connection are taken in their order,
//! several at once; parts of a snapshot one by one; anything else side by side.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::codec::FramedRead;
use tokio_util::task::AbortOnDropHandle;

use crate::cluster::Identity;
use crate::network::arriving::{Arriving, KEPT_FOR, Partial};
use crate::network::frame::{self, Frame, Route};
use crate::network::handshake;
use crate::network::message::{Denied, Reply, Request};
use crate::store::SnapshotFile;

/// Connections that are open at once, proved or not.
const CONNECTIONS_MAX: usize = 1024;
/// A caller has to prove itself within this.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);
/// Appends and proposals of one connection that are being written at once.
const ORDERED_MAX: usize = 64;

/// What a node does with the requests of its peers.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Carries out one request; snapshot parts never come here.
    fn handle(self: Arc<Self>, from: u64, request: Request) -> Pin<Box<dyn Future<Output = Reply> + Send>>;

    /// Where to write a snapshot that arrives.
    fn snapshot_path(&self) -> io::Result<PathBuf>;

    /// Fails when there is no room for this many more bytes of a snapshot.
    fn room_for_snapshot(&self, bytes: u64) -> io::Result<()>;

    /// Checks and installs a snapshot that has arrived.
    fn install(
        self: Arc<Self>,
        vote: crate::form::Vote,
        header: crate::store::SnapshotHeader,
        snapshot: SnapshotFile,
    ) -> Pin<Box<dyn Future<Output = Reply> + Send>>;
}

/// Takes peers until it is dropped.
pub(crate) struct PeerServer {
    _task: AbortOnDropHandle<()>,
}

impl PeerServer {
    pub(crate) fn start(listener: TcpListener, identity: Identity, handler: Arc<impl Handler>) -> PeerServer {
        let task = tokio::spawn(accept(listener, Arc::new(identity), handler));
        PeerServer { _task: AbortOnDropHandle::new(task) }
    }
}

async fn accept(listener: TcpListener, identity: Arc<Identity>, handler: Arc<impl Handler>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let arriving: Arc<Arriving> = Arc::default();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a peer");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = room.clone().try_acquire_owned() else {
            tracing::warn!(%address, "too many peer connections; one is turned away");
            continue;
        };
        let (identity, handler, arriving) = (identity.clone(), handler.clone(), arriving.clone());
        connections.spawn(async move {
            let mut incoming = Incoming::Nothing;
            if let Err(error) = serve(stream, &identity, handler, &arriving, &mut incoming).await {
                tracing::warn!(%address, %error, "a peer connection was refused or broke");
            }
            drop(place);
            if let Incoming::Held(holder) = incoming {
                tokio::time::sleep(KEPT_FOR).await;
                arriving.forget(holder);
            }
        });
    }
}

async fn serve(
    mut stream: TcpStream,
    identity: &Identity,
    handler: Arc<impl Handler>,
    arriving: &Arriving,
    incoming: &mut Incoming,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let greeting =
        handshake::answer(&mut stream, identity.cluster_id, identity.node_id, &identity.peer_secret);
    let route = tokio::time::timeout(HANDSHAKE_TIMEOUT, greeting)
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "it did not prove itself in time"))??;
    let (read, write) = stream.into_split();
    let mut requests = FramedRead::new(read, frame::frames());
    let (replies, queue) = mpsc::unbounded_channel();
    let _writer = AbortOnDropHandle::new(tokio::spawn(write_replies(write, queue)));
    let replies = Replies { route: route.back(), queue: replies };
    let mut ordered = FuturesOrdered::new();
    loop {
        let bytes = tokio::select! {
            Some((number, reply)) = ordered.next(), if !ordered.is_empty() => {
                replies.send(number, reply)?;
                continue;
            }
            bytes = requests.next(), if ordered.len() < ORDERED_MAX => bytes,
        };
        let Some(bytes) = bytes else { return Ok(()) };
        let Frame { number, message, .. } = frame::decode::<Request>(&bytes?, route)?;
        match message {
            Request::Append { .. } | Request::Propose(_) => {
                let reply = handler.clone().handle(route.from, message);
                ordered.push_back(async move { (number, reply.await) });
            }
            Request::SnapshotBegin
            | Request::SnapshotGoesOn(_)
            | Request::SnapshotBytes(_)
            | Request::SnapshotEnd { .. } => {
                replies.send(number, take_snapshot(&handler, arriving, incoming, message).await)?;
            }
            // In their order: one that waits for this node's disk holds up those that would wait longer.
            Request::Flushed { .. } => drop(handler.clone().handle(route.from, message).await),
            other => {
                let (handler, replies) = (handler.clone(), replies.clone());
                tokio::spawn(async move {
                    let reply = handler.handle(route.from, other).await;
                    // The peer may be gone; it will ask again.
                    drop(replies.send(number, reply));
                });
            }
        }
    }
}

/// The snapshot that arrives over one connection.
#[derive(Default)]
enum Incoming {
    #[default]
    Nothing,
    /// From a peer that begins anew when the line breaks.
    Anew(Partial),
    /// One that can be gone on with, and by which number this connection holds it.
    Held(u64),
}

async fn take_snapshot(
    handler: &Arc<impl Handler>,
    arriving: &Arriving,
    incoming: &mut Incoming,
    part: Request,
) -> Reply {
    let result = take_part(handler, arriving, incoming, part).await;
    if result.is_err() {
        // What has arrived of it is of no use, and takes room.
        if let Incoming::Held(holder) = std::mem::take(incoming) {
            arriving.forget(holder);
        }
    }
    result.unwrap_or_else(|error| Reply::Denied(Denied::Unavailable(error.to_string())))
}

async fn take_part(
    handler: &Arc<impl Handler>,
    arriving: &Arriving,
    incoming: &mut Incoming,
    part: Request,
) -> io::Result<Reply> {
    match part {
        Request::SnapshotBegin => {
            handler.room_for_snapshot(0)?;
            *incoming = Incoming::Anew(Partial::create(handler.snapshot_path()?)?);
            Ok(Reply::Done)
        }
        Request::SnapshotGoesOn(announced) => {
            handler.room_for_snapshot(0)?;
            let (holder, there) = arriving.hold(announced, || handler.snapshot_path())?;
            *incoming = Incoming::Held(holder);
            if there > 0 {
                tracing::info!(bytes = there, "a snapshot goes on where its line broke");
            }
            Ok(Reply::Arrived(there))
        }
        Request::SnapshotBytes(bytes) => {
            handler.room_for_snapshot(bytes.len() as u64)?;
            match incoming {
                Incoming::Anew(partial) => partial.write(&bytes)?,
                Incoming::Held(holder) => arriving.write(*holder, &bytes)?,
                Incoming::Nothing => {
                    return Err(io::Error::other("a part of a snapshot that has not begun"));
                }
            }
            Ok(Reply::Done)
        }
        Request::SnapshotEnd { vote, header } => {
            // Until it is installed, for the file goes with it.
            let partial = match std::mem::take(incoming) {
                Incoming::Anew(partial) => partial,
                Incoming::Held(holder) => arriving.take(holder)?,
                Incoming::Nothing => {
                    return Err(io::Error::other("the end of a snapshot that has not begun"));
                }
            };
            let file = SnapshotFile::open(partial.path().to_path_buf())?;
            Ok(handler.clone().install(vote, header, file).await)
        }
        _ => Err(io::Error::other("not a part of a snapshot")),
    }
}

#[derive(Clone)]
struct Replies {
    route: Route,
    queue: mpsc::UnboundedSender<Bytes>,
}

impl Replies {
    fn send(&self, number: u64, message: Reply) -> io::Result<()> {
        let bytes = frame::encode(&Frame { route: self.route, number, message })?;
        self.queue.send(bytes).map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the peer has gone"))
    }
}

async fn write_replies(write: OwnedWriteHalf, queue: mpsc::UnboundedReceiver<Bytes>) {
    if let Err(error) = frame::write_queue(write, queue).await {
        tracing::debug!(%error, "a peer did not take its replies");
    }
}
