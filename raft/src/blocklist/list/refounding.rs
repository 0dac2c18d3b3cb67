//! The list as the first list of another cluster: what was restored from a backup.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{List, Modified};
use crate::blocklist::audit::{Action, Deed, Subject};
use crate::blocklist::cluster_info::ClusterInfo;
use crate::blocklist::timestamp::Timestamp;

impl List {
    /// The same entries, accounts, allow list, settings and memories, and another cluster, whose only node gets the
    /// next id after all that the old one gave out. It goes on at `index`, beyond what the old cluster can have
    /// reached: who followed the old one takes the whole list again. The marks of the old nodes' outboxes and the kept
    /// answers stay, so that what was counted is known to be counted.
    pub fn refound(&mut self, cluster_id: [u8; 16], peer_secret: [u8; 32], index: u64, time: Timestamp) {
        let old = ClusterInfo::clone(&self.cluster);
        let node = old.last_node_id.saturating_add(1);
        let cluster =
            ClusterInfo { cluster_id, peer_secret, last_node_id: node, joins: BTreeMap::new(), ..old };
        self.cluster = Arc::new(cluster);
        self.node_addresses = Arc::default();
        self.feed_floors.fill(index);
        // Which addresses are the nodes' own has changed, and with them perhaps the exports.
        self.modified = self.modified.map(|modified| modified.map(Modified::undated));
        let action = Action::Founded;
        let deed = Deed {
            time,
            account: "".into(),
            address: "".into(),
            action,
            subjects: vec![Subject::Name("cluster".into())],
            detail: "restored from a backup".into(),
        };
        self.audit[action.class() as usize].add(index, deed);
    }

    /// The same list without what the nodes prove to each other, which is nobody else's to know.
    pub fn without_secret(&self) -> List {
        let mut list = self.clone();
        Arc::make_mut(&mut list.cluster).peer_secret = [0; 32];
        list
    }
}
