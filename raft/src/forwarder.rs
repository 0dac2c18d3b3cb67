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

use crate::network::{PeerClient, Reply, Request, call_timeout};
use crate::node::Node;
use crate::outbox::Unsent;
use crate::types::EncodedBatch;

/// Batches handed on and not yet confirmed: enough to keep disk and line busy, few enough to fill up meanwhile.
const BATCHES_IN_FLIGHT_MAX: usize = 4;
/// While a batch is on its way the next one fills up to this weight, and to that of what is under way, or waits this long:
/// each is an entry of the log on every node, and costs the same whether it holds one command or a hundred. Many callers
/// go in two batches, one under way while the other fills; over a long line, in more.
const ENOUGH: usize = 64;
const PATIENCE: Duration = Duration::from_millis(5);
/// Who was answered asks again within this, or not soon.
const BACK_WITHIN: Duration = Duration::from_millis(2);
/// A session in which something sent has seen no progress for this long is begun anew.
const STALLED_AFTER: Duration = Duration::from_secs(2);
/// Between two sessions, when the last one failed.
const PAUSE: Duration = Duration::from_millis(20);
/// A batch is confirmed within this, or applied here with all the others, or the session ends.
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
    let mut pace = Pace::default();
    let mut watchdog = tokio::time::interval(STALLED_AFTER / 2);
    loop {
        let waits = loop {
            let under_way = node.outbox().under_way();
            pace.full = ENOUGH.max(under_way);
            if under_way == 0 {
                // Whatever the leader may say of it yet: on a bad line that comes much later, or not at all.
                in_flight.clear();
                pace.applied(Instant::now());
            }
            let unsent = node.outbox().unsent(pace.full);
            let waits = pace.waits(Instant::now(), unsent, under_way == 0);
            if in_flight.len() >= BATCHES_IN_FLIGHT_MAX || waits != Some(Duration::ZERO) {
                break waits;
            }
            if let Err(error) = node.outbox().prepare().await {
                tracing::warn!(%error, "what waits here cannot be handed on yet");
            }
            let Some(batch) = node.outbox().next_batch()? else {
                // What is left waits for something that the outbox tells of.
                break None;
            };
            in_flight.push(hand_on(node, &mut way, batch).await?);
            pace.sent(unsent.commands);
        };
        let room = in_flight.len() < BATCHES_IN_FLIGHT_MAX;
        let enough = pace.enough(node.outbox().under_way() == 0);
        let more = async {
            match waits {
                Some(_) if room => node.outbox().gathered(enough).await,
                _ => node.outbox().work().await,
            }
        };
        tokio::select! {
            Some(confirmed) = in_flight.next() => confirmed?,
            () = more => {}
            () = tokio::time::sleep(waits.unwrap_or_default()), if room && waits.is_some() => {}
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

/// When the next batch of a session goes.
struct Pace {
    /// The weight at which a batch is full, and waits no longer.
    full: usize,
    /// Since when something waits for it.
    since: Option<Instant>,
    /// How many commands the last batch has, until this node has applied all that is on its way.
    last: Option<usize>,
    /// How many commands the last batch had that was applied, and when that was seen.
    answered: Option<(usize, Instant)>,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { full: ENOUGH, since: None, last: None, answered: None }
    }
}

impl Pace {
    /// How long what is unsent has to wait yet, while no batch or some are on their way. `None` when there is nothing.
    fn waits(&mut self, now: Instant, unsent: Unsent, none_under_way: bool) -> Option<Duration> {
        if unsent.commands == 0 {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert(now);
        let until = match self.answered {
            _ if unsent.weight >= self.full => now,
            _ if !none_under_way => since + PATIENCE,
            // As many as were answered come back about now.
            Some((expected, answered)) if unsent.commands < expected => answered + BACK_WITHIN,
            _ => now,
        };
        Some(until.saturating_duration_since(now))
    }

    /// What is not waited for any longer than it takes to be there.
    fn enough(&self, none_under_way: bool) -> Unsent {
        let expected = self.answered.filter(|_| none_under_way).map(|(commands, _)| commands);
        Unsent { commands: expected.unwrap_or(usize::MAX), weight: self.full }
    }

    fn sent(&mut self, commands: usize) {
        self.since = None;
        self.last = Some(commands);
    }

    /// This node has applied all that was on its way, which it may know before the leader confirms it.
    fn applied(&mut self, now: Instant) {
        if let Some(commands) = self.last.take() {
            self.answered = Some((commands, now));
        }
    }
}

/// Starts a batch on its way, in order; the future resolves when the leader has applied it.
async fn hand_on(node: &Arc<Node>, way: &mut Way, batch: EncodedBatch) -> io::Result<Confirmation> {
    match way {
        Way::Here => {
            let proposed = node.gathering.begin(node.id(), batch);
            let denied = |denied| io::Error::other(format!("{denied:?}"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_waits_for_company_that_is_to_be_expected() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let waits = |pace: &mut Pace, ms, commands, none_under_way| {
            let unsent = Unsent { commands, weight: commands };
            pace.waits(at(ms), unsent, none_under_way).map(|waits| waits.as_millis())
        };

        let answer = |pace: &mut Pace, ms, commands| {
            pace.sent(commands);
            pace.applied(at(ms));
        };

        let mut pace = Pace::default();
        assert_eq!(waits(&mut pace, 0, 0, true), None);
        assert_eq!(waits(&mut pace, 0, 1, true), Some(0), "nothing is on its way, and nobody expected");

        let mut pace = Pace::default();
        assert_eq!(waits(&mut pace, 0, 1, false), Some(5));
        assert_eq!(waits(&mut pace, 3, 2, false), Some(2), "from when the first came");
        assert_eq!(waits(&mut pace, 3, ENOUGH, false), Some(0));
        assert_eq!(waits(&mut pace, 9, 2, false), Some(0));
        pace.sent(1);
        assert_eq!(waits(&mut pace, 9, 1, false), Some(5), "and anew for the next");

        let mut pace = Pace::default();
        answer(&mut pace, 0, 3);
        assert_eq!(waits(&mut pace, 1, 1, true), Some(1), "two more were answered");
        assert_eq!(waits(&mut pace, 1, 3, true), Some(0));
        assert_eq!(waits(&mut pace, 2, 1, true), Some(0), "they are not coming");
        assert_eq!(waits(&mut pace, 5000, 1, true), Some(0));
        answer(&mut pace, 6000, 1);
        assert_eq!(waits(&mut pace, 6000, 1, true), Some(0), "one alone never waits");
        answer(&mut pace, 7000, ENOUGH);
        assert_eq!(waits(&mut pace, 7000, ENOUGH - 1, true), Some(2));
        assert_eq!(waits(&mut pace, 7000, ENOUGH, true), Some(0));
        let bulk = Unsent { commands: 1, weight: ENOUGH };
        assert_eq!(pace.waits(at(7000), bulk, true), Some(Duration::ZERO), "one that is as heavy");

        let mut pace = Pace { full: 2 * ENOUGH, ..Pace::default() };
        assert_eq!(waits(&mut pace, 0, ENOUGH, false), Some(5), "more than that is under way");
        assert_eq!(waits(&mut pace, 0, 2 * ENOUGH, false), Some(0));
    }
}
