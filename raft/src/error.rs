//! What a caller of the cluster can run into, by what can be done about it. No HTTP here.

use std::time::Duration;

/// Why the cluster could not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No majority or no leader within the time allowed; nothing was done. Try again.
    #[error("{message}")]
    Unavailable {
        /// What is missing.
        message: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// The command was handed on, and what became of it is not known here. It may still count.
    #[error("the outcome is not known yet: {0}")]
    OutcomeUnknown(String),
    /// A named limit is reached; nothing was done.
    #[error("{0}")]
    Overloaded(String),
    /// The cluster's state forbids it (membership).
    #[error("{0}")]
    Refused(String),
    /// No such member.
    #[error("{0}")]
    NotFound(String),
    /// This node cannot store, or its Raft core has stopped; the process is about to end.
    #[error("this node has stopped: {0}")]
    Stopped(String),
}
