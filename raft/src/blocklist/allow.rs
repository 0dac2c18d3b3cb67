//! What must never be blocked.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::observable::Observable;
use super::timestamp::Timestamp;

/// The most entries of the allow list: every export goes through it.
pub const ALLOWS_MAX: usize = 65_536;

/// One observable of the allow list. A network allows all its addresses, a domain all names below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allow {
    /// The observable itself.
    pub value: Observable,
    /// Why it must not be blocked; whoever tries to list it reads this.
    pub comment: Arc<str>,
    /// The account that allowed it.
    pub account: Arc<str>,
    /// When it was allowed.
    pub time_added: Timestamp,
    /// How many adds it has refused.
    pub prevented: u64,
}

/// One observable to be allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAllow {
    /// The observable itself.
    pub value: Observable,
    /// Why it must not be blocked.
    pub comment: Arc<str>,
}
