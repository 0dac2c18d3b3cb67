//! The ordered outbox of this node: every write taken here passes through it, numbered, and leaves it when
//! this node has applied it. It survives leader changes, because what was not applied is sent again, and it
//! never counts twice, because the list skips what it has seen.
//!
//! A command gets its number when it is first handed to a leader. Until then its caller can take it back;
//! after that its outcome is unknown until it is applied.
//!
//! Reports that find no majority are kept: they get their numbers, go to disk with every numbered command before
//! them, and are accepted. From then on, until all that is on disk is applied, nothing is handed on that is not on
//! disk: a node that starts again goes on with the same numbers, and no number is ever used twice.

mod keeping;
mod opening;
mod state;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use crate::blocklist::{Batch, Command, List, Origin, Outcome};
use crate::cluster::{Submitted, Written};
use crate::codec::{self, Content};
use crate::error::Error;
use crate::request::{RequestId, RequestState};
use crate::store::{Kept, PendingFile};
use crate::types::EncodedBatch;
use state::{Answer, Item, State};

/// Commands that may wait; beyond it a write is refused.
const COMMANDS_MAX: usize = 65_536;
/// Reports and observables that may wait; beyond it a write is refused.
const WEIGHT_MAX: usize = 1 << 20;
/// Commands looked at for one batch; their weight ends it long before.
const BATCH_COMMANDS_MAX: usize = 1024;
/// Keys that one batch changes, about; one command alone may change as many. A batch is one entry of the log, which
/// costs about the same whatever it holds; but all that comes after it waits while it is applied.
const BATCH_WEIGHT_MAX: usize = 1024;

/// What may wait on disk for a majority.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of the file.
    pub(crate) bytes_max: u64,
    /// How old the oldest may get before further ones are refused.
    pub(crate) age_max: Duration,
    /// How long a report waits for a majority before it is kept here.
    pub(crate) accept_after: Duration,
}

pub(crate) struct Outbox {
    origin: Origin,
    limits: Limits,
    state: Mutex<State>,
    /// Something waits to be sent, or the session was reset.
    work: Notify,
    file: Arc<Mutex<PendingFile>>,
    /// Held by whoever brings commands to the disk; what comes meanwhile goes together next time.
    keeping: tokio::sync::Mutex<()>,
}

/// What there is to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unsent {
    pub(crate) commands: usize,
    pub(crate) weight: usize,
}

impl Unsent {
    /// Whether it is as much as this, in commands or in weight.
    fn reaches(self, enough: Unsent) -> bool {
        self.commands >= enough.commands || self.weight >= enough.weight
    }
}

impl Outbox {
    /// An outbox that goes on with what an earlier run has kept; with nothing kept, `origin` is a new one.
    pub(crate) fn new(origin: Origin, limits: Limits, file: PendingFile, kept: Vec<Kept>) -> Outbox {
        Outbox {
            origin,
            limits,
            state: Mutex::new(State::resume(kept)),
            work: Notify::new(),
            file: Arc::new(Mutex::new(file)),
            keeping: tokio::sync::Mutex::default(),
        }
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
                Ok(Ok(answer)) => match answer? {
                    Submitted::Written(one) => written.push(one),
                    // Only reports are ever accepted.
                    Submitted::Accepted(id) => return Err(unknown(Some(id), "the write is on its way")),
                },
                Ok(Err(_)) => return Err(Error::Stopped("the outbox is closed".into())),
                Err(_) => return Err(self.give_up(&tickets(&answers[at..]), at > 0, timeout)),
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
        let is_enough = state.enough.is_none_or(|enough| state.unsent(enough.weight).reaches(enough));
        drop(state);
        if is_enough {
            self.work.notify_one();
        }
        Ok(answers)
    }

    /// Takes back what was never handed on. What was may still be applied.
    fn give_up(&self, tickets: &[u64], partly: bool, waited: Duration) -> Error {
        let mut state = self.state.lock();
        let taken = state.take_back(tickets);
        if !partly && taken == tickets.len() {
            return Error::Unavailable {
                message: format!(
                    "no majority took the write within {} s; nothing was done",
                    waited.as_secs()
                ),
                retry_after: Duration::from_secs(1),
            };
        }
        let sequence = state.sequence_of(tickets);
        let id = sequence.map(|sequence| RequestId { origin: self.origin, sequence });
        unknown(id, &format!("no majority confirmed the write within {} s", waited.as_secs()))
    }

