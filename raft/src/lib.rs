//! The list and the agreement on it.
//!
//! Inside: `cluster` → `store` → `blocklist` ← `network` ← `cluster`. Invariants:
//!
//! 1. The list changes only in `List::apply`, only through the log. `apply` is total: a refusal is an outcome.
//! 2. Time enters with the command; nothing in `blocklist` reads a clock.
//! 3. Every entry carries the index that last touched it.
//! 4. Entries, sequences and the applied index reach sled together or not at all.
//! 5. Nothing is acknowledged before it is on disk; nothing is purged before the snapshot that covers it is.
//! 6. A node that cannot store, or whose Raft core has stopped, ends its process.
//! 7. A node id is never used twice; every peer message carries the cluster id and both node ids.
//! 8. Every queue, cache, frame, body, wait and export has a named limit.

mod backup;
pub mod blocklist;
mod cluster;
mod codec;
mod concluding;
mod divergence;
mod error;
mod form;
mod forwarder;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gathering;
mod handler;
mod health;
mod leader;
mod network;
mod node;
mod outbox;
mod pending;
#[cfg(test)]
mod pinned;
mod recovery;
mod request;
mod silence;
mod space;
mod standing;
mod status;
mod store;
mod types;
mod upkeep;
mod version;

pub use backup::{Backup, CheckedBackup, Restored};
pub use cluster::{Address, Cluster, Freshness, Identity, JoinTicket, Picture, Settings, Submitted, Written};
pub use error::Error;
pub use request::{RequestId, RequestState};
pub use status::{Member, MemberRole, Status};
