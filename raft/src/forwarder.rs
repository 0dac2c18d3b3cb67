//! Drains the outbox to whoever leads. A session lasts as long as one leader does; when it ends, what was
//! not applied is sent again to the next, and the list skips what it has seen.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use openraft::async_runtime::watch::WatchReceiver;

use crate::handler::begin_batch;
use crate::network::{PeerClient, Reply, Request, call_timeout};
use crate::node::Node;
use crate::types::EncodedBatch;

/// Batches handed on and not yet confirmed: enough to keep disk and line busy, few enough to fill up meanwhile.
const BATCHES_IN_FLIGHT_MAX: usize = 4;
/// A session in which something sent has seen no progress for this long is begun anew.
const STALLED_AFTER: Duration = Duration::from_secs(2);
/// Between two sessions, when the last one failed.
const PAUSE: Duration = Duration::from_millis(20);
/// A batch is confirmed within this, or the session ends.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs until the node stops.
pub(crate) async fn run(node: Arc<Node>) {
    let mut metrics = node.raft.server_metrics();
    loop {
        let leader = match metrics.wait_until(|metrics| metrics.current_leader.is_some()).await {
            Ok(metrics) => metrics.current_leader,
            Err(_) => return,
        };
        let Some(leader) = leader else { continue };
        node.outbox().reset_session();
        if let Err(error) = session(&node, leader).await {
            tracing::debug!(leader, %error, "the writes of this node did not reach the leader; trying again");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Resolves when the leader has applied a batch.
type Confirmation = Pin<Box<dyn Future<Output = io::Result<()>> + Send + Sync>>;

/// Where batches go during one session.
enum Way {
    Here,
    There(PeerClient),
}

async fn session(node: &Arc<Node>, leader: u64) -> io::Result<()> {
    let mut way = match leader == node.id() {
        true => Way::Here,
        false => Way::There(node.client_of(leader).ok_or_else(|| io::Error::other("an unknown leader"))?),
    };
    let mut metrics = node.raft.server_metrics();
    let mut in_flight = FuturesUnordered::new();
    let mut watchdog = tokio::time::interval(STALLED_AFTER / 2);
    loop {
        while in_flight.len() < BATCHES_IN_FLIGHT_MAX {
            if let Err(error) = node.outbox().prepare().await {
                tracing::warn!(%error, "what waits here cannot be handed on yet");
            }
            let Some(batch) = node.outbox().next_batch()? else { break };
            let confirmed = hand_on(node, &mut way, batch).await?;
            in_flight.push(confirmed);
        }
        tokio::select! {
            Some(confirmed) = in_flight.next() => confirmed?,
            () = node.outbox().work(), if in_flight.len() < BATCHES_IN_FLIGHT_MAX => {}
            changed = metrics.wait_until(|metrics| metrics.current_leader != Some(leader)) => {
                return changed.map(drop).map_err(io::Error::other);
            }
            _ = watchdog.tick() => {
                if node.outbox().stalled() > STALLED_AFTER {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "no progress"));
                }
            }
        }
    }
}

/// Starts a batch on its way, in order; the future resolves when the leader has applied it.
async fn hand_on(node: &Arc<Node>, way: &mut Way, batch: EncodedBatch) -> io::Result<Confirmation> {
    match way {
        Way::Here => {
            let denied = |denied| io::Error::other(format!("{denied:?}"));
            let proposed = begin_batch(node, batch).await.map_err(denied)?;
            Ok(Box::pin(async move { proposed.applied().await.map_err(denied) }))
        }
        Way::There(client) => {
            let waiting = client.start(Request::Propose(batch.0)).await?;
            Ok(Box::pin(async move {
                match call_timeout(waiting, CONFIRM_TIMEOUT).await? {
                    Reply::Done => Ok(()),
                    other => Err(io::Error::other(format!("{other:?}"))),
                }
            }))
        }
    }
}
