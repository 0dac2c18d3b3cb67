//! How a task that keeps something up to date looks at a list that moves on.

use std::sync::Arc;
use std::time::Duration;

use raft::{Cluster, Picture};

/// Changes of this time come together: to be woken by each of them took a tenth of a node's time when adds come one
/// by one.
const PAUSE: Duration = Duration::from_millis(25);

/// The list once it has gone on beyond `index`; none when the node stops.
pub(crate) async fn next(cluster: &Cluster, index: u64) -> Option<Arc<Picture>> {
    let changed = async {
        drop(cluster.changed_beyond(index).await);
        tokio::time::sleep(PAUSE).await;
    };
    tokio::select! {
        biased;
        () = cluster.closing() => None,
        () = changed => Some(cluster.picture()),
    }
}
