//! The openraft network: one client a purpose and peer, each with a connection of its own, so that a
//! snapshot never stands before a heartbeat.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use openraft::base::BoxFuture;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{Backoff, RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::storage::Snapshot;
use tokio::sync::oneshot;

use crate::cluster::Address;
use crate::network::callers::Callers;
use crate::network::commits::next_append;
use crate::network::connection::Connection;
use crate::network::frame::Route;
use crate::network::message::{Announced, Appended, Reply, Request};
use crate::network::places::Places;
use crate::network::told::Told;
use crate::store::SnapshotFile;
use crate::types::{LogId, TypeConfig, Vote};

/// Appends under way to one peer.
const APPENDS_IN_FLIGHT_MAX: usize = 16;
/// An append is given up after this, however short a heartbeat is: a busy disk is no broken peer.
const APPEND_TIMEOUT: Duration = Duration::from_secs(3);
/// A part of a snapshot, in bytes.
const SNAPSHOT_PART_BYTES: usize = 1 << 20;
/// Time between two tries to reach a peer that is away.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);

type RpcError = RPCError<TypeConfig>;

/// Makes clients for this node.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    pub(crate) cluster_id: [u8; 16],
    pub(crate) node_id: u64,
    pub(crate) secret: [u8; 32],
    pub(crate) places: Places,
    /// What a leader says is not sent.
    pub(crate) silent: Arc<AtomicBool>,
    pub(crate) callers: Callers,
    pub(crate) told: Told,
}

impl Peers {
    /// Holds back what this node says as the leader, or does so no longer.
    pub(crate) fn silence(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }

    /// A client for one peer; it connects when it is first used.
    pub(crate) fn client(&self, target: u64, address: &Address) -> PeerClient {
        let route = Route { cluster_id: self.cluster_id, from: self.node_id, to: target };
        PeerClient {
            route,
            address: address.peers.clone(),
            secret: self.secret,
            places: self.places.clone(),
            silent: self.silent.clone(),
            callers: self.callers.clone(),
            told: self.told.clone(),
            connection: None,
        }
    }

    /// A client for one peer at this address and nowhere else.
    pub(crate) fn client_at(&self, target: u64, address: &Address) -> PeerClient {
        PeerClient { places: Places::default(), ..self.client(target, address) }
    }
}

impl RaftNetworkFactory<TypeConfig> for Peers {
    type Network = PeerClient;

    async fn new_client(&mut self, target: u64, node: &Address) -> PeerClient {
        self.client(target, node)
    }
}

/// One line to one peer.
pub(crate) struct PeerClient {
    route: Route,
    address: String,
    secret: [u8; 32],
    places: Places,
    silent: Arc<AtomicBool>,
    callers: Callers,
    told: Told,
    connection: Option<Connection>,
}

impl PeerClient {
    fn may_lead(&self) -> io::Result<()> {
        match self.silent.load(Ordering::Relaxed) {
            true => Err(io::Error::other("this node is silent as the leader")),
            false => Ok(()),
        }
    }

    /// Whether the peer waits to be told that this is committed.
    fn awaits(&self, committed: Option<LogId>) -> bool {
        self.callers.waits(self.route.to) && !self.told.covers(self.route.to, committed)
    }

    /// Starts a request on the open connection, or on a new one.
    pub(crate) async fn start(&mut self, request: Request) -> io::Result<oneshot::Receiver<Reply>> {
        self.open().await?.start(request)
    }

    /// Says something to which there is no reply, as the leader.
    pub(crate) async fn tell(&mut self, request: Request) -> io::Result<()> {
        self.may_lead()?;
        self.open().await?.tell(request)
    }