    /// Returns when there may be something to send.
    pub(crate) async fn work(&self) {
        self.work.notified().await;
    }

    /// Returns when there is as much to send as this, or something else has to be looked at. Less does not wake who
    /// waits here: each time that would cost more than the command.
    pub(crate) async fn gathered(&self, enough: Unsent) {
        {
            let mut state = self.state.lock();
            if state.unsent(enough.weight).reaches(enough) {
                return;
            }
            state.enough = Some(enough);
        }
        self.work().await;
    }

    /// Commands that were sent in this session and are not applied here yet.
    pub(crate) fn under_way(&self) -> usize {
        self.state.lock().sent
    }

    /// What was not sent in this session; not counted any further once it weighs `enough`. From here on anything that
    /// comes is work, until more is waited for.
    pub(crate) fn unsent(&self, enough: usize) -> Unsent {
        let mut state = self.state.lock();
        state.enough = None;
        state.unsent(enough)
    }

    /// The next batch of this session; `None` when all is sent that may be.
    pub(crate) fn next_batch(&self) -> io::Result<Option<EncodedBatch>> {
        let mut state = self.state.lock();
        let first = state.sent;
        let first_sequence = state.applied + 1 + first as u64;
        let mut weight = 0;
        let mut commands = Vec::new();
        while commands.len() < BATCH_COMMANDS_MAX && weight < BATCH_WEIGHT_MAX {
            if state.sent == state.numbered.len() {
                if state.kept.is_some() {
                    break;
                }
                // What does not fit gets no number yet: its caller can still take it back.
                if state.waiting.front().is_none_or(|item| !fits(weight, item)) {
                    break;
                }
                let Some(item) = state.waiting.pop_front() else { break };
                state.numbered.push_back(item);
            }
            if !fits(weight, &state.numbered[state.sent]) {
                break;
            }
            let sequence = state.applied + 1 + state.sent as u64;
            if state.kept.is_some_and(|kept| sequence > kept) {
                break;
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
            state.pop_applied(Some(Written { index, outcome }));
        }
        self.note_applied(&state);
    }

    /// When all that is on disk is applied, the file can be emptied; when all that was sent is, what waits can go.
    fn note_applied(&self, state: &State) {
        let waits = !state.numbered.is_empty() || !state.waiting.is_empty();
        if (state.sent == 0 && waits) || state.kept.is_some_and(|kept| state.applied >= kept) {
            self.work.notify_one();
        }
    }

    /// A snapshot was installed, or a list loaded, that may hold commands of this outbox: they count, but what came
    /// of each was not seen here.
    pub(crate) fn overtaken(&self, list: &List) {
        let Some(mark) = list.origin(self.origin.node) else { return };
        let mut state = self.state.lock();
        while mark.incarnation == self.origin.incarnation && state.applied < mark.sequence {
            state.pop_applied(None);
        }
        self.note_applied(&state);
    }

    /// What is known of a command of any node.
    pub(crate) fn request(&self, id: RequestId, list: &List) -> RequestState {
        if id.origin == self.origin {
            return self.state.lock().request(id.sequence);
        }
        match list.origin(id.origin.node) {
            Some(mark) if mark.incarnation != id.origin.incarnation => RequestState::Unknown,
            Some(mark) if id.sequence <= mark.sequence => {
                RequestState::Applied { index: None, outcome: None }
            }
            Some(_) => RequestState::Pending,
            None => RequestState::Unknown,
        }
    }
}

/// Whether a batch of this weight takes one more; one command alone always fits.
fn fits(weight: usize, item: &Item) -> bool {
    weight == 0 || weight + item.weight <= BATCH_WEIGHT_MAX
}

fn tickets(answers: &[(u64, oneshot::Receiver<Answer>)]) -> Vec<u64> {
    answers.iter().map(|(ticket, _)| *ticket).collect()
}

fn unknown(id: Option<RequestId>, message: &str) -> Error {
    Error::OutcomeUnknown { message: message.to_owned(), id }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
