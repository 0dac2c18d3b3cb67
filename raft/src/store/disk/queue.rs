//! What the writer is told, in this order. Changes do not wake it while it gathers them; all else does.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::DiskMark;
use super::changes::StoredChanges;
use crate::blocklist::List;

/// The changes of some consecutive log entries, and the mark after them.
pub(super) struct ChangeSet {
    pub(super) mark: DiskMark,
    pub(super) changes: StoredChanges,
    /// Given back once it is written.
    #[expect(dead_code, reason = "it is dropped")]
    pub(super) room: OwnedSemaphorePermit,
}

/// What the writer is told.
pub(super) enum Work {
    /// The list has changed.
    Apply(ChangeSet),
    /// Lay a new ground: this is the list after all changes handed on before.
    Lay(Box<List>),
    /// The list is another one now.
    Replace { mark: DiskMark, list: Box<List> },
    /// Bring everything handed on before to the disk itself.
    Flush(oneshot::Sender<io::Result<()>>),
    /// The same, and let go of the directory.
    Close(oneshot::Sender<io::Result<()>>),
}

/// Whether something has come that is not to wait.
type Urgent = Arc<(Mutex<bool>, Condvar)>;

/// Where work goes in; the queue ends with the last one of these.
#[derive(Clone)]
pub(super) struct Entrance {
    work: mpsc::Sender<Work>,
    urgent: Urgent,
}

/// Work that has come, and what was taken from it and put back.
pub(super) struct Queue {
    coming: mpsc::Receiver<Work>,
    back: VecDeque<Work>,
    urgent: Urgent,
}

/// A queue with nothing in it.
pub(super) fn queue() -> (Entrance, Queue) {
    let (work, coming) = mpsc::channel();
    let urgent = Urgent::default();
    (Entrance { work, urgent: urgent.clone() }, Queue { coming, back: VecDeque::new(), urgent })
}

impl Entrance {
    /// Hands work on.
    pub(super) fn send(&self, work: Work) -> io::Result<()> {
        let is_urgent = !matches!(work, Work::Apply(_));
        self.work.send(work).map_err(|_| io::Error::other("the list's writer has stopped"))?;
        if is_urgent {
            let (urgent, changed) = &*self.urgent;
            *urgent.lock() = true;
            changed.notify_one();
        }
        Ok(())
    }
}

impl Queue {
    /// The next work; none when nobody can send any more.
    pub(super) fn wait(&mut self) -> Option<Work> {
        self.back.pop_front().or_else(|| self.coming.recv().ok())
    }

    /// The next work, if it is there.
    pub(super) fn next_now(&mut self) -> Option<Work> {
        self.back.pop_front().or_else(|| self.coming.try_recv().ok())
    }

    /// Lets changes come in, until the time is over or something comes that is not to wait.
    pub(super) fn gather(&self, time: Duration) {
        let (urgent, changed) = &*self.urgent;
        let mut urgent = urgent.lock();
        changed.wait_while_for(&mut urgent, |urgent| !*urgent, time);
        *urgent = false;
    }

    pub(super) fn put_back(&mut self, work: Work) {
        self.back.push_front(work);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn what_is_urgent_ends_the_gathering() {
        let (entrance, mut queue) = queue();
        let began = Instant::now();
        let sender = std::thread::spawn(move || {
            let (done, _) = oneshot::channel();
            entrance.send(Work::Flush(done)).unwrap();
        });
        queue.gather(Duration::from_secs(60));
        assert!(began.elapsed() < Duration::from_secs(30));
        assert!(matches!(queue.next_now(), Some(Work::Flush(_))));
        sender.join().unwrap();
        assert!(queue.wait().is_none(), "nobody can send any more");
    }
}
