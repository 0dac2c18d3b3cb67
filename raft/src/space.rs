//! Room on the disk: below a reserve this node only reads, and it comes back by itself.
//!
//! A log that cannot be written ends the process, and it must: nobody knows what of it is on the disk. So a node
//! stops before the disk is full. Free space is looked at a few times a second, and below the reserve the node
//!
//! - refuses the writes of its clients, and what other nodes propose to it as the leader;
//! - takes no entries from a leader, which tries again until there is room; a majority of others goes on meanwhile.
//!   Heartbeats go on, so the node knows how old its list is, and does not disturb the others by elections;
//! - does not stand for election, and if it leads, falls silent until another node has been elected. Silence and
//!   not openraft's transfer, which cannot be taken back when nobody takes over;
//! - makes no snapshot and receives none.
//!
//! The reserve is there for what still has to be written: votes, what is applied, the end of a snapshot. When nearly
//! all of it is gone too, because something else fills the disk, the node does not even vote any more.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::node::{ELECTION_MS, Node};
use crate::silence::fall_silent;

/// Between two looks at the free space; a fast disk writes far less than the reserve meanwhile.
const INTERVAL: Duration = Duration::from_millis(200);
/// The disk counts as full when less than this part of the reserve is left, or this many bytes.
const SPENT_PART: u64 = 8;
const SPENT_BYTES_MAX: u64 = 4 << 20;
/// To be writable again there has to be this part of the reserve more than the reserve, so that a node does not
/// change its mind with every file.
const MARGIN_PART: u64 = 8;
/// A leader without room is silent for this long, at most; others need an election timeout and some rounds.
const SILENCE_MAX: Duration = Duration::from_millis(4 * ELECTION_MS.end);
/// When nobody took over, the next try is after this.
const SILENCE_PAUSE: Duration = Duration::from_secs(30);
/// A client comes back after this.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The free space under the data directory, as it was last seen.
pub(crate) struct Space {
    dir: PathBuf,
    reserve: u64,
    free: AtomicU64,
    read_only: AtomicBool,
}

impl Space {
    /// Looks for the first time. A reserve of zero means that nothing is watched.
    pub(crate) fn open(dir: &Path, reserve: u64) -> io::Result<Space> {
        let space = Space { dir: dir.into(), reserve, free: AtomicU64::new(0), read_only: false.into() };
        space.look()?;
        Ok(space)
    }

    /// Looks at the disk.
    fn look(&self) -> io::Result<()> {
        let disk = rustix::fs::statvfs(&self.dir)?;
        self.found(disk.f_bavail.saturating_mul(disk.f_frsize));
        Ok(())
    }

    fn found(&self, free: u64) {
        self.free.store(free, Ordering::Relaxed);
        let enough = if self.read_only() { self.reserve + self.reserve / MARGIN_PART } else { self.reserve };
        self.read_only.store(free < enough, Ordering::Relaxed);
    }

    /// Bytes that this process could still write.
    pub(crate) fn free(&self) -> u64 {
        self.free.load(Ordering::Relaxed)
    }

    /// Nothing new is stored until there is more room.
    pub(crate) fn read_only(&self) -> bool {
        self.read_only.load(Ordering::Relaxed)
    }

    /// There may be no room for so much as a vote.
    pub(crate) fn spent(&self) -> bool {
        self.free() < (self.reserve / SPENT_PART).min(SPENT_BYTES_MAX)
    }

    /// Whether this many bytes more leave the reserve as it is.
    pub(crate) fn has_room(&self, bytes: u64) -> bool {
        self.reserve == 0 || (!self.read_only() && self.free() >= self.reserve.saturating_add(bytes))
    }

    /// Refuses what would have to be stored, in words for whoever asked.
    pub(crate) fn writable(&self) -> Result<(), Error> {
        match self.read_only() {
            true => Err(Error::Unavailable { message: self.message(), retry_after: RETRY_AFTER }),
            false => Ok(()),
        }
    }

    /// Why nothing is stored.
    pub(crate) fn message(&self) -> String {
        let mib = |bytes: u64| bytes >> 20;
        format!(
            "the disk of this node is nearly full: {} MiB are free and {} MiB are kept in reserve; it takes no \
             writes until there is more room, and serves its list as it is",
            mib(self.free()),
            mib(self.reserve)
        )
    }
}

/// Watches the disk until the node stops.
pub(crate) async fn watch(node: Arc<Node>) {
    let mut silent_at: Option<Instant> = None;
    let mut seen_read_only = false;
    loop {
        if let Err(error) = node.space.look() {
            tracing::warn!(%error, "the free space of the data directory is not known");
        }
        let read_only = node.space.read_only();
        if read_only != seen_read_only {
            seen_read_only = read_only;
            match read_only {
                true => tracing::error!("{}", node.space.message()),
                false => {
                    tracing::info!(free_bytes = node.space.free(), "there is room again; writes are taken")
                }
            }
        }
        let others = node.metrics().membership_config.voter_ids().any(|voter| voter != node.id());
        node.raft.runtime_config().elect(!read_only || !others);
        if read_only && silent_at.is_none_or(|at| at.elapsed() > SILENCE_PAUSE) && node.majority_of_others() {
            tracing::warn!("this node leads and has no room; it falls silent until another one leads");
            if !fall_silent(&node, SILENCE_MAX).await {
                tracing::warn!("no other node was elected; this one leads on, without taking writes");
            }
            silent_at = Some(Instant::now());
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_node_reads_only_below_the_reserve_and_is_back_well_above_it() {
        let space = Space::open(Path::new("/"), 64 * MIB).unwrap();
        let rows = [
            (100, false, false),
            (64, false, false),
            (63, true, false),
            (66, true, false),
            (3, true, true),
            (0, true, true),
            (70, true, false),
            (72, false, false),
            (65, false, false),
        ];
        for (free, read_only, spent) in rows {
            space.found(free * MIB);
            assert_eq!((space.read_only(), space.spent()), (read_only, spent), "{free} MiB");
            assert_eq!(space.writable().is_err(), read_only);
        }
        assert!(space.has_room(MIB) && !space.has_room(2 * MIB));
    }

    #[test]
    fn without_a_reserve_nothing_is_refused() {
        let space = Space::open(Path::new("/"), 0).unwrap();
        space.found(0);
        assert!(!space.read_only() && !space.spent() && space.has_room(MIB));
    }
}
