//! How a task that keeps something up to date looks at a list that moves on.

use std::sync::Arc;
use std::time::Duration;

use raft::{Cluster, Picture};

/// Changes of this time come together: to be woken by each of them took a tenth of a node's time when adds come one
/// by one.
const PAUSE: Duration = Duration::from_millis(25);

/// What was decided for the cluster once its list has gone on beyond `index`, and how far that is; none when the node
/// stops. What goes on with every report is not looked at.
pub(crate) async fn next(cluster: &Cluster, index: u64) -> Option<(u64, Arc<Picture>)> {
    let changed = async {
        cluster.moved_beyond(index).await;
        tokio::time::sleep(PAUSE).await;
    };
    tokio::select! {
        biased;
        () = cluster.closing() => None,
        // The index first: what was decided by then is in the picture.
        () = changed => Some((cluster.applied_index(), cluster.decided())),
    }
}
