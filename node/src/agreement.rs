//! The thread on which the nodes agree. Everything of the Raft core, its network and applying runs there, one after
//! the other, so that a step hands its work to the next one without waking another thread; and whatever the API has
//! to do, a heartbeat does not wait for it.

use std::thread;

use raft::{Cluster, Settings};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Starts the thread. It ends with the process: what stops a node is `Cluster::shutdown`.
fn thread() -> Result<Handle, String> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name("agreement".into())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))
        .map_err(|error| error.to_string())?;
    Ok(handle)
}

/// Starts the node whose identity the data directory holds, on a thread of its own, taking peers on `listener`.
pub(crate) async fn start(settings: Settings, listener: TcpListener) -> Result<Cluster, String> {
    // A socket belongs to the runtime that listens on it.
    let listener = listener.into_std().map_err(|error| error.to_string())?;
    let (done, started) = oneshot::channel();
    thread()?.spawn(async move {
        let cluster = match TcpListener::from_std(listener) {
            Ok(listener) => Cluster::start(settings, listener).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        // Nobody waits any more when the node was told to stop meanwhile.
        drop(done.send(cluster));
    });
    started.await.map_err(|_| "the node could not be started".to_string())?
}
