//! Imports: public feeds that the leader takes in on a schedule. What is taken from where, and how the last run ended,
//! are texts that the API reads; here they are only kept, so that the next leader goes on where the last one stopped.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;

/// The most imports of a cluster.
pub const IMPORTS_MAX: usize = 256;
/// The longest profile of an import, and the longest word on a run, in bytes.
pub const IMPORT_BYTES_MAX: usize = 8192;

/// One import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// Its name, unique; part of its URL.
    pub name: Arc<str>,
    /// What is taken from where, how often; JSON.
    pub profile: Arc<str>,
    /// Who decided so; empty for the registration token.
    pub account: Arc<str>,
    /// When; a run of an earlier profile counts for nothing.
    pub changed: Timestamp,
    /// When somebody asked for a run that has not ended yet.
    pub asked: Option<Timestamp>,
    /// How many values an admin has let pass, however many there were before.
    pub approved: Option<u64>,
    /// How the last run went; JSON, empty before the first.
    pub run: Arc<str>,
}

/// What is to be remembered of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRun {
    /// Of the import of this name.
    pub name: Arc<str>,
    /// The `changed` of the import that was run.
    pub changed: Timestamp,
    /// When it began: what was asked for later is still to be done.
    pub started: Timestamp,
    /// It has ended; an approval is used up.
    pub ended: bool,
    /// How it went; JSON.
    pub run: Arc<str>,
    /// For the audit; empty when there is nothing to tell.
    pub deed: Arc<str>,
}
