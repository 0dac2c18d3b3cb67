//! What the list knows about one observable.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::observable::Observable;
use super::sources::Sources;
use super::timestamp::Timestamp;

/// One listed observable. `comment`, `source` and `account` are those of the add that listed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The observable itself.
    pub value: Observable,
    /// When it was listed; never changes.
    pub time_added: Timestamp,
    /// When it was last added or sighted; never goes back.
    pub time_updated: Timestamp,
    /// Adds after the first.
    pub sighting: u64,
    /// What the first reporter said.
    pub comment: Arc<str>,
    /// Who saw it first.
    pub source: Arc<str>,
    /// The account that listed it.
    pub account: Arc<str>,
    /// When it leaves the list; `None` is never.
    pub expires: Option<Timestamp>,
    /// Labels, sorted.
    pub tags: BTreeSet<Arc<str>>,
    /// What each source said, by name.
    pub sources: Sources,
    /// The log index that last touched this entry.
    pub index: u64,
    /// The log index at which it was listed.
    pub listed: u64,
    /// The label of the import that listed it; empty when it was none.
    pub import: Arc<str>,
}
