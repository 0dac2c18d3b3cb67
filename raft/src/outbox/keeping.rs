//! Reports without a majority: accepted on this node's word, which is worth what is on its disk.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, timeout_at};

use super::state::{Item, State, is_report};
use super::{BATCH_COMMANDS_MAX, Outbox, tickets};
use crate::blocklist::{Command, Timestamp};
use crate::cluster::Submitted;
use crate::error::Error;
use crate::request::RequestId;
use crate::store::{Kept, encode_kept};

/// What waits on this node's disk.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Depth {
    /// Commands.
    pub(crate) commands: u64,
    /// Bytes of the file.
    pub(crate) bytes: u64,
    /// Age of the oldest.
    pub(crate) oldest: Option<Duration>,
}

/// Reports that are on disk and not applied yet.
pub(crate) struct Pending {
    /// The last command that this node has applied.
    pub(crate) applied: u64,
    /// The last command on disk.
    pub(crate) last: u64,
    /// The reports after the one that was asked for.
    pub(crate) reports: Vec<Command>,
}

impl Outbox {
    /// Puts reports in, together and in order. What no majority takes in time is brought to this node's disk and
    /// accepted.
    pub(crate) async fn submit_reports(
        &self,
        commands: Vec<Command>,
        timeout: Duration,
    ) -> Result<Vec<Submitted>, Error> {
        self.check_age()?;
        let mut answers = self.enqueue(commands)?;
        let begun = Instant::now();
        let patience = if self.is_cut_off() { Duration::ZERO } else { self.limits.accept_after.min(timeout) };
        let mut deadline = begun + patience;
        let mut asked_to_keep = false;
        let mut submitted = Vec::with_capacity(answers.len());
        while submitted.len() < answers.len() {
            let at = submitted.len();
            match timeout_at(deadline, &mut answers[at].1).await {
                Ok(Ok(answer)) => submitted.push(answer?),
                Ok(Err(_)) => return Err(Error::Stopped("the outbox is closed".into())),
                Err(_) if asked_to_keep => {
                    return Err(self.give_up(&tickets(&answers[at..]), at > 0, timeout));
                }
                // There is a majority, and much to do for it.
                Err(_)
                    if !patience.is_zero()
                        && self.moved_after(deadline - patience)
                        && deadline < begun + timeout =>
                {
                    deadline = (deadline + patience).min(begun + timeout);
                }
                // Whoever asks is better served by a node that stays.
                Err(_) if self.is_leaving() && deadline < begun + timeout => deadline = begun + timeout,
                Err(_) => {
                    let tickets = tickets(&answers[at..]);
                    if !self.accept_soon(&tickets) {
                        return Err(self.give_up(&tickets, at > 0, begun.elapsed()));
                    }
                    if let Err(error) = self.keep().await {
                        return Err(self.give_up_because(error, &tickets, at > 0, begun.elapsed()));
                    }
                    asked_to_keep = true;
                    deadline = Instant::now() + timeout;
                }
            }
        }
        Ok(submitted)
    }

    /// Whether something was applied since.
    fn moved_after(&self, moment: Instant) -> bool {
        self.state.lock().last_applied.is_some_and(|at| at > moment.into_std())
    }

    /// Nothing has come back for so long that waiting is in vain.
    fn is_cut_off(&self) -> bool {
        self.finds_no_majority(&self.state.lock())
    }

    fn finds_no_majority(&self, state: &State) -> bool {
        let silent = state.last_applied.is_none_or(|at| at.elapsed() > self.limits.accept_after);
        silent && state.kept.is_some_and(|kept| kept > state.applied)
    }

    /// Has these accepted once they are on disk; false when nothing is accepted now.
    pub(super) fn accept_soon(&self, tickets: &[u64]) -> bool {
        let mut state = self.state.lock();
        if is_ahead(state.leaving) {
            return false;
        }
        let state = &mut *state;
        for item in state.numbered.iter_mut().chain(&mut state.waiting) {
            if tickets.contains(&item.ticket) {
                (item.keep, item.accept) = (true, true);
            }
        }
        true
    }

