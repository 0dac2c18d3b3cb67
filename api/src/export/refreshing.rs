//! Writes lists anew in the background where a change was more than one of some entries (the allow list, a setting,
//! more removals than are remembered), so that the next firewall that polls finds them written.

use std::sync::Arc;
use std::time::Duration;

use raft::Picture;
use raft::blocklist::Kind;

use super::kept::Moment;
use crate::app::App;
use crate::looking;

/// A list that nobody has asked for in this time is written when somebody does.
const USED_WITHIN: Duration = Duration::from_secs(3600);

/// Runs until the node stops.
pub(crate) async fn run(app: Arc<App>) {
    let mut index = 0;
    let mut seen = kept_since(&app.cluster.decided());
    while let Some((applied, decided)) = looking::next(&app.cluster, index).await {
        index = applied;
        let kept_since = kept_since(&decided);
        drop(decided);
        if kept_since != seen {
            rewrite(&app).await;
            seen = kept_since;
        }
    }
}

/// When another one than before, what is kept of a kind may be of no more use.
fn kept_since(picture: &Picture) -> [u64; Kind::ALL.len()] {
    Kind::ALL.map(|kind| picture.list.changes_kept_since(kind))
}

async fn rewrite(app: &App) {
    for (recipe, export) in app.exports.used_within(USED_WITHIN) {
        let picture = app.cluster.picture();
        if export.version >= picture.list.changes_kept_since(recipe.query.kind) {
            continue;
        }
        if let Err(error) = app.exports.get(&recipe, picture, Moment::OrLater, || app.cluster.picture()).await
        {
            tracing::error!(error = error.message(), "a list could not be written anew");
        }
    }
}
