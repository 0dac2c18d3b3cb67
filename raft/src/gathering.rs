//! Batches on the leader's way into its log. Each round of it costs a flush and a message on every node, however much
//! it holds: while one is under way, what comes from all nodes waits for the next one together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use openraft::errors::ClientWriteError;
use openraft::impls::ProgressResponder;
use tokio::sync::{mpsc, oneshot};

use crate::network::{Callers, Calling, Denied};
use crate::node::Node;
use crate::types::EncodedBatch;

/// What waits goes when it has so many bytes, about what a hundred reports have, or after this time: over a long line
/// several rounds are under way.
const ENOUGH_BYTES: usize = 8 << 10;
const PATIENCE: Duration = Duration::from_millis(5);
/// A node that has put something here within this time will soon do so again: a round waits for those, but not for long.
const BUSY_WITHIN: Duration = Duration::from_millis(5);
const WAIT_FOR_OTHERS: Duration = Duration::from_millis(2);

type Done = Result<(), Denied>;

/// Where batches are put.
pub(crate) struct Gathering {
    proposals: mpsc::UnboundedSender<Proposal>,
    callers: Callers,
}

struct Proposal {
    from: u64,
    batch: EncodedBatch,
    done: oneshot::Sender<Done>,
}

/// A batch that is on its way.
pub(crate) struct Proposed {
    done: oneshot::Receiver<Done>,
    calling: Calling,
}

impl Gathering {
    pub(crate) fn new(callers: Callers) -> (Gathering, Queue) {
        let (proposals, queue) = mpsc::unbounded_channel();
        (Gathering { proposals, callers }, Queue(queue))
    }

    /// Puts a batch of a node behind those that were put here before; this node must lead.
    pub(crate) fn begin(&self, from: u64, batch: EncodedBatch) -> Proposed {
        let (sender, done) = oneshot::channel();
        // Nobody takes it when the node has stopped, and it is answered so.
        drop(self.proposals.send(Proposal { from, batch, done: sender }));
        Proposed { done, calling: self.callers.begin(from) }
    }
}

impl Proposed {
    /// Waits until the batch is applied on this node.
    pub(crate) async fn applied(self) -> Done {
        let done = self.done.await;
        drop(self.calling);
        done.unwrap_or_else(|_| Err(Denied::Stopped("the node has stopped".into())))
    }
}

/// What was put in.
pub(crate) struct Queue(mpsc::UnboundedReceiver<Proposal>);

/// What waits for the next round.
#[derive(Default)]
struct Waiting {
    proposals: Vec<Proposal>,
    bytes: usize,
    /// When the first of them came.
    since: Option<Instant>,
    /// When each node has put something here last.
    heard: BTreeMap<u64, Instant>,
}

impl Waiting {
    fn push(&mut self, now: Instant, proposal: Proposal) {
        self.since.get_or_insert(now);
        self.heard.insert(proposal.from, now);
        self.bytes += proposal.batch.0.len();
        self.proposals.push(proposal);
    }

    /// How long what waits has to wait yet, while no round or some are under way. `None` when there is nothing.
    fn waits(&self, now: Instant, none_under_way: bool) -> Option<Duration> {
        let since = self.since?;
        let here = |node: &u64| self.proposals.iter().any(|proposal| proposal.from == *node);
        let busy = |at: Instant| now.saturating_duration_since(at) < BUSY_WITHIN;
        let until = match none_under_way {
            _ if self.bytes >= ENOUGH_BYTES => now,
            false => since + PATIENCE,
            true if self.heard.iter().all(|(node, at)| !busy(*at) || here(node)) => now,
            true => since + WAIT_FOR_OTHERS,
        };
        Some(until.saturating_duration_since(now))
    }

    fn take(&mut self) -> Vec<Proposal> {
        self.bytes = 0;
        self.since = None;
        std::mem::take(&mut self.proposals)
    }
}

/// Runs until the node stops.
pub(crate) async fn run(node: Arc<Node>, Queue(mut queue): Queue) {
    let mut under_way = FuturesUnordered::new();
    let mut waiting = Waiting::default();
    loop {
        while let Ok(proposal) = queue.try_recv() {
            waiting.push(Instant::now(), proposal);
        }
        let waits = waiting.waits(Instant::now(), under_way.is_empty());
        if waits == Some(Duration::ZERO) {
            for Proposal { batch, done, .. } in waiting.take() {
                let applied = append(&node, batch).await;
                // Whoever has put it here may be gone; it was put into the log all the same.
                under_way.push(async move { drop(done.send(applied.await)) });
            }
            continue;
        }
        tokio::select! {
            Some(proposal) = queue.recv() => waiting.push(Instant::now(), proposal),
            Some(()) = under_way.next() => {}
            () = tokio::time::sleep(waits.unwrap_or_default()), if waits.is_some() => {}
            else => return,
        }
    }
}

/// Puts a batch into the log's queue; resolves when it is applied on this node.
async fn append(node: &Node, batch: EncodedBatch) -> impl Future<Output = Done> + use<> {
    let (responder, applied) = ProgressResponder::complete_only();
    let put = node.raft.client_write_ff(batch, Some(responder)).await;
    async move {
        put.map_err(|error| Denied::Stopped(error.to_string()))?;
        match applied.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(ClientWriteError::ForwardToLeader(to) | ClientWriteError::LogEntryDiscarded(to))) => {
                Err(Denied::NotLeader(to.leader_id))
            }
            Ok(Err(error)) => Err(Denied::Unavailable(error.to_string())),
            Err(_) => Err(Denied::NotLeader(None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_waits_for_the_nodes_that_are_busy() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let put = |waiting: &mut Waiting, ms, from, len| {
            let batch = EncodedBatch(vec![0; len].into());
            waiting.push(at(ms), Proposal { from, batch, done: oneshot::channel().0 });
        };
        let waits = |waiting: &Waiting, ms, none_under_way| {
            waiting.waits(at(ms), none_under_way).map(|waits| waits.as_millis())
        };

        let mut waiting = Waiting::default();
        assert_eq!(waits(&waiting, 0, true), None);
        put(&mut waiting, 0, 1, 60);
        assert_eq!(waits(&waiting, 0, true), Some(0), "no other node is busy");
        assert_eq!(waits(&waiting, 1, false), Some(4), "a round is under way");
        put(&mut waiting, 1, 2, 60);
        assert_eq!(waits(&waiting, 4, false), Some(1), "from when the first came");
        assert_eq!(waits(&waiting, 4, true), Some(0), "all are here");

        let order: Vec<u64> = waiting.take().iter().map(|proposal| proposal.from).collect();
        assert_eq!((order, waits(&waiting, 4, true)), (vec![1, 2], None));
        put(&mut waiting, 4, 2, 60);
        assert_eq!(waits(&waiting, 4, true), Some(2), "the other one was heard of lately");
        assert_eq!(waits(&waiting, 5, true), Some(0), "but not since");
        put(&mut waiting, 6, 1, 60);
        assert_eq!(waits(&waiting, 6, true), Some(0));

        waiting.take();
        put(&mut waiting, 7, 1, ENOUGH_BYTES);
        assert_eq!((waits(&waiting, 7, true), waits(&waiting, 7, false)), (Some(0), Some(0)));
    }
}
