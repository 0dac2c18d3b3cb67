//! Keeps what frozen feeds show on this node's disk, so that they show the same after a restart; and takes away
//! what no feed shows any more.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use raft::Picture;

use super::{frozen, rendering};
use crate::app::App;
use crate::looking;

/// Runs until the node stops.
pub(crate) async fn run(app: Arc<App>) {
    let mut seen = 0;
    // None: what an earlier run left is not known yet.
    let mut kept: Option<BTreeSet<String>> = None;
    while let Some((applied, picture)) = looking::next(&app.cluster, seen).await {
        seen = applied;
        let wanted = wanted(&picture);
        if kept.as_ref() == Some(&wanted) {
            continue;
        }
        let directory = frozen::directory(&app.settings.data);
        let done = tokio::task::spawn_blocking(move || keep(&directory, &picture, &wanted).map(|()| wanted));
        match done.await {
            Ok(Ok(done)) => kept = Some(done),
            Ok(Err(error)) => tracing::warn!(%error, "what a frozen feed shows is not on disk; trying again"),
            Err(_) => tracing::error!("what a frozen feed shows could not be rendered"),
        }
    }
}

/// The files that there should be.
fn wanted(picture: &Picture) -> BTreeSet<String> {
    let feeds = picture.list.feeds();
    feeds.filter_map(|feed| Some(frozen::file_name(feed, &feed.frozen?))).collect()
}

fn keep(directory: &Path, picture: &Picture, wanted: &BTreeSet<String>) -> io::Result<()> {
    for feed in picture.list.feeds() {
        let Some(frozen) = &feed.frozen else { continue };
        let path = directory.join(frozen::file_name(feed, frozen));
        if path.exists() {
            continue;
        }
        match (picture.frozen_at(&feed.name), rendering(&feed.profile)) {
            (Some(still), Ok(rendering)) => frozen::write(&path, &rendering.render(&still))?,
            _ => {
                tracing::warn!(feed = %feed.name, "this node was not there when the feed froze: it shows nothing")
            }
        }
    }
    let files = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        files => files?,
    };
    for file in files {
        let file = file?;
        if !file.file_name().to_str().is_some_and(|name| wanted.contains(name)) {
            fs::remove_file(file.path())?;
        }
    }
    Ok(())
}
