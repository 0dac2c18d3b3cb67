//! What an outbox holds, and the moves between waiting, numbered and applied.

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use tokio::sync::oneshot;

use crate::blocklist::{Command, Operation};
use crate::cluster::{Submitted, Written};
use crate::error::Error;
use crate::outbox::{Unsent, unknown};
use crate::request::RequestState;
use crate::store::Kept;

/// Results that are remembered for those whose answer was lost.
const RESULTS_MAX: usize = 4096;

pub(super) type Answer = Result<Submitted, Error>;

#[derive(Default)]
pub(super) struct State {
    /// Numbered and not yet applied, oldest first; the sequence of the first is `applied + 1`.
    pub(super) numbered: VecDeque<Item>,
    /// Not yet handed to any leader.
    pub(super) waiting: VecDeque<Item>,
    /// The last sequence that this node has applied.
    pub(super) applied: u64,
    /// Numbered commands handed on in the present session, from the oldest.
    pub(super) sent: usize,
    /// What has to be unsent before whoever sends it is told; none when anything will do.
    pub(super) enough: Option<Unsent>,
    /// The last sequence on disk; none while nothing is.
    pub(super) kept: Option<u64>,
    pub(super) weight: usize,
    pub(super) last_progress: Option<Instant>,
    /// When this node last applied a command of its own.
    pub(super) last_applied: Option<Instant>,
    /// Until then nothing is accepted on this node's own word.
    pub(super) leaving: Option<Instant>,
    next_ticket: u64,
    /// The latest results nobody waited for any more.
    results: VecDeque<(u64, Written)>,
}

pub(super) struct Item {
    pub(super) ticket: u64,
    pub(super) weight: usize,
    pub(super) command: Command,
    pub(super) answer: Option<oneshot::Sender<Answer>>,
    /// It is to be brought to the disk.
    pub(super) keep: bool,
    /// It is to be answered once it is there.
    pub(super) accept: bool,
}

impl State {
    /// Goes on with what an earlier run has kept.
    pub(super) fn resume(kept: Vec<Kept>) -> State {
        let mut state = State::default();
        if let (Some(first), Some(last)) = (kept.first(), kept.last()) {
            state.applied = first.sequence.saturating_sub(1);
            state.kept = Some(last.sequence);
        }
        for Kept { command, .. } in kept {
            drop(state.push(command));
        }
        state.numbered = std::mem::take(&mut state.waiting);
        for item in &mut state.numbered {
            item.answer = None;
            item.keep = true;
        }
        state
    }

    pub(super) fn push(&mut self, command: Command) -> (u64, oneshot::Receiver<Answer>) {
        let (answer, wait) = oneshot::channel();
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let weight = command.operation.weight();
        self.weight += weight;
        self.waiting.push_back(Item {
            ticket,
            weight,
            command,
            answer: Some(answer),
            keep: false,
            accept: false,
        });
        (ticket, wait)
    }

    /// What was not sent in the present session; not counted any further once it weighs `enough`.
    pub(super) fn unsent(&self, enough: usize) -> Unsent {
        let mut unsent = Unsent::default();
        for item in self.numbered.iter().skip(self.sent).chain(&self.waiting) {
            unsent.commands += 1;
            unsent.weight += item.weight;
            if unsent.weight >= enough {
                break;
            }
        }
        unsent
    }

    /// How many numbered commands are on disk.
    pub(super) fn on_disk(&self) -> usize {
        let count = self.kept.map_or(0, |kept| kept.saturating_sub(self.applied) as usize);
        count.min(self.numbered.len())
    }

    /// How many commands this node has accepted on its own word, or is about to, and has not applied.
    pub(super) fn promised(&self) -> usize {
        let on_disk = self.on_disk();
        let behind = self.numbered.iter().skip(on_disk).chain(&self.waiting);
        on_disk + behind.filter(|item| item.accept).count()
    }

    /// Removes what is waiting under these tickets; how many that were.
    pub(super) fn take_back(&mut self, tickets: &[u64]) -> usize {
        let tickets: BTreeSet<u64> = tickets.iter().copied().collect();
        let (before, mut freed) = (self.waiting.len(), 0);
        self.waiting.retain(|item| {
            let taken = tickets.contains(&item.ticket);
            freed += if taken { item.weight } else { 0 };
            !taken
        });
        self.weight -= freed;
        before - self.waiting.len()
    }

    /// The number of the first of these tickets that has one.
    pub(super) fn sequence_of(&self, tickets: &[u64]) -> Option<u64> {
        let position = self.numbered.iter().position(|item| tickets.contains(&item.ticket))?;
        Some(self.applied + 1 + position as u64)
    }

    /// Removes the oldest numbered command, which is now applied, and answers it.
    pub(super) fn pop_applied(&mut self, written: Option<Written>) {
        self.applied += 1;
        self.sent = self.sent.saturating_sub(1);
        self.last_progress = Some(Instant::now());
        self.last_applied = self.last_progress;
        let Some(item) = self.numbered.pop_front() else { return };
        self.weight -= item.weight;
        let result = match written {
            Some(written) => Ok(Submitted::Written(written)),
            None => Err(unknown(None, "it was applied while this node caught up")),
        };
        let unheard = match item.answer {
            Some(answer) => answer.send(result).err(),
            None => Some(result),
        };
        if let Some(Ok(Submitted::Written(written))) = unheard {
            self.results.push_back((self.applied, written));
            if self.results.len() > RESULTS_MAX {
                self.results.pop_front();
            }
        }
    }

    /// What is known of a command of this outbox.
    pub(super) fn request(&self, sequence: u64) -> RequestState {
        if sequence > self.applied + self.numbered.len() as u64 || sequence == 0 {
            return RequestState::Unknown;
        }
        if sequence > self.applied {
            return RequestState::Pending;
        }
        let result = self.results.iter().find(|(known, _)| *known == sequence);
        RequestState::Applied {
            index: result.map(|(_, written)| written.index),
            outcome: result.map(|(_, written)| written.outcome.clone()),
        }
    }
}

/// Whether a command may be accepted without a majority: it only ever adds to what is known.
pub(super) fn is_report(command: &Command) -> bool {
    matches!(command.operation, Operation::Add(_) | Operation::Sight(_) | Operation::Import { .. })
}
