//! The ordered outbox of this node: every write taken here passes through it, numbered, and leaves it when
//! this node has applied it. It survives leader changes, because what was not applied is sent again, and it
//! never counts twice, because the list skips what it has seen.
//!
//! A command gets its number when it is first handed to a leader. Until then its caller can take it back;
//! after that its outcome is unknown until it is applied.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use crate::blocklist::{Batch, Command, List, Origin, Outcome};
use crate::cluster::Written;
use crate::codec::{self, Content};
use crate::error::Error;
use crate::types::EncodedBatch;

/// Commands that may wait; beyond it a write is refused.
const COMMANDS_MAX: usize = 65_536;
/// Reports and observables that may wait; beyond it a write is refused.
const WEIGHT_MAX: usize = 1 << 20;
/// Commands in one batch.
const BATCH_COMMANDS_MAX: usize = 1024;
/// Reports and observables in one batch, after which it takes no further command.
const BATCH_WEIGHT_MAX: usize = 1024;

type Answer = Result<Written, Error>;

pub(crate) struct Outbox {
    origin: Origin,
    state: Mutex<State>,
    /// Something waits to be sent, or the session was reset.
    work: Notify,
}

#[derive(Default)]
struct State {
    /// Numbered and not yet applied, oldest first; the sequence of the first is `applied + 1`.
    numbered: VecDeque<Item>,
    /// Not yet handed to any leader.
    waiting: VecDeque<Item>,
    /// The last sequence that this node has applied.
    applied: u64,
    /// Numbered commands handed on in the present session, from the oldest.
    sent: usize,
    weight: usize,
    next_ticket: u64,
    last_progress: Option<Instant>,
}

struct Item {
    ticket: u64,
    weight: usize,
    command: Command,
    answer: Option<oneshot::Sender<Answer>>,
}

impl Outbox {
    pub(crate) fn new(origin: Origin) -> Outbox {
        Outbox { origin, state: Mutex::default(), work: Notify::new() }
    }

    pub(crate) fn is_of(&self, origin: Origin) -> bool {
        self.origin == origin
    }

    /// Commands that wait, sent or not.
    pub(crate) fn len(&self) -> usize {
        let state = self.state.lock();
        state.numbered.len() + state.waiting.len()
    }

    /// Puts commands in, together and in order, and waits for this node to apply them.
    pub(crate) async fn submit(
        &self,
        commands: Vec<Command>,
        timeout: Duration,
    ) -> Result<Vec<Written>, Error> {
        let mut answers = self.enqueue(commands)?;
        let deadline = tokio::time::Instant::now() + timeout;
        let mut written = Vec::with_capacity(answers.len());
        for at in 0..answers.len() {
            match tokio::time::timeout_at(deadline, &mut answers[at].1).await {
                Ok(Ok(answer)) => written.push(answer?),
                Ok(Err(_)) => return Err(Error::Stopped("the outbox is closed".into())),
                Err(_) => return Err(self.give_up(&answers[at..], at > 0, timeout)),
            }
        }
        Ok(written)
    }

    fn enqueue(&self, commands: Vec<Command>) -> Result<Vec<(u64, oneshot::Receiver<Answer>)>, Error> {
        let mut state = self.state.lock();
        let weight: usize = commands.iter().map(|command| command.operation.weight()).sum();
        let count = state.numbered.len() + state.waiting.len() + commands.len();
        if count > COMMANDS_MAX || (state.weight > 0 && state.weight + weight > WEIGHT_MAX) {
            return Err(Error::Overloaded("too many writes are waiting on this node; try again".into()));
        }
        let answers = commands.into_iter().map(|command| state.push(command)).collect();
        drop(state);
        self.work.notify_one();
        Ok(answers)
    }

    /// Takes back what was never handed on. What was may still be applied.
    fn give_up(&self, answers: &[(u64, oneshot::Receiver<Answer>)], partly: bool, waited: Duration) -> Error {
        let tickets: BTreeSet<u64> = answers.iter().map(|(ticket, _)| *ticket).collect();
        let mut state = self.state.lock();
        let before = state.waiting.len();
        let mut freed = 0;
        state.waiting.retain(|item| {
            let given_up = tickets.contains(&item.ticket);
            freed += if given_up { item.weight } else { 0 };
            !given_up
        });
        state.weight -= freed;
        if !partly && before - state.waiting.len() == answers.len() {
            return Error::Unavailable {
                message: format!(
                    "no majority took the write within {} s; nothing was done",
                    waited.as_secs()
                ),
                retry_after: Duration::from_secs(1),
            };
        }
        Error::OutcomeUnknown(format!("no majority confirmed the write within {} s", waited.as_secs()))
    }

    /// Returns when there may be something to send.
    pub(crate) async fn work(&self) {
        self.work.notified().await;
    }

    /// The next batch of this session; `None` when all is sent.
    pub(crate) fn next_batch(&self) -> io::Result<Option<EncodedBatch>> {
        let mut state = self.state.lock();
        let first = state.sent;
        let first_sequence = state.applied + 1 + first as u64;
        let mut weight = 0;
        let mut commands = Vec::new();
        while commands.len() < BATCH_COMMANDS_MAX && weight < BATCH_WEIGHT_MAX {
            if state.sent == state.numbered.len() {
                let Some(item) = state.waiting.pop_front() else { break };
                state.numbered.push_back(item);
            }
            let item = &state.numbered[state.sent];
            weight += item.weight;
            commands.push(item.command.clone());
            state.sent += 1;
        }
        if commands.is_empty() {
            return Ok(None);
        }
        if first == 0 {
            state.last_progress = Some(Instant::now());
        }
        drop(state);
        let batch = Batch { origin: self.origin, first_sequence, commands };
        Ok(Some(EncodedBatch(codec::encode(Content::Batch, &batch)?.into())))
    }

