//! Who the cluster is, and which node ids it has given out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The most join keys remembered; the oldest go first. A node that joins asks again within minutes.
pub(super) const JOINS_MAX: usize = 1024;

/// The cluster's identity, part of the replicated state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterInfo {
    /// Random, made once.
    pub cluster_id: [u8; 16],
    /// What peers prove to each other before they talk.
    pub peer_secret: [u8; 32],
    /// The highest node id given out; ids start at 1 (the founder) and are never used twice.
    pub last_node_id: u64,
    /// Ids given out, by join key, so that a join that is tried again gets the same id.
    pub joins: BTreeMap<[u8; 16], u64>,
    /// The version of the commands that may be in the log: every member supported it when it was raised.
    pub version: u32,
}
