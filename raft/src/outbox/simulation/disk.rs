//! A node's log on a disk in memory: what was written is read at once, and is on the disk when it is flushed, some
//! time later. A kill keeps a beginning of what was on its way.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;
use std::sync::Arc;

use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use openraft::type_config::AsyncRuntime;
use openraft_rt_sim::SimRuntime;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::Chance;
use super::node::SimConfig;
use crate::types::{Entry, LogId, Vote};

/// What is on the disk.
#[derive(Clone, Default)]
pub(super) struct Disk {
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    entries: BTreeMap<u64, Entry>,
}

enum Write {
    Vote(Vote),
    Committed(LogId),
    Entry(Entry),
    Truncate(u64),
    Purge(LogId),
}

/// Who waits for a flush.
enum Waiter {
    Raft(IOFlushed<SimConfig>),
    Caller(oneshot::Sender<()>),
}

/// The log of one run of a node.
#[derive(Clone)]
pub(super) struct Log(Arc<Mutex<State>>);

struct State {
    seen: Disk,
    disk: Arc<Mutex<Disk>>,
    on_the_way: VecDeque<Write>,
    waiters: Vec<Waiter>,
    flushing: bool,
    alive: bool,
    /// It says that it is flushed when it is not.
    lies: bool,
    chance: Chance,
}

impl Disk {
    /// The end of the log on it.
    pub(super) fn last(&self) -> Option<LogId> {
        self.entries.values().next_back().map(|entry| entry.log_id).or(self.purged)
    }

    fn write(&mut self, write: &Write) {
        match write {
            Write::Vote(vote) => self.vote = Some(*vote),
            Write::Committed(id) => self.committed = Some(*id),
            Write::Entry(entry) => drop(self.entries.insert(entry.log_id.index, entry.clone())),
            Write::Truncate(from) => drop(self.entries.split_off(from)),
            Write::Purge(id) => {
                self.purged = Some(*id);
                self.entries = self.entries.split_off(&(id.index + 1));
            }
        }
    }
}

impl Log {
    /// Goes on with what is on a disk.
    pub(super) fn open(disk: &Arc<Mutex<Disk>>, chance: Chance, lies: bool) -> Log {
        let seen = disk.lock().clone();
        let (on_the_way, waiters) = (VecDeque::new(), Vec::new());
        let disk = disk.clone();
        Log(Arc::new(Mutex::new(State {
            seen,
            disk,
            on_the_way,
            waiters,
            flushing: false,
            alive: true,
            lies,
            chance,
        })))
    }

    /// The node is gone; of what was on its way a beginning has arrived.
    pub(super) fn kill(&self) {
        let mut state = self.0.lock();
        state.alive = false;
        let arrived = state.chance.below(state.on_the_way.len() as u64 + 1) as usize;
        state.write_out(arrived);
        state.on_the_way.clear();
        state.waiters.clear();
    }

    fn put(&self, writes: Vec<Write>, waiter: Option<Waiter>) -> io::Result<()> {
        let mut state = self.0.lock();
        if !state.alive {
            return Err(killed());
        }
        for write in &writes {
            state.seen.write(write);
        }
        state.on_the_way.extend(writes);
        match waiter {
            Some(waiter) if state.lies => waiter.hear(),
            waiter => state.waiters.extend(waiter),
        }
        if !state.flushing {
            state.flushing = true;
            SimRuntime::spawn(self.clone().flush());
        }
        Ok(())
    }

    async fn put_flushed(&self, writes: Vec<Write>) -> io::Result<()> {
        let (sender, flushed) = oneshot::channel();
        self.put(writes, Some(Waiter::Caller(sender)))?;
        flushed.await.map_err(|_| killed())
    }

    /// Flushes until there is nothing to flush; mostly quick, at times slow.
    async fn flush(self) {
        loop {
            let pause = {
                let state = self.0.lock();
                match state.chance.percent(5) {
                    // Whoever is not waited for takes his time.
                    _ if state.lies => state.chance.between_ms(500, 3000),
                    true => state.chance.between_ms(50, 400),
                    false => state.chance.between_ms(1, 8),
                }
            };
            SimRuntime::sleep(pause).await;
            let waiters = {
                let mut state = self.0.lock();
                if !state.alive || state.on_the_way.is_empty() {
                    state.flushing = false;
                    return;
                }
                let all = state.on_the_way.len();
                state.write_out(all);
                std::mem::take(&mut state.waiters)
            };
            waiters.into_iter().for_each(Waiter::hear);
        }
    }
}

impl State {
    fn write_out(&mut self, count: usize) {
        let mut disk = self.disk.lock();
        for write in self.on_the_way.drain(..count) {
            disk.write(&write);
        }
    }
}

impl Waiter {
    fn hear(self) {
        match self {
            Waiter::Raft(callback) => callback.io_completed(Ok(())),
            // The core may have ended meanwhile.
            Waiter::Caller(sender) => drop(sender.send(())),
        }
    }
}

/// What a store says that belongs to a killed node.
pub(super) fn killed() -> io::Error {
    io::Error::other("the node was killed")
}

impl RaftLogReader<SimConfig> for Log {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> io::Result<Vec<Entry>>
    where
        RB: RangeBounds<u64> + Clone + Debug + Send,
    {
        Ok(self.0.lock().seen.entries.range(range).map(|(_, entry)| entry.clone()).collect())
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.0.lock().seen.vote)
    }
}

impl RaftLogStorage<SimConfig> for Log {
    type LogReader = Log;

    async fn get_log_state(&mut self) -> io::Result<LogState<SimConfig>> {
        let state = self.0.lock();
        Ok(LogState { last_purged_log_id: state.seen.purged, last_log_id: state.seen.last() })
    }

    async fn get_log_reader(&mut self) -> Log {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        self.put_flushed(vec![Write::Vote(*vote)]).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        self.put(committed.map(Write::Committed).into_iter().collect(), None)
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.0.lock().seen.committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<SimConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + Send,
        I::IntoIter: Send,
    {
        self.put(entries.into_iter().map(Write::Entry).collect(), Some(Waiter::Raft(callback)))
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        self.put_flushed(vec![Write::Truncate(last.map_or(0, |id| id.index + 1))]).await
    }

    async fn purge(&mut self, id: LogId) -> io::Result<()> {
        self.put_flushed(vec![Write::Purge(id)]).await
    }
}
