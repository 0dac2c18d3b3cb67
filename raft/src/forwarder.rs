//! Drains the outbox to whoever leads. A session lasts as long as one leader does; when it ends, what was
//! not applied is sent again to the next, and the list skips what it has seen.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use openraft::async_runtime::watch::WatchReceiver;

use crate::handler::begin_batch;
use crate::network::{PeerClient, Reply, Request, call_timeout};
use crate::node::Node;
use crate::outbox::Unsent;
use crate::types::EncodedBatch;

/// Batches handed on and not yet confirmed: enough to keep disk and line busy, few enough to fill up meanwhile.
const BATCHES_IN_FLIGHT_MAX: usize = 4;
/// While a batch is on its way the next one fills up to this weight, or waits this long: each is an entry of the log on
/// every node, and costs the same whether it holds one command or a hundred. Over a long line several are under way.
const ENOUGH: usize = 64;
const PATIENCE: Duration = Duration::from_millis(5);
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
    let mut little_since = None;
    let mut watchdog = tokio::time::interval(STALLED_AFTER / 2);
    loop {
        let mut unsent = node.outbox().unsent(ENOUGH);
        let patient = |since: Option<Instant>| since.is_none_or(|since| since.elapsed() < PATIENCE);
        while in_flight.len() < BATCHES_IN_FLIGHT_MAX
            && (in_flight.is_empty() || unsent == Unsent::Enough || !patient(little_since))
        {
            if let Err(error) = node.outbox().prepare().await {
                tracing::warn!(%error, "what waits here cannot be handed on yet");
            }
            let Some(batch) = node.outbox().next_batch()? else {
                // What is left waits for something that the outbox tells of.
                unsent = Unsent::Nothing;
                break;
            };
            let confirmed = hand_on(node, &mut way, batch).await?;
            in_flight.push(confirmed);
            little_since = None;
            unsent = node.outbox().unsent(ENOUGH);
        }
        let room = in_flight.len() < BATCHES_IN_FLIGHT_MAX;
        little_since = (unsent != Unsent::Nothing).then(|| little_since.unwrap_or_else(Instant::now));
        let patience = PATIENCE.saturating_sub(little_since.map_or(PATIENCE, |since| since.elapsed()));
        tokio::select! {
            Some(confirmed) = in_flight.next() => confirmed?,
            () = node.outbox().work(), if room => {}
            () = tokio::time::sleep(patience), if room && little_since.is_some() => {}
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
