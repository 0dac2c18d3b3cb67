//! Reads: the list as fresh as asked, and how long ago this node has heard from a leader.

use std::sync::Arc;
use std::time::{Duration, Instant};

use openraft::async_runtime::watch::WatchReceiver;
use openraft::{Instant as _, ServerState};

use super::Node;
use crate::cluster::{Freshness, Picture};
use crate::concluding;
use crate::error::Error;
use crate::network::{Reply, Request};

impl Node {
    /// A message of the leader has arrived.
    pub(crate) fn heard_leader(&self) {
        *self.heard.lock() = Some(Instant::now());
    }

    pub(crate) fn lag(&self) -> Option<Duration> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        if metrics.state == ServerState::Leader {
            let mut voters = metrics.membership_config.membership().get_joint_config().iter().flatten();
            let first = voters.next();
            let alone = first.is_some() && voters.all(|voter| Some(voter) == first);
            let acked = metrics.last_quorum_acked.as_ref().map(|instant| instant.elapsed());
            return if alone { Some(Duration::ZERO) } else { acked };
        }
        drop(metrics);
        self.heard.lock().map(|instant| instant.elapsed())
    }

    pub(crate) async fn read(&self, freshness: &Freshness) -> Result<Arc<Picture>, Error> {
        if let Some(max_lag) = freshness.max_lag
            && self.lag().is_none_or(|lag| lag > max_lag)
        {
            let message = format!("no leader was heard of for more than {} s", max_lag.as_secs_f64());
            return Err(Error::Unavailable { message, retry_after: Duration::from_secs(1) });
        }
        let mut index = freshness.min_index.unwrap_or(0);
        if freshness.linearizable {
            match self.ask_leader(Request::ReadIndex).await? {
                Reply::Index(committed) => index = index.max(committed),
                other => return Err(Error::Stopped(format!("an unexpected read index: {other:?}"))),
            }
        }
        if index > 0 {
            self.wait_applied(index).await?;
        }
        match freshness.linearizable || freshness.exclude_pending {
            true => Ok(self.picture()),
            false => self.overlay.picture(self.picture(), &self.applier.outbox).await,
        }
    }

    async fn wait_applied(&self, index: u64) -> Result<(), Error> {
        let mut applied = self.applier.head.applied.subscribe();
        let reached = applied.wait_for(|applied| *applied >= index);
        let reached = tokio::time::timeout(self.settings.write_timeout, reached);
        let message = tokio::select! {
            reached = reached => match reached {
                Ok(_) => return Ok(()),
                Err(_) => format!("this node has not reached index {index} yet"),
            },
            () = self.closing() => format!("this node is stopping and has not reached index {index}"),
        };
        Err(Error::Unavailable { message, retry_after: Duration::from_secs(1) })
    }

    /// Resolves once more than this index is applied; may wait for ever.
    pub(crate) async fn moved_beyond(&self, index: u64) {
        let mut applied = self.applier.head.applied.subscribe();
        // The sender lives as long as the node.
        drop(applied.wait_for(|applied| *applied > index).await);
    }

    /// The index a linearizable read waits for; this node must lead.
    pub(crate) async fn read_index(&self) -> Result<u64, Option<u64>> {
        concluding::read_index(&self.raft, &self.peers.told).await.map_err(|error| {
            tracing::debug!(%error, "no read index");
            self.metrics().current_leader
        })
    }
}
