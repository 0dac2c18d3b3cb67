//! What a node finds on its disk when it starts, and what it makes of it. It never votes without its log, and it
//! never serves a list that the log does not bear out.

use std::io;
use std::path::Path;

use tokio::sync::oneshot;

use crate::blocklist::{List, Origin};
use crate::cluster::Settings;
use crate::error::Error;
use crate::outbox::{Limits, Outbox};
use crate::store::{Disk, DiskMark, LogStore, PendingFile, Snapshots, last_incarnation, next_incarnation};

/// What to tell the operator when a part of the data directory does not work.
pub(crate) fn broken(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |error| Error::Stopped(format!("{what} in the data directory: {error}"))
}

/// Opens the log. A node that ran before and has no log any more must not vote: it could vote twice. Nor must one
/// whose identity lies in a directory that lacks the rest: it ran somewhere else.
pub(crate) fn open_log(data: &Path) -> Result<LogStore, Error> {
    let dir = data.join("log");
    let Some(incarnation) = last_incarnation(data).map_err(broken("the incarnation"))? else {
        return Err(Error::Stopped(format!(
            "{} holds the identity of a node and not the rest of its data, so it may have voted already; remove the \
             data directory and let the node join again",
            data.display()
        )));
    };
    let empty = !dir.exists() || dir.read_dir().map_err(broken("the log"))?.next().is_none();
    if incarnation > 0 && empty {
        return Err(Error::Stopped(format!(
            "the log of this node, {}, is gone, and with it how it voted; remove the data directory and let \
             the node join again",
            dir.display()
        )));
    }
    LogStore::open(&dir).map_err(broken("the log"))
}

/// Loads the list from sled. When sled is not readable, or older than what the log still holds, it is set
/// aside and rebuilt from the snapshot; the log brings it up from there.
pub(crate) fn open_list(
    settings: &Settings,
    log: &LogStore,
    snapshots: &Snapshots,
    failed: oneshot::Sender<io::Error>,
) -> Result<(Disk, DiskMark, List), Error> {
    let dir = settings.data.join("list");
    let (disk, mark, list, aside) =
        Disk::open(&dir, settings.sled_cache_bytes, failed).map_err(broken("the list"))?;
    if let Some(aside) = aside {
        tracing::error!(path = %aside.display(), "the damaged list was set aside; it is rebuilt");
    }
    let (last, purged) = log.bounds();
    let at = mark.last_applied.map(|id| id.index);
    let purged_index = purged.map(|id| id.index);
    // The list may be ahead of this node's log: what the others committed is applied before it is on this disk.
    // Then the log goes on from the list. An empty log behind a list has been replaced.
    if at.is_some() && last.max(purged).is_none() {
        return Err(Error::Stopped(
            "the log is empty and the list is not, so this node does not know how it voted; remove the data \
             directory and let the node join again"
                .into(),
        ));
    }
    if at >= purged_index {
        return Ok((disk, mark, list));
    }
    let current = snapshots.current().map_err(broken("the snapshots"))?;
    let Some((_, file)) = current else {
        return Err(Error::Stopped("neither the list nor a snapshot reaches back to the log's start".into()));
    };
    tracing::warn!(
        ?at,
        ?purged_index,
        "the stored list is older than the log; it is rebuilt from the snapshot"
    );
    let (header, list) = file.load().map_err(broken("the snapshot"))?;
    let mark =
        DiskMark { last_applied: header.last_log_id, membership: header.membership, digest: header.digest };
    disk.replace(mark.clone(), list.clone()).map_err(broken("the list"))?;
    Ok((disk, mark, list))
}

/// Opens the outbox. What an earlier run has kept goes on under its numbers; else the outbox is a new one.
pub(crate) fn open_outbox(settings: &Settings, node: u64, list: &List) -> Result<Outbox, Error> {
    let data = &settings.data;
    let limits = Limits {
        bytes_max: settings.pending_bytes_max,
        age_max: settings.pending_age_max,
        accept_after: settings.accept_after,
    };
    let broken_pending = broken("the pending reports");
    let (mut file, mut kept) = PendingFile::open(data).map_err(&broken_pending)?;
    let mark = list.origin(node);
    if let (Some(first), Some(mark)) = (kept.first(), mark)
        && first.incarnation < mark.incarnation
    {
        // A later run of this node has written: this file is older than the rest, and its numbers are used up.
        drop(file);
        let aside = PendingFile::set_aside(data).map_err(&broken_pending)?;
        tracing::error!(path = %aside.display(), "the pending reports are of an earlier run; they were set aside");
        (file, kept) = PendingFile::open(data).map_err(&broken_pending)?;
    }
    let incarnation = match kept.first() {
        Some(first) => first.incarnation,
        None => next_incarnation(data).map_err(broken("the incarnation"))?,
    };
    if !kept.is_empty() {
        tracing::info!(commands = kept.len(), "reports of the last run still wait for a majority");
    }
    let outbox = Outbox::new(Origin { node, incarnation }, limits, file, kept);
    outbox.overtaken(list);
    Ok(outbox)
}
