//! Comparing this node's list with those of the others: the same index must be the same list. A node that is
//! alone with its list stops, because a firewall must never get it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::network::{PeerClient, Reply, Request};
use crate::node::Node;
use crate::store::StateDigest;

/// Between two comparisons.
const INTERVAL: Duration = Duration::from_secs(2);
/// A member that has not answered within this is not compared with.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Digests by index.
type Digests = BTreeMap<u64, StateDigest>;

/// What a comparison says.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Nobody has another list at an index that both have.
    Agrees,
    /// Somebody has another list, and it is not clear who is wrong.
    Unclear { index: u64, others: Vec<u64> },
    /// The others have another list.
    Alone { index: u64, others: Vec<u64> },
}

/// Runs until the node stops.
pub(crate) async fn watch(node: Arc<Node>) {
    let mut clients = BTreeMap::new();
    loop {
        tokio::time::sleep(INTERVAL).await;
        let (others, all_heard) = ask(&node, &mut clients).await;
        match judge(&node.digests(), &others, all_heard, node.raft.is_leader()) {
            Verdict::Agrees => {}
            Verdict::Unclear { index, others } => {
                tracing::error!(index, ?others, "this node's list differs from that of others");
            }
            Verdict::Alone { index, others } => node.fail(format!(
                "at index {index} the list of this node is not that of the nodes {others:?}; it must not be served. \
                 Remove the data directory and let the node join again"
            )),
        }
    }
}

/// The digests of the other members, and whether all of them have answered.
async fn ask(node: &Node, clients: &mut BTreeMap<u64, PeerClient>) -> (BTreeMap<u64, Digests>, bool) {
    let members = node.metrics().membership_config.nodes().map(|(id, _)| *id).collect::<Vec<_>>();
    clients.retain(|id, _| members.contains(id));
    let (mut heard, mut all) = (BTreeMap::new(), true);
    for id in members.into_iter().filter(|id| *id != node.id()) {
        let Some(mut client) = clients.remove(&id).or_else(|| node.client_of(id)) else { continue };
        match client.call(Request::Digests, ANSWER_WITHIN).await {
            Ok(Reply::Digests(digests)) => {
                heard.insert(id, digests.into_iter().collect());
                clients.insert(id, client);
            }
            _ => all = false,
        }
    }
    (heard, all)
}

/// At the newest index that somebody else has too, who agrees with this node? With as many against it as for it,
/// the leader is believed, but only when everybody was heard.
fn judge(own: &Digests, others: &BTreeMap<u64, Digests>, all_heard: bool, leader: bool) -> Verdict {
    let shared = |(index, digest): (&u64, &StateDigest)| {
        let known = others.iter().filter_map(|(id, digests)| Some((*id, digests.get(index)?)));
        let (same, differing): (Vec<_>, Vec<_>) = known.partition(|(_, other)| *other == digest);
        let differing: Vec<u64> = differing.into_iter().map(|(id, _)| id).collect();
        (!same.is_empty() || !differing.is_empty()).then_some((*index, same.len() + 1, differing))
    };
    match own.iter().rev().find_map(shared) {
        None => Verdict::Agrees,
        Some((_, _, others)) if others.is_empty() => Verdict::Agrees,
        Some((index, with, others)) => {
            let outvoted = others.len() > with || (others.len() == with && all_heard && !leader);
            if outvoted { Verdict::Alone { index, others } } else { Verdict::Unclear { index, others } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> StateDigest {
        let mut digest = StateDigest::default();
        digest.put(text.as_bytes());
        digest
    }

    fn digests(rows: &[(u64, &str)]) -> Digests {
        rows.iter().map(|(index, text)| (*index, digest(text))).collect()
    }

    #[test]
    fn the_node_that_is_alone_with_its_list_knows_it() {
        let (alone, unclear) = (
            |others: &[u64]| Verdict::Alone { index: 7, others: others.to_vec() },
            |others: &[u64]| Verdict::Unclear { index: 7, others: others.to_vec() },
        );
        // The own digest at 7, those of the others, all heard, leading, what it means.
        let rows = [
            ("a", vec!["a", "a"], true, false, Verdict::Agrees),
            ("x", vec!["a", "a"], true, false, alone(&[2, 3])),
            ("x", vec!["a", "a"], true, true, alone(&[2, 3])),
            ("a", vec!["a", "x"], true, false, unclear(&[3])),
            ("a", vec!["x"], true, true, unclear(&[2])),
            ("x", vec!["a"], true, false, alone(&[2])),
            ("x", vec!["a"], false, false, unclear(&[2])),
            ("a", vec![], false, false, Verdict::Agrees),
            ("a", vec!["x", "y"], true, false, alone(&[2, 3])),
        ];
        for (own, others, all_heard, leader, verdict) in rows {
            let others: BTreeMap<u64, Digests> =
                (2..).zip(&others).map(|(id, text)| (id, digests(&[(7, text)]))).collect();
            assert_eq!(judge(&digests(&[(7, own)]), &others, all_heard, leader), verdict, "{own} {others:?}");
        }
    }

    #[test]
    fn only_the_same_index_is_compared() {
        let own = digests(&[(256, "a"), (512, "b"), (600, "c")]);
        let behind = BTreeMap::from([(2, digests(&[(256, "a"), (300, "x")]))]);
        assert_eq!(judge(&own, &behind, true, false), Verdict::Agrees);
        let other = BTreeMap::from([(2, digests(&[(256, "a"), (512, "x"), (700, "y")]))]);
        assert_eq!(judge(&own, &other, true, false), Verdict::Alone { index: 512, others: vec![2] });
    }
}
