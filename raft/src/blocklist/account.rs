//! Accounts: who may talk to the API, and what they may do.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;

/// The most API tokens of one account.
pub const TOKENS_MAX: usize = 32;
/// The longest name of an account or a token.
const NAME_BYTES_MAX: usize = 64;

/// Whether this can be the name of an account or a token: it is safe in a URL, a log line and HTTP Basic.
pub(super) fn is_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(letter)
}

/// What an account may do; each role includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Queries and exports.
    Reader,
    /// Adds, sightings, and withdrawing its own reports.
    Sensor,
    /// The whole list and the allow list.
    Analyst,
    /// Accounts and the cluster.
    Admin,
}

impl Role {
    /// Every role, weakest first.
    pub const ALL: [Role; 4] = [Role::Reader, Role::Sensor, Role::Analyst, Role::Admin];

    /// The word used in bodies.
    pub fn name(self) -> &'static str {
        match self {
            Role::Reader => "reader",
            Role::Sensor => "sensor",
            Role::Analyst => "analyst",
            Role::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = ();

    fn from_str(text: &str) -> Result<Role, ()> {
        Role::ALL.into_iter().find(|role| role.name() == text).ok_or(())
    }
}

/// A person or a device that may talk to the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The name, unique, as registered.
    pub username: Arc<str>,
    /// What it may do.
    pub role: Role,
    /// argon2id in PHC string form.
    pub password_hash: Arc<str>,
    /// API tokens by name.
    pub tokens: Vec<Token>,
    /// When it was registered.
    pub created: Timestamp,
    /// The log index that last changed it: a verified credential is good for this revision only.
    pub revision: u64,
}

/// One API token; only its SHA-256 is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its name, unique within the account.
    pub name: Arc<str>,
    /// SHA-256 of the token's text.
    pub digest: [u8; 32],
    /// When it was made.
    pub created: Timestamp,
}
