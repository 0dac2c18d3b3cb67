//! What nodes say to each other. Both enums grow at their end only.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::cluster::Address;
use crate::form;
use crate::status::Member;
use crate::store::{SnapshotHeader, StateDigest};

/// A request of one node to another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Raft's AppendEntries; heartbeats too.
    Append {
        vote: form::Vote,
        previous: Option<form::LogId>,
        entries: Vec<form::Entry>,
        committed: Option<form::LogId>,
    },
    /// Raft's RequestVote.
    Vote { vote: form::Vote, last: Option<form::LogId>, transfer: bool },
    /// Would you vote for me?
    PreVote { vote: form::Vote, last: Option<form::LogId>, transfer: bool },
    /// Take over leadership.
    TakeOver { from: form::Vote, to: u64, last: Option<form::LogId> },
    /// A batch for the leader's log.
    Propose(Bytes),
    /// The index a linearizable read has to wait for.
    ReadIndex,
    /// The members as the leader knows them.
    Members,
    /// Take in a learner, or note its new address.
    PutMember { id: u64, address: Address },
    /// Make a learner a voter.
    Promote { id: u64 },
    /// Remove a member.
    RemoveMember { id: u64 },
    /// Hand leadership over.
    TransferLeader { to: Option<u64> },
    /// A snapshot follows.
    SnapshotBegin,
    /// The next bytes of it.
    SnapshotBytes(Bytes),
    /// That was all of it; install it.
    SnapshotEnd { vote: form::Vote, header: SnapshotHeader },
    /// The digests of the list at some indexes.
    Digests,
    /// How many reports were accepted here without a majority and are not applied yet.
    PendingReports,
    /// Is the one that asks, and that is there, a member; and which commands are known?
    Standing { address: Address },
    /// A snapshot follows: how much of it is there? An earlier build hangs up on this, and is sent all of it.
    SnapshotGoesOn(Announced),
    /// All up to an entry is on the disk of the leader that has written it. There is no reply.
    Flushed(form::LogId),
}

/// Which snapshot is sent: two that are alike in this are the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announced {
    pub(crate) header: SnapshotHeader,
    /// Of the whole file.
    pub(crate) bytes: u64,
    /// At its end.
    pub(crate) checksum: u32,
}

/// What came of an append.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Appended {
    All,
    UpTo(Option<form::LogId>),
    Conflict,
    HigherVote(form::Vote),
}

/// The answer to a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Append(Appended),
    Vote {
        vote: form::Vote,
        granted: bool,
        last: Option<form::LogId>,
    },
    TakeOver(Result<(), String>),
    /// Done; of proposals, member changes and snapshot parts.
    Done,
    Index(u64),
    Members(Vec<Member>),
    /// The new leader.
    Leader(u64),
    /// The vote that answers an installed snapshot.
    Installed(form::Vote),
    Denied(Denied),
    Digests(Vec<(u64, StateDigest)>),
    /// Whether the one that asks is in the committed membership, at the index of that; the versions of the
    /// commands that this node knows and that the cluster runs.
    Standing {
        member: bool,
        index: u64,
        version: u32,
        cluster_version: u32,
    },
    /// So many bytes of the snapshot are there.
    Arrived(u64),
}

/// Why a request was not carried out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Denied {
    /// This node does not lead; the one that does, if known.
    NotLeader(Option<u64>),
    /// The cluster's state forbids it.
    Refused(String),
    /// No such member.
    NotFound(String),
    /// It could not be done now.
    Unavailable(String),
    /// The node has stopped.
    Stopped(String),
}
