//! What nodes and the command line say to a node over HTTP, and what it answers.

use raft::{Address, JoinTicket};
use serde::{Deserialize, Serialize};

/// `POST /admin/members`: a node asks to be taken in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JoinRequest {
    /// 16 random bytes in hex, kept by the node until it is in.
    pub join_key: String,
    /// `host:port` where its peers reach it.
    pub peers: String,
    /// The URL of its HTTP API.
    pub http: String,
    /// It is to stay a learner.
    #[serde(default)]
    pub learner: bool,
}

/// The answer to a `JoinRequest`: all that the node needs to take part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JoinAnswer {
    /// The cluster's id in hex.
    pub cluster_id: String,
    /// The node's id, never given before.
    pub node_id: u64,
    /// What peers prove to each other, in hex.
    pub peer_secret: String,
    /// As asked for.
    pub learner: bool,
    /// The members: id and how it is reached.
    pub peers: Vec<(u64, Address)>,
}

/// `GET /admin/formation`: does this node belong to a cluster?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Formation {
    /// Not yet.
    Waiting {
        /// The node's join key in hex.
        join_key: String,
    },
    /// It does.
    Member {
        /// The cluster's id in hex.
        cluster_id: String,
        /// The node's id there.
        node_id: u64,
    },
}

impl From<JoinTicket> for JoinAnswer {
    fn from(ticket: JoinTicket) -> JoinAnswer {
        JoinAnswer {
            cluster_id: hex::encode(ticket.cluster_id),
            node_id: ticket.node_id,
            peer_secret: hex::encode(ticket.peer_secret),
            learner: ticket.learner,
            peers: ticket.peers,
        }
    }
}

impl TryFrom<JoinAnswer> for JoinTicket {
    type Error = String;

    fn try_from(answer: JoinAnswer) -> Result<JoinTicket, String> {
        Ok(JoinTicket {
            cluster_id: bytes("cluster_id", &answer.cluster_id)?,
            node_id: answer.node_id,
            peer_secret: bytes("peer_secret", &answer.peer_secret)?,
            learner: answer.learner,
            peers: answer.peers,
        })
    }
}

/// Hex of exactly `N` bytes.
pub(crate) fn bytes<const N: usize>(name: &str, text: &str) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    match hex::decode_to_slice(text, &mut bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(format!("{name} `{text}` is not {N} bytes in hex")),
    }
}