    async fn open(&mut self) -> io::Result<&mut Connection> {
        let connection = match self.connection.take().filter(Connection::is_open) {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(self.connection.insert(connection))
    }

    /// At the address in the membership, or where the peer says that it has moved to.
    async fn connect(&self) -> io::Result<Connection> {
        let error = match Connection::open(&self.address, self.route, &self.secret).await {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        match self.places.other_than(self.route.to, &self.address) {
            Some(place) => Connection::open(&place, self.route, &self.secret).await.map_err(|_| error),
            None => Err(error),
        }
    }

    /// One request and its reply. After a failure the next call connects anew.
    pub(crate) async fn call(&mut self, request: Request, timeout: Duration) -> io::Result<Reply> {
        let result = match self.start(request).await {
            Ok(waiting) => call_timeout(waiting, timeout).await,
            Err(error) => Err(error),
        };
        if result.is_err() {
            self.connection = None;
        }
        result
    }

    async fn rpc(&mut self, request: Request, timeout: Duration) -> Result<Reply, RpcError> {
        self.call(request, timeout).await.map_err(|error| rpc_error(&error))
    }

    /// Sends what the peer has not got of a snapshot, and has it installed.
    pub(crate) async fn send_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot<
            openraft::type_config::alias::CommittedLeaderIdOf<TypeConfig>,
            u64,
            Address,
            SnapshotFile,
        >,
        timeout: Duration,
    ) -> io::Result<Reply> {
        let file = snapshot.snapshot;
        let (header, length) = (file.header()?, file.len()?);
        let announced = Announced { header: header.clone(), bytes: length, checksum: file.checksum()? };
        let mut offset = self.begin_snapshot(announced, timeout).await?;
        while offset < length {
            let bytes = file.read_at(offset, SNAPSHOT_PART_BYTES)?;
            offset += bytes.len() as u64;
            done(self.call(Request::SnapshotBytes(Bytes::from(bytes)), timeout).await?)?;
        }
        self.call(Request::SnapshotEnd { vote: (&vote).into(), header }, timeout).await
    }

    /// How much of a snapshot the peer has; it takes what follows from now on.
    async fn begin_snapshot(&mut self, announced: Announced, timeout: Duration) -> io::Result<u64> {
        let length = announced.bytes;
        match self.call(Request::SnapshotGoesOn(announced), timeout).await {
            Ok(Reply::Arrived(there)) if there <= length => Ok(there),
            Ok(other) => Err(unexpected(&other)),
            // The peer hung up: an earlier build does not know the question.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {
                done(self.call(Request::SnapshotBegin, timeout).await?)?;
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }
}

/// Waits for a reply that was started.
pub(crate) async fn call_timeout(waiting: oneshot::Receiver<Reply>, timeout: Duration) -> io::Result<Reply> {
    match tokio::time::timeout(timeout, waiting).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(_)) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the connection broke")),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no reply in time")),
    }
}

fn rpc_error(error: &io::Error) -> RpcError {
    match error.kind() {
        io::ErrorKind::TimedOut => RPCError::Network(NetworkError::new(error)),
        _ => RPCError::Unreachable(Unreachable::new(error)),
    }
}

fn done(reply: Reply) -> io::Result<()> {
    match reply {
        Reply::Done => Ok(()),
        other => Err(unexpected(&other)),
    }
}

fn unexpected(reply: &Reply) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("an unexpected reply: {reply:?}"))
}

fn append_request(rpc: AppendEntriesRequest<TypeConfig>) -> Request {
    Request::Append {
        vote: (&rpc.vote).into(),
        previous: rpc.prev_log_id.as_ref().map(Into::into),
        entries: rpc.entries.iter().map(Into::into).collect(),
        committed: rpc.leader_commit.as_ref().map(Into::into),
    }
}

fn append_response(reply: Reply) -> Result<AppendEntriesResponse<TypeConfig>, RpcError> {
    match reply {
        Reply::Append(Appended::All) => Ok(AppendEntriesResponse::Success),
        Reply::Append(Appended::UpTo(id)) => Ok(AppendEntriesResponse::PartialSuccess(id.map(Into::into))),
        Reply::Append(Appended::Conflict) => Ok(AppendEntriesResponse::Conflict),
        Reply::Append(Appended::HigherVote(vote)) => Ok(AppendEntriesResponse::HigherVote(vote.into())),
        other => Err(rpc_error(&unexpected(&other))),
    }
}

fn vote_response(reply: Reply) -> Result<VoteResponse<TypeConfig>, RpcError> {
    match reply {
        Reply::Vote { vote, granted, last } => {
            Ok(VoteResponse::new(Vote::from(vote), last.map(LogId::from), granted))
        }
        other => Err(rpc_error(&unexpected(&other))),
    }
}

