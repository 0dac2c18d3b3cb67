//! The threads that serve connections. A connection stays with the thread it was given to: its requests wake no other
//! one, and find what they need where the last one left it. Beside one runtime that shares the same work among as many
//! threads, this took a seventh less of a core for an add, and sent whole lists an eighth faster. Whatever takes long
//! goes elsewhere (`spawn_blocking`), or it would hold up all that share its thread.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::together::Gate;

/// Threads, each with a runtime of its own. They end with this.
pub(super) struct Threads(Vec<Thread>);

struct Thread {
    runtime: Handle,
    connections: Arc<AtomicUsize>,
    gate: Arc<Gate>,
    /// Dropped, it ends the thread.
    _end: oneshot::Sender<()>,
}

/// A connection's place on a thread, taken until this goes.
pub(super) struct Seat {
    connections: Arc<AtomicUsize>,
    gate: Arc<Gate>,
}

impl Threads {
    /// Starts so many, one at least.
    pub(super) fn start(count: usize) -> io::Result<Threads> {
        (0..count.max(1)).map(|_| Thread::start()).collect::<io::Result<_>>().map(Threads)
    }

    /// A place on the thread that has the fewest connections, and its runtime.
    pub(super) fn seat(&self) -> (Seat, &Handle) {
        let count = |thread: &&Thread| thread.connections.load(Ordering::Relaxed);
        let emptiest = self.0.iter().min_by_key(count).expect("there is always one thread");
        emptiest.connections.fetch_add(1, Ordering::Relaxed);
        let seat = Seat { connections: emptiest.connections.clone(), gate: emptiest.gate.clone() };
        (seat, &emptiest.runtime)
    }
}

impl Thread {
    fn start() -> io::Result<Thread> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let gate = Arc::new(Gate::default());
        handle.spawn({
            let gate = gate.clone();
            async move { gate.keep().await }
        });
        let (end, ended) = oneshot::channel();
        let run = move || {
            // Ends when the sender goes.
            drop(runtime.block_on(ended));
            runtime.shutdown_background();
        };
        thread::Builder::new().name("http".into()).spawn(run)?;
        Ok(Thread { runtime: handle, connections: Arc::default(), gate, _end: end })
    }
}

impl Seat {
    /// Where the answers of this thread wait for each other.
    pub(super) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_go_where_there_are_fewest() {
        let threads = Threads::start(2).unwrap();
        let [(first, on_first), (second, on_second), (_third, on_third)] =
            [threads.seat(), threads.seat(), threads.seat()];
        assert_ne!(on_first.id(), on_second.id());
        assert_eq!(on_third.id(), on_first.id(), "both have one");
        drop(second);
        let (_fourth, on_fourth) = threads.seat();
        assert_eq!(on_fourth.id(), on_second.id());
        drop(first);
        let (_fifth, _) = threads.seat();
        let (_sixth, on_sixth) = threads.seat();
        assert_eq!(on_sixth.id(), on_second.id(), "a place that was left counts no longer");
    }

    #[tokio::test]
    async fn a_thread_ends_with_those_who_were_given_it() {
        let threads = Threads::start(1).unwrap();
        let runtime = threads.seat().1.clone();
        let name = runtime.spawn(async { thread::current().name().map(str::to_owned) }).await;
        assert_eq!(name.unwrap().as_deref(), Some("http"));
        let endless = runtime.spawn(std::future::pending::<()>());
        drop(threads);
        assert!(endless.await.unwrap_err().is_cancelled());
    }
}
