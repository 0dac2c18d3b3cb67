//! What a caller of the cluster can run into, by what can be done about it. No HTTP here.

use std::time::Duration;

use crate::request::RequestId;

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
    #[error("the outcome is not known yet: {message}")]
    OutcomeUnknown {
        /// Why.
        message: String,
        /// By which the outcome can be asked for, when the command has got so far.
        id: Option<RequestId>,
    },
    /// A named limit is reached; nothing was done.
    #[error("{0}")]
    Overloaded(String),
    /// This node has no room for what waits for a majority; nothing was done.
    #[error("{0}")]
    Full(String),
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
