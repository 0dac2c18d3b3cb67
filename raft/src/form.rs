//! Our own forms of what openraft hands us, for disk and wire: its serde forms may change with its version,
//! these may only grow.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use serde::{Deserialize, Serialize};

use crate::cluster::Address;
use crate::types;

/// A vote: for which leader in which term, and whether a majority has granted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Vote {
    pub(crate) term: u64,
    pub(crate) node: u64,
    pub(crate) committed: bool,
}

/// The id of a log entry: the leader that wrote it, and its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct LogId {
    pub(crate) term: u64,
    pub(crate) node: u64,
    pub(crate) index: u64,
}

/// Who is in: the voters (two sets while they change), and how each member is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Membership {
    configs: Vec<BTreeSet<u64>>,
    nodes: BTreeMap<u64, Address>,
}

/// A membership with the log entry that brought it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredMembership {
    log_id: Option<LogId>,
    membership: Membership,
}

impl StoredMembership {
    /// One voter, whose address is not known yet: it says it itself once it leads.
    pub(crate) fn of_one(log_id: LogId, node: u64) -> StoredMembership {
        let configs = vec![BTreeSet::from([node])];
        let membership = Membership { configs, nodes: BTreeMap::from([(node, Address::default())]) };
        StoredMembership { log_id: Some(log_id), membership }
    }
}

/// What a log entry carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Payload {
    Blank,
    Batch(Bytes),
    Membership(Membership),
}

/// A log entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) log_id: LogId,
    pub(crate) payload: Payload,
}

impl From<&types::Vote> for Vote {
    fn from(vote: &types::Vote) -> Vote {
        Vote { term: vote.leader_id.term, node: vote.leader_id.node_id, committed: vote.committed }
    }
}

impl From<Vote> for types::Vote {
    fn from(vote: Vote) -> types::Vote {
        match vote.committed {
            true => types::Vote::new_committed(vote.term, vote.node),
            false => types::Vote::new(vote.term, vote.node),
        }
    }
}

impl From<&types::LogId> for LogId {
    fn from(id: &types::LogId) -> LogId {
        LogId { term: id.leader_id.term, node: id.leader_id.node_id, index: id.index }
    }
}

impl From<LogId> for types::LogId {
    fn from(id: LogId) -> types::LogId {
        let leader = openraft::impls::leader_id_adv::LeaderId { term: id.term, node_id: id.node };
        types::LogId::new(leader, id.index)
    }
}

impl From<&types::Membership> for Membership {
    fn from(membership: &types::Membership) -> Membership {
        Membership {
            configs: membership.get_joint_config().clone(),
            nodes: membership.nodes().map(|(id, node)| (*id, node.clone())).collect(),
        }
    }
}

impl From<Membership> for types::Membership {
    fn from(membership: Membership) -> types::Membership {
        let Membership { configs, nodes } = membership;
        // Only a membership that was valid is ever stored; a voter without an address could not be reached.
        types::Membership::new(configs.clone(), nodes)
            .unwrap_or_else(|_| types::Membership::new_with_defaults(configs, []))
    }
}

impl From<&types::StoredMembership> for StoredMembership {
    fn from(stored: &types::StoredMembership) -> StoredMembership {
        StoredMembership {
            log_id: stored.log_id().as_ref().map(LogId::from),
            membership: stored.membership().into(),
        }
    }
}

impl From<StoredMembership> for types::StoredMembership {
    fn from(stored: StoredMembership) -> types::StoredMembership {
        types::StoredMembership::new(stored.log_id.map(types::LogId::from), stored.membership.into())
    }
}

impl From<&types::Entry> for Entry {
    fn from(entry: &types::Entry) -> Entry {
        let payload = match &entry.payload {
            EntryPayload::Blank => Payload::Blank,
            EntryPayload::Normal(batch) => Payload::Batch(batch.0.clone()),
            EntryPayload::Membership(membership) => Payload::Membership(membership.into()),
        };
        Entry { log_id: (&entry.log_id).into(), payload }
    }
}

impl From<Entry> for types::Entry {
    fn from(entry: Entry) -> types::Entry {
        let payload = match entry.payload {
            Payload::Blank => EntryPayload::Blank,
            Payload::Batch(bytes) => EntryPayload::Normal(types::EncodedBatch(bytes)),
            Payload::Membership(membership) => EntryPayload::Membership(membership.into()),
        };
        types::Entry::new(entry.log_id.into(), payload)
    }
}
