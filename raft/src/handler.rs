//! What this node does with the requests of its peers.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Weak};

use openraft::errors::RaftError;

use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderRequest, VoteRequest, VoteResponse,
};
use openraft::storage::Snapshot;

use crate::concluding::{CONCLUDED_WITHIN, conclude};
use crate::form;
use crate::network::{Appended, Denied, Handler, Reply, Request};
use crate::node::Node;
use crate::standing::REMOVED_KNOWN_WITHIN;
use crate::store::{SnapshotFile, SnapshotHeader};
use crate::types::{EncodedBatch, LogId, TypeConfig, Vote};

/// Holds the node weakly, so that the server does not keep a stopped node.
pub(crate) struct PeerHandler {
    node: Weak<Node>,
}

impl PeerHandler {
    pub(crate) fn new(node: &Arc<Node>) -> PeerHandler {
        PeerHandler { node: Arc::downgrade(node) }
    }
}

impl Handler for PeerHandler {
    fn handle(self: Arc<Self>, from: u64, request: Request) -> Pin<Box<dyn Future<Output = Reply> + Send>> {
        Box::pin(async move {
            let Some(node) = self.node.upgrade() else { return gone() };
            if no_room_for(&node, &request) {
                return Reply::Denied(Denied::Unavailable(node.space.message()));
            }
            match request {
                Request::Append { vote, previous, entries, committed } => {
                    append(&node, vote, previous, entries, committed).await
                }
                Request::Vote { vote, last, transfer } => {
                    voted(node.raft.vote(vote_request(vote, last, transfer)).await)
                }
                Request::PreVote { vote, last, transfer } => {
                    voted(node.raft.pre_vote(vote_request(vote, last, transfer)).await)
                }
                Request::TakeOver { from: vote, to, last } => {
                    let request = TransferLeaderRequest::new(vote.into(), to, last.map(Into::into));
                    match node.raft.handle_transfer_leader(request).await {
                        Ok(result) => Reply::TakeOver(result.map_err(|error| error.to_string())),
                        Err(error) => stopped(&error),
                    }
                }
                Request::Propose(batch) => {
                    let proposed = node.gathering.begin(from, EncodedBatch(batch));
                    proposed.applied().await.map_or_else(Reply::Denied, |()| Reply::Done)
                }
                Request::PendingReports => {
                    let lasting = node.settings.write_timeout + REMOVED_KNOWN_WITHIN;
                    Reply::Index(node.outbox().settle_up(lasting))
                }
                Request::Flushed { id, .. } => {
                    let concluded = conclude(node.raft.clone(), id.into());
                    drop(tokio::time::timeout(CONCLUDED_WITHIN, concluded).await);
                    Reply::Done
                }
                Request::Digests => Reply::Digests(node.digests().into_iter().collect()),
                Request::Standing { address } => node.standing_of(from, &address),
                other => node.lead(other).await,
            }
        })
    }

    fn snapshot_path(&self) -> io::Result<PathBuf> {
        let node = self.node.upgrade().ok_or(io::ErrorKind::NotConnected)?;
        Ok(node.snapshots.partial())
    }

    fn room_for_snapshot(&self, bytes: u64) -> io::Result<()> {
        let node = self.node.upgrade().ok_or(io::ErrorKind::NotConnected)?;
        match node.space.has_room(bytes) {
            true => Ok(()),
            false => Err(io::Error::new(io::ErrorKind::StorageFull, node.space.message())),
        }
    }

    fn install(
        self: Arc<Self>,
        vote: form::Vote,
        header: SnapshotHeader,
        snapshot: SnapshotFile,
    ) -> Pin<Box<dyn Future<Output = Reply> + Send>> {
        Box::pin(async move {
            let Some(node) = self.node.upgrade() else { return gone() };
            node.heard_leader();
            // sled writes all of it once more.
            let room = snapshot.len().and_then(|bytes| self.room_for_snapshot(2 * bytes));
            if let Err(error) = room {
                return Reply::Denied(Denied::Unavailable(error.to_string()));
            }
            // Checked before the Raft core hears of it: a damaged snapshot is the sender's trouble, not ours.
            let checked = snapshot.clone();
            let readable = tokio::task::spawn_blocking(move || checked.check_records()).await;
            if !matches!(readable, Ok(Ok(_))) {
                return Reply::Denied(Denied::Unavailable("the snapshot did not arrive whole".into()));
            }
            let snapshot = Snapshot { meta: header.meta(), snapshot };
            match node.raft.install_full_snapshot(vote.into(), snapshot).await {
                Ok(response) => Reply::Installed((&response.vote).into()),
                Err(error) => stopped(&error),
            }
        })
    }
}

/// Whether a request would write what there is no room for. Refused entries come again; heartbeats go on.
fn no_room_for(node: &Node, request: &Request) -> bool {
    let (space, spent) = (&node.space, node.space.spent());
    match request {
        Request::Append { vote, entries, .. } => {
            // A heartbeat of a new leader is a vote to be kept.
            (space.read_only() && !entries.is_empty()) || (spent && *vote != (&node.metrics().vote).into())
        }
        Request::Propose(_) => space.read_only(),
        Request::Vote { .. } | Request::TakeOver { .. } => spent,
        _ => false,
    }
}

async fn append(
    node: &Node,
    vote: form::Vote,
    previous: Option<form::LogId>,
    entries: Vec<form::Entry>,
    committed: Option<form::LogId>,
) -> Reply {
    let request = AppendEntriesRequest {
        vote: vote.into(),
        prev_log_id: previous.map(Into::into),
        entries: entries.into_iter().map(Into::into).collect(),
        leader_commit: committed.map(Into::into),
    };
    let appended = match node.raft.append_entries(request).await {
        Ok(AppendEntriesResponse::HigherVote(vote)) => {
            return Reply::Append(Appended::HigherVote((&vote).into()));
        }
        Ok(AppendEntriesResponse::Success) => Appended::All,
        Ok(AppendEntriesResponse::PartialSuccess(id)) => Appended::UpTo(id.as_ref().map(Into::into)),
        Ok(AppendEntriesResponse::Conflict) => Appended::Conflict,
        Err(error) => return stopped(&error),
    };
    node.heard_leader();
    Reply::Append(appended)
}

fn vote_request(vote: form::Vote, last: Option<form::LogId>, transfer: bool) -> VoteRequest<TypeConfig> {
    let mut request = VoteRequest::new(Vote::from(vote), last.map(LogId::from));
    request.leadership_transfer = transfer;
    request
}

fn voted(result: Result<VoteResponse<TypeConfig>, RaftError<TypeConfig>>) -> Reply {
    match result {
        Ok(response) => Reply::Vote {
            vote: (&response.vote).into(),
            granted: response.vote_granted,
            last: response.last_log_id.as_ref().map(Into::into),
        },
        Err(error) => stopped(&error),
    }
}

fn gone() -> Reply {
    Reply::Denied(Denied::Stopped("the node has stopped".into()))
}

fn stopped(error: &impl std::fmt::Display) -> Reply {
    Reply::Denied(Denied::Stopped(error.to_string()))
}
