//! What followers of a list get: the changes of one kind since an index, as JSON, and the wait for the next one.

use std::sync::Arc;
use std::time::Duration;

use raft::blocklist::Kind;
use raft::{Cluster, Picture};

use crate::error::ApiError;
use crate::format::{Row, Shape, object};

/// Longer lists are written on a thread that may take its time.
const INLINE_MAX: usize = 2_000;
/// Between two looks at a list that moves on: changes of this time come together, and those who wait for one
/// kind cost little while another one is busy.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// Waits until something of this kind has changed after `since`, or the node stops, and gives the list as it is
/// then.
pub(super) async fn next_change(cluster: &Cluster, kind: Kind, since: u64) -> Arc<Picture> {
    let mut picture = cluster.picture();
    while picture.list.last_changed(kind) <= since {
        picture = tokio::select! {
            biased;
            () = cluster.closing() => break,
            picture = cluster.changed_beyond(picture.index) => picture,
        };
        if picture.list.last_changed(kind) <= since {
            tokio::select! {
                () = cluster.closing() => break,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
    picture
}

/// `{"index":…,"added":[…],"removed":[…]}` on one line.
pub(super) async fn render(
    picture: Arc<Picture>,
    kind: Kind,
    since: u64,
    shape: Shape,
) -> Result<Vec<u8>, ApiError> {
    if picture.list.count(kind) <= INLINE_MAX {
        return write(&picture, kind, since, &shape);
    }
    tokio::task::spawn_blocking(move || write(&picture, kind, since, &shape))
        .await
        .map_err(|_| raft::Error::Stopped("the changes could not be written".into()))?
}

fn write(picture: &Picture, kind: Kind, since: u64, shape: &Shape) -> Result<Vec<u8>, ApiError> {
    let feed = picture.list.changes_since(kind, since).map_err(|gone| {
        let oldest = gone.oldest;
        ApiError::Gone(format!(
            "the changes since {since} are not kept any more, only those since {oldest}; take the whole list \
             again, and follow from its Stockade-Index"
        ))
    })?;
    let mut out = format!("{{\"index\":{},\"added\":[", picture.index).into_bytes();
    for (at, line) in feed.added.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        object(&Row { value: line.value, entry: line.entry }, shape, &mut out);
    }
    out.extend(b"],\"removed\":");
    let removed: Vec<String> = feed.removed.iter().map(ToString::to_string).collect();
    serde_json::to_writer(&mut out, &removed).expect("texts are JSON");
    out.push(b'}');
    Ok(out)
}