    /// For so long nothing more is accepted on this node's own word, because it is about to leave the cluster; how
    /// much was accepted before, and is not applied yet.
    pub(crate) fn settle_up(&self, lasting: Duration) -> u64 {
        let mut state = self.state.lock();
        state.leaving = std::time::Instant::now().checked_add(lasting);
        state.promised() as u64
    }

    fn is_leaving(&self) -> bool {
        is_ahead(self.state.lock().leaving)
    }

    /// The error of the disk when all of it could be taken back; else nobody knows.
    fn give_up_because(&self, error: Error, tickets: &[u64], partly: bool, waited: Duration) -> Error {
        match self.give_up(tickets, partly, waited) {
            Error::Unavailable { .. } => error,
            other => other,
        }
    }

    /// Brings what is to be kept to the disk, with all numbered commands before it, and answers those that are to
    /// be accepted. Whoever comes second finds it done.
    pub(super) async fn keep(&self) -> Result<(), Error> {
        let _keeping = self.keeping.lock().await;
        let Some(group) = self.number()? else {
            self.accept();
            return Ok(());
        };
        let Group { records, last, wanted } = group;
        let file = self.file.clone();
        match blocking(move || file.lock().append(&records)).await {
            Ok(()) => {
                self.state.lock().kept = Some(last);
                self.accept();
                self.work.notify_one();
                Ok(())
            }
            Err(error) => {
                self.unnumber(wanted);
                Err(error)
            }
        }
    }

    /// Gives numbers to what waits and is to be kept; the records that are to be written now, if any.
    fn number(&self) -> Result<Option<Group>, Error> {
        let room = self.limits.bytes_max.saturating_sub(self.file.lock().len());
        let mut state = self.state.lock();
        let from = state.kept.unwrap_or(0).max(state.applied);
        let numbered = state.numbered.iter().skip((from - state.applied) as usize);
        let wanted = state.waiting.iter().filter(|item| item.keep);
        let nothing = state.kept.is_none() && !state.numbered.iter().any(|item| item.keep);
        if nothing && wanted.clone().next().is_none() {
            return Ok(None);
        }
        let commands = numbered.chain(wanted).map(|item| &item.command);
        let records = (from + 1..).zip(commands).map(|(sequence, command)| {
            let incarnation = self.origin.incarnation;
            encode_kept(&Kept { incarnation, sequence, command: command.clone() })
        });
        let records: Vec<Vec<u8>> =
            records.collect::<io::Result<_>>().map_err(|error| Error::Stopped(error.to_string()))?;
        if records.is_empty() {
            return Ok(None);
        }
        if records.iter().map(|record| record.len() as u64).sum::<u64>() > room {
            let limit = self.limits.bytes_max >> 20;
            let message =
                format!("reports of {limit} MiB wait on this node for a majority, which is its limit");
            return Err(Error::Full(message));
        }
        let (wanted, waiting): (VecDeque<Item>, VecDeque<Item>) =
            std::mem::take(&mut state.waiting).into_iter().partition(|item| item.keep);
        state.waiting = waiting;
        let count = wanted.len();
        state.numbered.extend(wanted);
        // From here on nothing is handed on that is not on disk.
        state.kept = Some(from);
        Ok(Some(Group { last: from + records.len() as u64, records, wanted: count }))
    }

    /// Takes numbers back that nobody has seen: the disk did not take their commands.
    fn unnumber(&self, wanted: usize) {
        let mut state = self.state.lock();
        for _ in 0..wanted {
            let Some(mut item) = state.numbered.pop_back() else { break };
            (item.keep, item.accept) = (false, false);
            state.waiting.push_front(item);
        }
        if self.file.lock().len() == 0 {
            state.kept = None;
        }
    }

