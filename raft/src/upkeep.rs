//! What a node sees to by itself: founding its cluster, becoming a voter, that others know its address, that no
//! one lists it, and, on the leader, that entries leave the list when their time has come.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openraft::errors::{InitializeError, RaftError};

use crate::blocklist::{Actor, Command, Operation, Outcome, Role, Timestamp, VERSION};
use crate::error::Error;
use crate::network::Request;
use crate::node::Node;

/// Between two looks at the membership, while something is to be done.
const INTERVAL: Duration = Duration::from_millis(250);
/// The same, while what is to be done fails again and again.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How far the list may be behind the known commit for this node to ask for its vote.
const CAUGHT_UP_ENTRIES: u64 = 100;
/// A founder does not wait longer for the name servers.
const RESOLVED_WITHIN: Duration = Duration::from_secs(1);

/// Makes the cluster of one that this node was told to found, unless it is there already. From the first request on
/// it runs the commands of this program, and no one can list this node.
pub(crate) async fn found(node: &Arc<Node>) -> Result<(), Error> {
    let alone = BTreeMap::from([(node.id(), node.settings.address.clone())]);
    match node.raft.initialize(alone).await {
        Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => {}
        Err(error) => return Err(Error::Stopped(error.to_string())),
    }
    if node.decided().list.cluster().cluster_id != [0; 16]
        || node.metrics().membership_config.nodes().count() > 1
    {
        return Ok(());
    }
    let identity = node.identity();
    let found = Operation::Found { cluster_id: identity.cluster_id, peer_secret: identity.peer_secret };
    let mut operations = vec![found, Operation::RaiseVersion(VERSION)];
    // A name that is not found in time is looked up again by `tend`.
    let addresses = tokio::time::timeout(RESOLVED_WITHIN, own_addresses(node)).await.unwrap_or_default();
    if !addresses.is_empty() {
        operations.push(Operation::PutNodeAddresses { node: node.id(), addresses });
    }
    node.submit(operations.into_iter().map(command).collect()).await.map(drop)
}

/// A command of the cluster itself, stamped now.
pub(crate) fn command(operation: Operation) -> Command {
    let actor = Actor { account: "".into(), role: Role::Admin, address: "".into() };
    Command::new(now(), actor, operation)
}

/// This node's clock, for commands of the cluster itself.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Runs until the node stops.
pub(crate) async fn run(node: Arc<Node>) {
    let mut pause = INTERVAL;
    loop {
        match tend(&node).await {
            Ok(()) => pause = INTERVAL,
            Err(error) => {
                tracing::info!(%error, "not settled in the cluster yet; trying again");
                pause = (2 * pause).min(PAUSE_MAX);
            }
        }
        tokio::time::sleep(pause).await;
    }
}

async fn tend(node: &Arc<Node>) -> Result<(), Error> {
    if node.space.read_only() {
        return Ok(());
    }
    let metrics = node.metrics();
    let id = node.id();
    let Some(address) = metrics.membership_config.get_node(&id) else { return Ok(()) };
    if metrics.current_leader.is_none() {
        return Ok(());
    }
    if *address != node.settings.address {
        tracing::info!(from = ?address, to = ?node.settings.address, "this node has moved; telling the others");
        let request = Request::PutMember { id, address: node.settings.address.clone() };
        return node.ask_leader(request).await.map(drop);
    }
    // Before it asks for its vote: no one can list a voter.
    tell_own_addresses(node).await?;
    let voter = metrics.membership_config.voter_ids().any(|voter| voter == id);
    let committed = metrics.cluster_committed.max(metrics.local_committed).map_or(0, |id| id.index);
    let caught_up = node.applier.head.index() + CAUGHT_UP_ENTRIES >= committed;
    if !voter && !node.identity().learner && caught_up {
        node.ask_leader(Request::Promote { id }).await?;
        tracing::info!("this node has caught up and is a voter now");
    }
    match node.raft.is_leader() {
        true => {
            expire(node).await?;
            replace_dead(node).await;
            Ok(())
        }
        false => Ok(()),
    }
}

/// Keeps the addresses under which this node is reached in the replicated state, so that no sensor can list it.
async fn tell_own_addresses(node: &Arc<Node>) -> Result<(), Error> {
    let addresses = own_addresses(node).await;
    let decided = node.decided();
    if addresses.is_empty() || decided.list.node_addresses().get(&node.id()) == Some(&addresses) {
        return Ok(());
    }
    let operation = Operation::PutNodeAddresses { node: node.id(), addresses };
    node.submit(vec![command(operation)]).await.map(drop)
}

/// The addresses under which this node is reached.
async fn own_addresses(node: &Node) -> BTreeSet<IpAddr> {
    let address = &node.settings.address;
    let http = address.http.split("://").last().unwrap_or_default().split('/').next().unwrap_or_default();
    let mut addresses = BTreeSet::new();
    for place in [address.peers.as_str(), http] {
        addresses.extend(resolve(place).await);
    }
    addresses
}

/// The addresses behind `host:port`, `host` or an address; none when there is no such name now.
async fn resolve(place: &str) -> Vec<IpAddr> {
    let with_port = if place.rsplit_once(':').is_some() { place.to_owned() } else { format!("{place}:0") };
    match tokio::net::lookup_host(with_port).await {
        Ok(found) => found.map(|address| address.ip().to_canonical()).collect(),
        Err(_) => Vec::new(),
    }
}

/// Takes off the list what has had its time; every node drops it when it applies the command.
async fn expire(node: &Arc<Node>) -> Result<(), Error> {
    loop {
        let command = command(Operation::Expire);
        if node.applier.head.next_expiry().is_none_or(|next| next > command.time) {
            return Ok(());
        }
        let written = node.submit(vec![command]).await?;
        let expired = written.into_iter().map(|written| written.outcome).next();
        if !matches!(expired, Some(Outcome::Expired(count)) if count > 0) {
            return Ok(());
        }
    }
}

/// Lets a spare learner take the place of a voter that is dead for as long as an admin has decided, if one has.
async fn replace_dead(node: &Arc<Node>) {
    let Some(after) = node.decided().list.settings().replace_dead_after_seconds else { return };
    if let Err(denied) = node.replace_dead(Duration::from_secs(after)).await {
        tracing::info!(?denied, "a dead voter is not replaced yet");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Address, Cluster, Settings};

    #[tokio::test]
    async fn a_founder_starts_with_all_that_it_has_to_tell() {
        let data = tempfile::tempdir().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address =
            Address { peers: listener.local_addr().unwrap().to_string(), http: "http://192.0.2.1:80".into() };
        let settings = Settings::of_a_test(data.path(), address);
        let identity = Cluster::found(&settings).unwrap();
        let node = Node::start(settings, identity, listener).await.unwrap();
        let founded = node.decided();
        assert_eq!(founded.list.version(), VERSION);
        let own = ["127.0.0.1", "192.0.2.1"].map(|address| address.parse::<IpAddr>().unwrap());
        assert_eq!(founded.list.node_addresses()[&node.id()], own.into());

        // Nothing is left for later, so that the index stands still.
        let index = node.applier.head.index();
        tend(&node).await.unwrap();
        assert_eq!(node.applier.head.index(), index);
    }
}
