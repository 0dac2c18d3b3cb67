//! What a node asks the others when no leader speaks to it: whether it is still a member; it says where it is, so
//! that they find it again. And which commands the cluster runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::blocklist::{Operation, VERSION};
use crate::cluster::Address;
use crate::network::{Reply, Request};
use crate::node::Node;
use crate::upkeep::command;
use crate::version;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(2);
/// A node that no leader has spoken to for this long asks whether it is still in.
const SILENCE: Duration = Duration::from_secs(3);
/// A node that was removed knows it after this at the latest, and then takes no writes any more.
pub(crate) const REMOVED_KNOWN_WITHIN: Duration = Duration::from_secs(10);
/// Between two lines in the log of a node that is not a member any more.
const REMINDER: Duration = Duration::from_secs(60);
/// A member that has not answered within this is not counted.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// What a member says of the one that asks, and of the cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    /// The one that asks is a member, or is about to become one or to leave.
    pub(crate) member: bool,
    /// The index of the latest membership that the member knows to be committed.
    pub(crate) index: u64,
    /// The version of the commands that the member knows.
    pub(crate) version: u32,
    /// The version of the commands that the cluster runs, as far as the member has applied it.
    pub(crate) cluster_version: u32,
}

impl Node {
    /// What this node says to another one that asks where it stands.
    pub(crate) fn standing_of(&self, id: u64, address: &Address) -> Reply {
        let metrics = self.metrics();
        let known = metrics.membership_config.get_node(&id).is_some();
        if known {
            self.peers.places.note(id, &address.peers);
        }
        let committed = metrics.committed_membership_config;
        Reply::Standing {
            member: known || committed.get_node(&id).is_some(),
            index: committed.log_id().map_or(0, |id| id.index),
            version: VERSION,
            cluster_version: self.decided().list.version(),
        }
    }

    /// Asks the node with this id at this address; fails where another node is.
    pub(crate) async fn ask_standing(&self, id: u64, address: &Address) -> std::io::Result<Said> {
        let mut client = self.peers.client_at(id, address);
        let request = Request::Standing { address: self.settings.address.clone() };
        match client.call(request, ANSWER_WITHIN).await? {
            Reply::Standing { member, index, version, cluster_version } => {
                Ok(Said { member, index, version, cluster_version })
            }
            other => Err(std::io::Error::other(format!("an unexpected standing: {other:?}"))),
        }
    }
}

/// Runs until the node stops.
pub(crate) async fn watch(node: Arc<Node>) {
    let mut reminded: Option<Instant> = None;
    let mut version_is_known = false;
    loop {
        let silent = node.lag().is_none_or(|lag| lag > SILENCE);
        let upgraded = node.raft.is_leader() && node.decided().list.version() < VERSION;
        if silent || upgraded || !version_is_known {
            let said = ask_all(&node).await;
            let newest = said.values().flatten().map(|said| said.cluster_version).max();
            version_is_known |= newest.is_some();
            if let Err(reason) = version::check_version(newest.unwrap_or(0)) {
                node.fail(reason);
            }
            let removed = silent && is_removed(node.member_since(), &said);
            if removed {
                node.note_removed(true);
            }
            if removed && reminded.is_none_or(|at| at.elapsed() > REMINDER) {
                reminded = Some(Instant::now());
                tracing::error!(
                    node = node.id(),
                    accepted = node.outbox().depth().commands,
                    "this node was removed from the cluster, and its list is not kept up to date any more: stop it, \
                     remove the data directory, and start it with --join to let it join again under a new id"
                );
            }
            if upgraded {
                raise(&node, &said).await;
            }
        }
        if !silent {
            // A leader speaks to members only.
            node.note_removed(false);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// What every other member says; those that were members when this node joined, as long as it knows no others.
async fn ask_all(node: &Arc<Node>) -> BTreeMap<u64, Option<Said>> {
    let metrics = node.metrics();
    let known = metrics.membership_config.nodes().map(|(id, address)| (*id, address.clone()));
    let mut others: BTreeMap<u64, Address> = known.collect();
    if others.is_empty() {
        others.extend(node.identity().peers.iter().cloned());
    }
    others.remove(&node.id());
    let asked = others
        .into_iter()
        .map(|(id, address)| async move { (id, node.ask_standing(id, &address).await.ok()) });
    futures_util::future::join_all(asked).await.into_iter().collect()
}

/// Whether those that were asked show that this node is not a member any more. `since`: the index of a membership
/// that has it, the latest one that it knows; `None` when it knows none yet.
fn is_removed(since: Option<u64>, said: &BTreeMap<u64, Option<Said>>) -> bool {
    match since {
        // Whoever knows the latest membership is right: an id is never given out twice.
        Some(since) => {
            let latest = said.values().flatten().max_by_key(|said| said.index);
            latest.is_some_and(|said| !said.member && said.index > since)
        }
        // It was taken in, and has not been told yet. A member may be behind that: only all of them together know.
        None => !said.is_empty() && said.values().all(|said| said.is_some_and(|said| !said.member)),
    }
}

async fn raise(node: &Node, said: &BTreeMap<u64, Option<Said>>) {
    let known = said.values().map(|said| said.map(|said| said.version)).chain([Some(VERSION)]);
    if let Some(version) = version::raised(node.decided().list.version(), known) {
        match node.submit(vec![command(Operation::RaiseVersion(version))]).await {
            Ok(_) => {
                tracing::info!(version, "every member knows the commands of this version; they are in use")
            }
            Err(error) => tracing::debug!(%error, "the version was not raised; trying again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENT: Option<Said> = None;

    fn said(member: bool, index: u64) -> Option<Said> {
        Some(Said { member, index, version: 1, cluster_version: 1 })
    }

    #[test]
    fn a_node_is_removed_when_a_membership_after_its_own_is_without_it() {
        let (within, without) = (|index| said(true, index), |index| said(false, index));
        type Answers<'a> = &'a [Option<Said>];
        let rows: [(Option<u64>, Answers<'_>, bool); 13] = [
            (Some(7), &[], false),
            (Some(7), &[SILENT, SILENT], false),
            (Some(7), &[within(7), within(7)], false),
            (Some(7), &[within(7), without(9)], true),
            (Some(7), &[SILENT, without(9)], true),
            // Those that have not heard of it yet.
            (Some(7), &[without(5), SILENT], false),
            (Some(7), &[without(5), within(9)], false),
            // A new node cannot say who of them is behind.
            (None, &[], false),
            (None, &[SILENT, without(5)], false),
            (None, &[within(6), without(5)], false),
            (None, &[within(6), without(9)], false),
            (None, &[without(6)], true),
            (None, &[without(9), without(5)], true),
        ];
        for (since, answers, removed) in rows {
            let said = (1..).zip(answers.iter().copied()).collect();
            assert_eq!(is_removed(since, &said), removed, "{since:?} {answers:?}");
        }
    }
}