    /// Tells those whose reports are on disk now.
    fn accept(&self) {
        let mut state = self.state.lock();
        let (applied, count) = (state.applied, state.on_disk());
        for (sequence, item) in (applied + 1..).zip(state.numbered.iter_mut().take(count)) {
            if item.accept
                && let Some(answer) = item.answer.take()
            {
                let id = RequestId { origin: self.origin, sequence };
                // A caller that has stopped waiting loses nothing but the answer.
                drop(answer.send(Ok(Submitted::Accepted(id))));
            }
        }
    }

    /// While something is kept: brings what waits to the disk before it may be handed on, or, when all that was
    /// kept is applied, empties the file.
    pub(crate) async fn prepare(&self) -> Result<(), Error> {
        let (all_applied, more) = {
            let mut state = self.state.lock();
            let Some(kept) = state.kept else { return Ok(()) };
            // While nothing comes back, only reports are kept: everything else is better refused than done late.
            let cut_off = self.finds_no_majority(&state);
            for item in state.waiting.iter_mut().take(BATCH_COMMANDS_MAX) {
                item.keep |= !cut_off || is_report(&item.command);
            }
            (state.applied >= kept, state.waiting.iter().any(|item| item.keep))
        };
        if !all_applied {
            return if more { self.keep().await } else { Ok(()) };
        }
        let _keeping = self.keeping.lock().await;
        if self.state.lock().on_disk() > 0 {
            return Ok(());
        }
        let file = self.file.clone();
        blocking(move || file.lock().clear()).await?;
        self.state.lock().kept = None;
        Ok(())
    }

    fn check_age(&self) -> Result<(), Error> {
        match self.depth().oldest {
            Some(oldest) if oldest > self.limits.age_max => Err(Error::Unavailable {
                message: format!(
                    "reports have waited on this node for a majority for {} s",
                    oldest.as_secs()
                ),
                retry_after: Duration::from_secs(60),
            }),
            _ => Ok(()),
        }
    }

    /// What waits on disk.
    pub(crate) fn depth(&self) -> Depth {
        let (commands, oldest) = {
            let state = self.state.lock();
            if state.kept.is_none() {
                return Depth::default();
            }
            let commands = state.on_disk();
            (commands, state.numbered.front().filter(|_| commands > 0).map(|item| age(item.command.time)))
        };
        Depth { commands: commands as u64, bytes: self.file.lock().len(), oldest }
    }

    /// Whether anything on disk is not applied yet.
    pub(crate) fn holds_pending(&self) -> bool {
        self.state.lock().on_disk() > 0
    }

    /// The reports that are on disk and not applied yet, those after a number only; `None` when there are none.
    pub(crate) fn pending_after(&self, sequence: u64) -> Option<Pending> {
        let state = self.state.lock();
        let (applied, count) = (state.applied, state.on_disk());
        if count == 0 {
            return None;
        }
        let skip = (sequence.saturating_sub(applied) as usize).min(count);
        let items = state.numbered.range(skip..count).filter(|item| is_report(&item.command));
        let reports = items.map(|item| item.command.clone()).collect();
        Some(Pending { applied, last: applied + count as u64, reports })
    }
}

/// Commands on their way to the disk.
struct Group {
    records: Vec<Vec<u8>>,
    /// The number of the last one.
    last: u64,
    /// How many of them got their numbers just now.
    wanted: usize,
}

fn is_ahead(moment: Option<std::time::Instant>) -> bool {
    moment.is_some_and(|moment| moment > std::time::Instant::now())
}

/// How long ago a command was stamped; a clock that jumped back makes it no younger than now.
fn age(time: Timestamp) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from_millis(u64::try_from(time.0).unwrap_or(0)))
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> Result<(), Error> {
    let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::other).flatten();
    done.map_err(|error| Error::Unavailable {
        message: format!("this node cannot keep reports on its disk: {error}; nothing was done"),
        retry_after: Duration::from_secs(5),
    })
}
