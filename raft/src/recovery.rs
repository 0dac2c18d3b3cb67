//! What a node finds on its disk when it starts, and what it makes of it. It never votes without its log, and it
//! never serves a list that the log does not bear out.

use std::io;
use std::path::Path;

use tokio::sync::oneshot;

use crate::blocklist::List;
use crate::cluster::Settings;
use crate::error::Error;
use crate::store::{self, Disk, DiskMark, LogStore, SnapshotHeader, Snapshots, Unopened, last_incarnation};

/// The way out when there is nothing left to go on from.
const JOIN_AGAIN: &str = "remove the data directory and let the node join again";

/// What to tell the operator when a part of the data directory does not work.
pub(crate) fn broken(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |error| Error::Stopped(format!("{what} in the data directory: {error}"))
}

/// The same for what does not open: the way out of damage is another one than out of a disk that refuses.
fn unopened(what: &'static str, way_out: &'static str) -> impl Fn(Unopened) -> Error {
    move |unopened| {
        Error::Stopped(match unopened {
            Unopened::Damaged(why) => format!("{what} in the data directory is damaged: {why}; {way_out}"),
            Unopened::Refused(error) => format!(
                "{what} in the data directory cannot be opened: {error}; nothing was changed: see to the disk (its \
                 free space, its permissions, its health) and start the node again"
            ),
        })
    }
}

/// Opens the log. A node that ran before and has no log any more must not vote: it could vote twice. Nor must one
/// whose identity lies in a directory that lacks the rest: it ran somewhere else, or one whose log is damaged: it
/// may have lost what it acknowledged.
pub(crate) fn open_log(data: &Path) -> Result<LogStore, Error> {
    let dir = data.join("log");
    let incarnation = last_incarnation(data).map_err(Unopened::from);
    let Some(incarnation) = incarnation.map_err(unopened("the incarnation", JOIN_AGAIN))? else {
        return Err(Error::Stopped(format!(
            "{} holds the identity of a node and not the rest of its data, so it may have voted already; {JOIN_AGAIN}",
            data.display()
        )));
    };
    let empty = !dir.exists() || dir.read_dir().map_err(broken("the log"))?.next().is_none();
    if incarnation > 0 && empty {
        return Err(Error::Stopped(format!(
            "the log of this node, {}, is gone, and with it how it voted; {JOIN_AGAIN}",
            dir.display()
        )));
    }
    let way_out = "what this node has acknowledged, and how it voted, may be lost with it, so it must not take part \
                   again as it is; remove the data directory and let the node join again";
    LogStore::open(&dir).map_err(unopened("the log", way_out))
}

/// Takes the number of this run. It has to be on the disk before anything is written under it.
pub(crate) fn take_incarnation(data: &Path) -> Result<u64, Error> {
    store::next_incarnation(data).map_err(|error| unopened("the incarnation", JOIN_AGAIN)(error.into()))
}

