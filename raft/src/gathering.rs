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
/// A node whose callers ask again when they are answered comes back within this, of which it waits two milliseconds for them
/// itself. A round waits for the nodes that did so the last time, and for no other: reports that come by themselves, a
/// few hundred a second, would each wait for company that does not come.
const BACK_WITHIN: Duration = Duration::from_millis(3);

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
    nodes: BTreeMap<u64, Rhythm>,
}

/// How the batches of one node come.
#[derive(Default)]
struct Rhythm {
    /// How many are on their way.
    under_way: usize,
    /// When the last one was applied.
    answered: Option<Instant>,
    /// It came back in time, or before it was answered.
    comes_back: bool,
}

impl Rhythm {
    fn came(&mut self, now: Instant) {
        self.comes_back = self.under_way > 0 || self.back_until().is_some_and(|until| now < until);
    }

    /// Until when it is back, if it comes back this time.
    fn back_until(&self) -> Option<Instant> {
        self.answered.map(|answered| answered + BACK_WITHIN)
    }
}

impl Waiting {
    fn push(&mut self, now: Instant, proposal: Proposal) {
        self.since.get_or_insert(now);
        self.nodes.entry(proposal.from).or_default().came(now);
        self.bytes += proposal.batch.0.len();
        self.proposals.push(proposal);
    }

    /// How long what waits has to wait yet, while no round or some are under way. `None` when there is nothing.
    fn waits(&self, now: Instant, none_under_way: bool) -> Option<Duration> {
        let since = self.since?;
        let here = |node: &u64| self.proposals.iter().any(|proposal| proposal.from == *node);
        let until = match none_under_way {
            _ if self.bytes >= ENOUGH_BYTES => now,
            false => since + PATIENCE,
            true => {
                let expected = self.nodes.iter().filter(|(node, rhythm)| rhythm.comes_back && !here(node));
                expected.filter_map(|(_, rhythm)| rhythm.back_until()).max().unwrap_or(now)
            }
        };
        Some(until.saturating_duration_since(now))
    }

    fn take(&mut self) -> Vec<Proposal> {
        self.bytes = 0;
        self.since = None;
        for proposal in &self.proposals {
            self.nodes.entry(proposal.from).or_default().under_way += 1;
        }
        std::mem::take(&mut self.proposals)
    }

    /// A batch of this node has been applied, or never will be.
    fn answered(&mut self, now: Instant, node: u64) {
        let rhythm = self.nodes.entry(node).or_default();
        rhythm.under_way -= 1;
        rhythm.answered = Some(now);
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
            for Proposal { from, batch, done } in waiting.take() {
                let applied = append(&node, batch).await;
                under_way.push(async move {
                    // Whoever has put it here may be gone; it was put into the log all the same.
                    drop(done.send(applied.await));
                    from
                });
            }
            continue;
        }
        tokio::select! {
            Some(proposal) = queue.recv() => waiting.push(Instant::now(), proposal),
            Some(from) = under_way.next() => waiting.answered(Instant::now(), from),
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

    /// What waits, at moments that are counted in milliseconds.
    struct Clocked {
        start: Instant,
        waiting: Waiting,
    }

    impl Clocked {
        fn new() -> Clocked {
            Clocked { start: Instant::now(), waiting: Waiting::default() }
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn put(&mut self, ms: u64, from: u64, len: usize) {
            let (now, batch) = (self.at(ms), EncodedBatch(vec![0; len].into()));
            self.waiting.push(now, Proposal { from, batch, done: oneshot::channel().0 });
        }

        fn waits(&self, ms: u64, none_under_way: bool) -> Option<u128> {
            self.waiting.waits(self.at(ms), none_under_way).map(|waits| waits.as_millis())
        }

        fn take(&mut self) -> Vec<u64> {
            self.waiting.take().iter().map(|proposal| proposal.from).collect()
        }

        fn answered(&mut self, ms: u64, node: u64) {
            self.waiting.answered(self.at(ms), node);
        }
    }

    #[test]
    fn a_round_gathers_what_comes_while_another_is_under_way() {
        let mut rounds = Clocked::new();
        assert_eq!(rounds.waits(0, true), None);
        rounds.put(0, 1, 60);
        assert_eq!(rounds.waits(0, true), Some(0), "nothing was heard of any other node");
        assert_eq!(rounds.waits(1, false), Some(4), "a round is under way");
        rounds.put(1, 2, 60);
        assert_eq!(rounds.waits(4, false), Some(1), "from when the first came");
        assert_eq!(rounds.waits(4, true), Some(0));
        assert_eq!((rounds.take(), rounds.waits(4, true)), (vec![1, 2], None));
        rounds.put(7, 1, ENOUGH_BYTES);
        assert_eq!((rounds.waits(7, true), rounds.waits(7, false)), (Some(0), Some(0)));
    }

    #[test]
    fn a_round_waits_for_the_nodes_that_come_back() {
        let mut rounds = Clocked::new();
        for node in [1, 2] {
            rounds.put(0, node, 60);
        }
        rounds.take();
        for node in [1, 2] {
            rounds.answered(1, node);
        }
        rounds.put(2, 1, 60);
        assert_eq!(rounds.waits(2, true), Some(0), "the other one has not come back yet");
        rounds.put(3, 2, 60);
        rounds.take();
        for node in [1, 2] {
            rounds.answered(5, node);
        }
        rounds.put(6, 1, 60);
        assert_eq!(rounds.waits(6, true), Some(2), "it did the last time, until 8");
        assert_eq!(rounds.waits(8, true), Some(0), "this time it does not");
        rounds.put(7, 2, 60);
        assert_eq!(rounds.waits(7, true), Some(0), "all are here");
        rounds.take();
        for node in [1, 2] {
            rounds.answered(8, node);
        }
        rounds.put(12, 1, 60);
        assert_eq!(rounds.waits(12, true), Some(0), "it would be back by now");
    }

    #[test]
    fn reports_that_come_by_themselves_wait_for_nobody() {
        let mut rounds = Clocked::new();
        for (ms, node) in (0..60).step_by(4).zip([1, 2, 3].into_iter().cycle()) {
            rounds.put(ms, node, 60);
            assert_eq!(rounds.waits(ms, true), Some(0), "at {ms} ms");
            rounds.take();
            rounds.answered(ms + 1, node);
        }
        // One that sends the next before it is answered is expected as well.
        rounds.put(60, 1, 60);
        rounds.take();
        rounds.put(61, 1, 60);
        rounds.take();
        rounds.answered(62, 1);
        rounds.put(62, 2, 60);
        assert_eq!(rounds.waits(62, true), Some(3));
    }
}