    /// Begins a new session: all that is not applied will be sent again.
    pub(crate) fn reset_session(&self) {
        let mut state = self.state.lock();
        state.sent = 0;
        state.last_progress = Some(Instant::now());
        drop(state);
        self.work.notify_one();
    }

    /// How long something sent has seen no progress; zero when nothing is under way.
    pub(crate) fn stalled(&self) -> Duration {
        let state = self.state.lock();
        match state.last_progress {
            Some(since) if state.sent > 0 => since.elapsed(),
            _ => Duration::ZERO,
        }
    }

    /// This node has applied a batch of this outbox: answers those who wait.
    pub(crate) fn applied(&self, index: u64, first_sequence: u64, outcomes: Vec<Option<Outcome>>) {
        let mut state = self.state.lock();
        for (sequence, outcome) in (first_sequence..).zip(outcomes) {
            let (Some(outcome), true) = (outcome, sequence == state.applied + 1) else { continue };
            if let Some(answer) = state.pop_applied() {
                // A caller that has stopped waiting loses nothing but the answer.
                drop(answer.send(Ok(Written { index, outcome })));
            }
        }
    }

    /// A snapshot was installed that may hold commands of this outbox: they count, but what came of each was
    /// not seen here.
    pub(crate) fn overtaken(&self, list: &List) {
        let Some(mark) = list.origin(self.origin.node) else { return };
        let mut state = self.state.lock();
        while mark.incarnation == self.origin.incarnation && state.applied < mark.sequence {
            let overtaken = Error::OutcomeUnknown("it was applied while this node caught up".into());
            if let Some(answer) = state.pop_applied() {
                drop(answer.send(Err(overtaken)));
            }
        }
    }
}

impl State {
    fn push(&mut self, command: Command) -> (u64, oneshot::Receiver<Answer>) {
        let (answer, wait) = oneshot::channel();
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let weight = command.operation.weight();
        self.weight += weight;
        self.waiting.push_back(Item { ticket, weight, command, answer: Some(answer) });
        (ticket, wait)
    }

    /// Removes the oldest numbered command, which is now applied.
    fn pop_applied(&mut self) -> Option<oneshot::Sender<Answer>> {
        self.applied += 1;
        self.sent = self.sent.saturating_sub(1);
        self.last_progress = Some(Instant::now());
        let item = self.numbered.pop_front()?;
        self.weight -= item.weight;
        item.answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocklist::{Actor, Operation, Role, Timestamp};

    fn outbox() -> Outbox {
        Outbox::new(Origin { node: 1, incarnation: 3 })
    }

    fn command(name: &str) -> Command {
        let actor = Actor { account: "".into(), role: Role::Admin, address: "".into() };
        Command { time: Timestamp(0), actor, operation: Operation::DeleteAccount(name.into()) }
    }

    fn names(batch: Option<EncodedBatch>) -> (u64, Vec<String>) {
        let batch: Batch = codec::decode(Content::Batch, &batch.expect("a batch").0).unwrap();
        let names = batch.commands.into_iter().map(|command| match command.operation {
            Operation::DeleteAccount(name) => name.to_string(),
            other => panic!("{other:?}"),
        });
        (batch.first_sequence, names.collect())
    }

    #[test]
    fn what_was_not_applied_is_sent_again_under_the_same_numbers() {
        let outbox = outbox();
        let mut answers = outbox.enqueue(vec![command("a"), command("b")]).unwrap();
        assert_eq!(names(outbox.next_batch().unwrap()), (1, vec!["a".into(), "b".into()]));
        assert!(outbox.next_batch().unwrap().is_none());
        outbox.applied(9, 1, vec![Some(Outcome::Done)]);
        assert_eq!(answers[0].1.try_recv().unwrap().unwrap().index, 9);
        outbox.enqueue(vec![command("c")]).unwrap();
        outbox.reset_session();
        assert_eq!(names(outbox.next_batch().unwrap()), (2, vec!["b".into(), "c".into()]));
        assert!(answers[1].1.try_recv().is_err());
    }

    #[test]
    fn a_batch_that_is_applied_twice_answers_once() {
        let outbox = outbox();
        outbox.enqueue(vec![command("a"), command("b")]).unwrap();
        outbox.next_batch().unwrap();
        outbox.applied(9, 1, vec![Some(Outcome::Done)]);
        outbox.applied(10, 1, vec![None, Some(Outcome::Done)]);
        assert_eq!(outbox.len(), 0);
    }

    #[tokio::test]
    async fn a_command_that_no_leader_took_is_taken_back() {
        let outbox = outbox();
        let error = outbox.submit(vec![command("a")], Duration::from_millis(1)).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
        assert_eq!(outbox.len(), 0);
    }

    #[tokio::test]
    async fn a_command_that_was_handed_on_has_an_unknown_outcome() {
        let outbox = outbox();
        let submit = outbox.submit(vec![command("a")], Duration::from_millis(50));
        let hand_on = async {
            outbox.work().await;
            outbox.next_batch().unwrap();
        };
        let (answer, ()) = tokio::join!(submit, hand_on);
        assert!(matches!(answer.unwrap_err(), Error::OutcomeUnknown(_)));
        assert_eq!(outbox.len(), 1, "it stays until it is applied");
    }

    #[test]
    fn too_many_waiting_commands_are_refused() {
        let outbox = outbox();
        let many = (0..COMMANDS_MAX).map(|_| command("a")).collect();
        outbox.enqueue(many).unwrap();
        assert!(matches!(outbox.enqueue(vec![command("b")]), Err(Error::Overloaded(_))));
    }
}
