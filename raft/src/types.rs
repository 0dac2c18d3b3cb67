//! What this crate plugs into openraft, and the short names of the types that come out of it.

use std::fmt;

use bytes::Bytes;

use crate::cluster::Address;
use crate::store::StateMachine;

/// A batch in its encoded form: encoded once by the node that took it, carried as bytes through wire and log,
/// and decoded once on each node, when it is applied.
#[derive(Clone, PartialEq, Eq)]
pub struct EncodedBatch(pub Bytes);

impl fmt::Debug for EncodedBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncodedBatch({} bytes)", self.0.len())
    }
}

impl fmt::Display for EncodedBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

openraft::declare_raft_types!(
    /// The types of our Raft: the answer is empty, because the outcome reaches the caller through the apply
    /// of the node that took the command.
    pub TypeConfig:
        D = EncodedBatch,
        R = (),
        NodeId = u64,
        Node = Address,
);

pub(crate) type Raft = openraft::Raft<TypeConfig, StateMachine>;
pub(crate) type Vote = openraft::type_config::alias::VoteOf<TypeConfig>;
pub(crate) type LogId = openraft::type_config::alias::LogIdOf<TypeConfig>;
pub(crate) type Entry = openraft::type_config::alias::EntryOf<TypeConfig>;
pub(crate) type Membership = openraft::Membership<u64, Address>;
pub(crate) type StoredMembership = openraft::type_config::alias::StoredMembershipOf<TypeConfig>;
pub(crate) type SnapshotMeta = openraft::type_config::alias::SnapshotMetaOf<TypeConfig>;
pub(crate) type Metrics = openraft::RaftMetrics<TypeConfig>;