impl RaftNetworkV2<TypeConfig> for PeerClient {
    type SnapshotData = SnapshotFile;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RpcError> {
        self.may_lead().map_err(|error| rpc_error(&error))?;
        append_response(self.rpc(append_request(rpc), APPEND_TIMEOUT).await?)
    }

    /// Several appends are under way at once, in order on one connection; the first that fails ends the stream. What is
    /// committed goes with the entries that follow, where it may wait for them.
    /// It connects only once there is a request: asking for one is where openraft paces a peer that is away.
    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        _option: RPCOption,
    ) -> BoxFuture<'s, Result<BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RpcError>>, RpcError>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + Unpin + 'static,
    {
        let started = futures_util::stream::unfold((self, input.fuse()), |(client, mut input)| async move {
            let rpc = next_append(&mut input, |committed| client.awaits(committed)).await?;
            let previous = rpc.prev_log_id;
            let last = rpc.entries.last().map(|entry| entry.log_id).or(previous);
            let started = match client.may_lead() {
                Ok(()) => client.start(append_request(rpc)).await,
                Err(error) => Err(error),
            };
            let replied = async move {
                let reply = call_timeout(started.map_err(|e| rpc_error(&e))?, APPEND_TIMEOUT).await;
                let response = append_response(reply.map_err(|e| rpc_error(&e))?)?;
                let partial = matches!(&response, AppendEntriesResponse::PartialSuccess(id) if *id != last);
                Ok((response.into_stream_result(previous, last), partial))
            };
            Some((replied, (client, input)))
        });
        let replies = until_failure(started.buffered(APPENDS_IN_FLIGHT_MAX)).boxed();
        Box::pin(async move { Ok(replies) })
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let last = rpc.last_log_id.as_ref().map(Into::into);
        let request = Request::Vote { vote: (&rpc.vote).into(), last, transfer: rpc.leadership_transfer };
        vote_response(self.rpc(request, option.hard_ttl()).await?)
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let last = rpc.last_log_id.as_ref().map(Into::into);
        let request = Request::PreVote { vote: (&rpc.vote).into(), last, transfer: rpc.leadership_transfer };
        vote_response(self.rpc(request, option.hard_ttl()).await?)
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: openraft::type_config::alias::SnapshotOf<TypeConfig, SnapshotFile>,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let sending = pin!(self.send_snapshot(vote, snapshot, option.hard_ttl()));
        match select(sending, pin!(cancel)).await {
            Either::Left((Ok(Reply::Installed(vote)), _)) => Ok(SnapshotResponse::new(vote.into())),
            Either::Left((Ok(other), _)) => {
                Err(StreamingError::Network(NetworkError::new(&unexpected(&other))))
            }
            Either::Left((Err(error), _)) => Err(StreamingError::Unreachable(Unreachable::new(&error))),
            Either::Right((closed, _)) => Err(StreamingError::Closed(closed)),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RpcError> {
        let request = Request::TakeOver {
            from: request.from_leader().into(),
            to: *request.to_node_id(),
            last: request.last_log_id().map(Into::into),
        };
        match self.rpc(request, option.hard_ttl()).await? {
            Reply::TakeOver(Ok(())) => Ok(Ok(())),
            Reply::TakeOver(Err(reason)) => Err(rpc_error(&io::Error::other(reason))),
            other => Err(rpc_error(&unexpected(&other))),
        }
    }

    fn backoff(&self) -> Option<Backoff> {
        Some(Backoff::new(std::iter::repeat(RETRY_INTERVAL)))
    }
}

/// Passes results on up to and including the first that is not a whole success.
fn until_failure<'s>(
    replies: impl Stream<Item = Result<(StreamAppendResult<TypeConfig>, bool), RpcError>> + Send + 's,
) -> impl Stream<Item = Result<StreamAppendResult<TypeConfig>, RpcError>> + Send + 's {
    replies.scan(false, |ended, item| {
        if *ended {
            return std::future::ready(None);
        }
        *ended = !matches!(item, Ok((Ok(_), false)));
        std::future::ready(Some(item.map(|(result, _)| result)))
    })
}