/// Opens the snapshots; one that is damaged is set aside, and missed only where nothing else goes back so far.
pub(crate) fn open_snapshots(data: &Path) -> Result<Snapshots, Error> {
    let dir = data.join("snapshots");
    let opened = Snapshots::open(&dir).map_err(unopened("a snapshot", JOIN_AGAIN))?;
    if let Some((path, why)) = opened.set_aside_damaged().map_err(unopened("a snapshot", JOIN_AGAIN))? {
        tracing::error!(path = %path.display(), why, "a damaged snapshot was set aside");
    }
    Ok(opened)
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
        Disk::open(&dir, settings.sled_cache_bytes, failed).map_err(unopened("the list", JOIN_AGAIN))?;
    if let Some(aside) = aside {
        tracing::error!(path = %aside.display(), "the damaged list was set aside; it is rebuilt");
    }
    let (last, purged) = log.bounds();
    let at = mark.last_applied.map(|id| id.index);
    let purged_index = purged.map(|id| id.index);
    // The list may be ahead of this node's log: what the others committed is applied before it is on this disk.
    // Then the log goes on from the list. An empty log behind a list has been replaced.
    if at.is_some() && last.max(purged).is_none() {
        return Err(Error::Stopped(format!(
            "the log is empty and the list is not, so this node does not know how it voted; {JOIN_AGAIN}"
        )));
    }
    let current = snapshots.current().map_err(broken("the snapshots"))?;
    if at >= purged_index {
        let covered = current.and_then(|(meta, _)| meta.last_log_id).map(|id| id.index);
        if covered.is_some() && at > last.map(|id| id.index) && at > covered {
            // openraft closes the gap by purging the log up to the list, and that must not go beyond the snapshot:
            // nobody could be brought up from here any more.
            let header = SnapshotHeader {
                last_log_id: mark.last_applied,
                membership: mark.membership.clone(),
                digest: mark.digest,
            };
            snapshots.write(&header, &list).map_err(broken("a snapshot"))?;
        }
        return Ok((disk, mark, list));
    }
    let reaching = current.filter(|(meta, _)| meta.last_log_id.as_ref().map(|id| id.index) >= purged_index);
    let Some((_, file)) = reaching else {
        return Err(Error::Stopped(format!(
            "neither the list nor a snapshot reaches up to where the log begins; {JOIN_AGAIN}"
        )));
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

#[cfg(test)]
mod tests {
    use openraft::storage::RaftLogStorage;

    use super::*;
    use crate::form;
    use crate::types::{LogId, Vote};

    fn at(index: u64) -> form::LogId {
        form::LogId { term: 1, node: 1, index }
    }

    fn mark(index: u64) -> DiskMark {
        DiskMark { last_applied: Some(at(index)), ..DiskMark::default() }
    }

    /// A data directory whose log is purged up to one index, whose list is at another, with a snapshot at a third.
    async fn opened(purged: u64, list: Option<u64>, snapshot: Option<u64>) -> Result<(u64, u64), Error> {
        let home = tempfile::tempdir().unwrap();
        let settings = Settings::of_a_test(home.path(), crate::Address::default());
        crate::Cluster::found(&settings).unwrap();
        let mut log = open_log(home.path()).unwrap();
        log.save_vote(&Vote::new(1, 1)).await.unwrap();
        log.purge(LogId::from(at(purged))).await.unwrap();
        let snapshots = open_snapshots(home.path()).unwrap();
        if let Some(index) = snapshot {
            let header = SnapshotHeader {
                last_log_id: Some(at(index)),
                membership: form::StoredMembership::default(),
                digest: crate::store::StateDigest::default(),
            };
            snapshots.write(&header, &List::default()).unwrap();
        }
        if let Some(index) = list {
            let (failed, _) = oneshot::channel();
            let (disk, ..) = Disk::open(&home.path().join("list"), 1 << 20, failed).unwrap();
            disk.apply(mark(index), Default::default(), 0, List::default).await.unwrap();
            disk.close().await.unwrap();
        }
        let (failed, _) = oneshot::channel();
        let (disk, mark, _) = open_list(&settings, &log, &snapshots, failed)?;
        disk.close().await.unwrap();
        let covered = snapshots.current().unwrap().and_then(|(meta, _)| meta.last_log_id);
        Ok((mark.last_applied.unwrap().index, covered.map_or(0, |id| id.index)))
    }

    #[tokio::test]
    async fn where_a_node_goes_on_from() {
        let rows = [
            // Purged up to, the list, the snapshot: the list it starts with, and the snapshot that is there then.
            (5, Some(5), Some(5), Some((5, 5))),
            (5, Some(9), Some(5), Some((9, 9))), // The log is purged up to the list, so the snapshot has to be there.
            (5, Some(9), Some(9), Some((9, 9))),
            (5, Some(3), Some(7), Some((7, 7))),
            (5, None, Some(5), Some((5, 5))),
            (5, Some(9), None, Some((9, 0))), // openraft makes one itself.
            (5, None, None, None),
            (5, Some(3), None, None),
            (5, Some(3), Some(4), None),
        ];
        for (purged, list, snapshot, expected) in rows {
            let opened = opened(purged, list, snapshot).await;
            if let Err(error) = &opened {
                assert!(error.to_string().contains("join again"), "{error}");
            }
            assert_eq!(opened.ok(), expected, "purged {purged}, list {list:?}, snapshot {snapshot:?}");
        }
    }
}
