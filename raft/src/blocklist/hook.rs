//! Hooks: how the body of a webhook becomes reports. The mapping is a text that the API reads; here it is only kept.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;

/// The most hooks of a cluster.
pub const HOOKS_MAX: usize = 256;
/// The longest mapping, in bytes.
pub const HOOK_BYTES_MAX: usize = 8192;

/// One hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Its name, unique; part of its URL.
    pub name: Arc<str>,
    /// What of a body is the value, the comment and the rest; JSON.
    pub mapping: Arc<str>,
    /// Who decided so; empty for the registration token.
    pub account: Arc<str>,
    /// When.
    pub changed: Timestamp,
}
