//! Founding the cluster and giving out node ids.

use std::sync::Arc;

use super::apply::{Applying, check_admin};
use crate::blocklist::audit::Action;
use crate::blocklist::cluster_info::{ClusterInfo, JOINS_MAX};
use crate::blocklist::command::{Actor, Outcome, Refusal};
use crate::blocklist::record::RecordKey;

impl Applying<'_> {
    pub(super) fn found(
        &mut self,
        actor: &Actor,
        cluster_id: [u8; 16],
        peer_secret: [u8; 32],
    ) -> Result<Outcome, Refusal> {
        if self.founded() {
            return Err(Refusal::Conflict("the cluster is founded already".to_owned()));
        }
        let cluster =
            ClusterInfo { cluster_id, peer_secret, last_node_id: 1, version: 1, ..ClusterInfo::default() };
        self.list.cluster = Arc::new(cluster);
        self.touch(RecordKey::Cluster);
        self.note_name(actor, Action::Founded, "cluster", "");
        Ok(Outcome::Done)
    }

    pub(super) fn allocate_node(&mut self, actor: &Actor, join_key: [u8; 16]) -> Result<Outcome, Refusal> {
        if !self.founded() {
            return Err(Refusal::Conflict("the cluster is not founded yet".to_owned()));
        }
        let cluster = Arc::make_mut(&mut self.list.cluster);
        if let Some(id) = cluster.joins.get(&join_key) {
            return Ok(Outcome::Node(*id));
        }
        let Some(id) = cluster.last_node_id.checked_add(1) else {
            return Err(Refusal::Conflict("there is no node id left".to_owned()));
        };
        cluster.last_node_id = id;
        cluster.joins.insert(join_key, id);
        while cluster.joins.len() > JOINS_MAX {
            let oldest = cluster.joins.iter().min_by_key(|(_, id)| **id).map(|(key, _)| *key);
            oldest.and_then(|key| cluster.joins.remove(&key));
        }
        self.touch(RecordKey::Cluster);
        self.note_name(actor, Action::NodeAdmitted, &format!("node {id}"), "");
        Ok(Outcome::Node(id))
    }

    pub(super) fn raise_version(&mut self, actor: &Actor, version: u32) -> Result<Outcome, Refusal> {
        check_admin(actor, "raise the version of the commands")?;
        if version > self.list.version() {
            Arc::make_mut(&mut self.list.cluster).version = version;
            self.touch(RecordKey::Cluster);
        }
        Ok(Outcome::Done)
    }

    /// The founder is node 1.
    fn founded(&self) -> bool {
        self.list.cluster.last_node_id > 0
    }
}
