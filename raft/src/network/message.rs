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
    /// All up to an entry is on the disk of the leader that has written it, and whose vote this is. There is no reply.
    Flushed { vote: form::Vote, id: form::LogId },
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

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::codec::{self, Content};

    const VOTE: form::Vote = form::Vote { term: 3, node: 1, committed: true };
    const ID: form::LogId = form::LogId { term: 3, node: 1, index: 9 };

    /// The bytes of messages, pinned as those of files are (`pinned.rs`): nodes of different builds talk to each other.
    /// Append to the enums; never change these lines.
    #[track_caller]
    fn check<M: Serialize + DeserializeOwned>(messages: impl IntoIterator<Item = (M, &'static str)>) {
        for (number, (message, expected)) in messages.into_iter().enumerate() {
            let bytes = codec::encode(Content::Frame, &message).unwrap();
            assert_eq!(hex::encode(&bytes), expected, "message {number}");
            let again = codec::decode::<M>(Content::Frame, &bytes).unwrap();
            assert_eq!(codec::encode(Content::Frame, &again).unwrap(), bytes, "message {number}, read");
        }
    }

    fn address() -> Address {
        Address { peers: "n2:5001".into(), http: "http://n2:5000".into() }
    }

    #[test]
    fn requests_keep_their_bytes() {
        let last = Some(ID);
        let header = SnapshotHeader {
            last_log_id: last,
            membership: form::StoredMembership::default(),
            digest: StateDigest::default(),
        };
        check([
            (
                Request::Append { vote: VOTE, previous: last, entries: Vec::new(), committed: last },
                "5d070100030101010301090001030109",
            ),
            (Request::Vote { vote: VOTE, last, transfer: true }, "5d0701010301010103010901"),
            (Request::PreVote { vote: VOTE, last, transfer: false }, "5d0701020301010103010900"),
            (Request::TakeOver { from: VOTE, to: 2, last }, "5d0701030301010201030109"),
            (Request::Propose(Bytes::from_static(b"abc")), "5d07010403616263"),
            (Request::ReadIndex, "5d070105"),
            (Request::Members, "5d070106"),
            (
                Request::PutMember { id: 2, address: address() },
                "5d07010702076e323a353030310e687474703a2f2f6e323a35303030",
            ),
            (Request::Promote { id: 2 }, "5d07010802"),
            (Request::RemoveMember { id: 2 }, "5d07010902"),
            (Request::TransferLeader { to: Some(2) }, "5d07010a0102"),
            (Request::SnapshotBegin, "5d07010b"),
            (Request::SnapshotBytes(Bytes::from_static(b"abc")), "5d07010c03616263"),
            (Request::SnapshotEnd { vote: VOTE, header: header.clone() }, "5d07010d030101010301090000000000"),
            (Request::Digests, "5d07010e"),
            (Request::PendingReports, "5d07010f"),
            (
                Request::Standing { address: address() },
                "5d070110076e323a353030310e687474703a2f2f6e323a35303030",
            ),
            (
                Request::SnapshotGoesOn(Announced { header, bytes: 9, checksum: 8 }),
                "5d0701110103010900000000000908",
            ),
            (Request::Flushed { vote: VOTE, id: ID }, "5d070112030101030109"),
        ]);
    }

    #[test]
    fn replies_keep_their_bytes() {
        check([
            (Reply::Append(Appended::UpTo(Some(ID))), "5d0701000101030109"),
            (Reply::Append(Appended::HigherVote(VOTE)), "5d07010003030101"),
            (Reply::Vote { vote: VOTE, granted: true, last: None }, "5d0701010301010100"),
            (Reply::TakeOver(Err("no".into())), "5d07010201026e6f"),
            (Reply::Done, "5d070103"),
            (Reply::Index(9), "5d07010409"),
            (Reply::Members(Vec::new()), "5d07010500"),
            (Reply::Leader(2), "5d07010602"),
            (Reply::Installed(VOTE), "5d070107030101"),
            (Reply::Denied(Denied::NotLeader(Some(2))), "5d070108000102"),
            (Reply::Denied(Denied::Stopped("no".into())), "5d07010804026e6f"),
            (Reply::Digests(Vec::new()), "5d07010900"),
            (Reply::Standing { member: true, index: 9, version: 3, cluster_version: 2 }, "5d07010a01090302"),
            (Reply::Arrived(9), "5d07010b09"),
        ]);
    }
}
