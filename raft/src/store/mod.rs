//! What a node keeps on its disk, and the openraft adapters over it, which translate and decide nothing.
//!
//! `log` holds the vote and the log; `disk` is sled, the list as it was at some index; `snapshot` files stand
//! for purged log. The list itself lives in memory, in `head`; `machine` applies to it.

mod committed;
mod damage;
mod digest;
mod disk;
#[cfg(test)]
mod garbage;
mod head;
mod identity;
mod keys;
mod log;
mod machine;
mod pending;
mod snapshot;
#[cfg(test)]
mod suite;

pub(crate) use damage::Unopened;
pub(crate) use digest::{StateDigest, encode as encode_record};
pub(crate) use disk::{Disk, DiskMark};
pub(crate) use head::Head;
pub(crate) use identity::{
    begin_restoring, finish_restoring, last_incarnation, next_incarnation, read_identity, write_identity,
};
pub(crate) use log::LogStore;
pub(crate) use machine::{Applier, StateMachine};
pub(crate) use pending::{Kept, PendingFile, encode as encode_kept};
pub(crate) use snapshot::{Header as SnapshotHeader, SnapshotFile, Snapshots};

/// The forms in the log and in sled, for the fuzzers.
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzed {
    pub(crate) use super::digest::Changes;
    pub(crate) use super::disk::{changes_again, unpack};
    pub(crate) use super::log::fuzzed::{again as record_again, file_of as log_file_of};
}
