//! The name of one command of one node, by which a client learns what became of it.

use std::fmt;
use std::str::FromStr;

use crate::blocklist::{Origin, Outcome};

/// A command's place in an outbox; its text is `node-incarnation-sequence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId {
    /// Whose outbox.
    pub origin: Origin,
    /// The number of the command there.
    pub sequence: u64,
}

/// What is known of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestState {
    /// It waits for a majority.
    Pending,
    /// It is in the list, or was refused there.
    Applied {
        /// At which log index, where this node remembers it.
        index: Option<u64>,
        /// What came of it, where this node remembers it.
        outcome: Option<Outcome>,
    },
    /// It is not known here, or not any more.
    Unknown,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.origin.node, self.origin.incarnation, self.sequence)
    }
}

impl FromStr for RequestId {
    type Err = ();

    fn from_str(text: &str) -> Result<RequestId, ()> {
        let numbers: Vec<u64> = text.split('-').map(str::parse).collect::<Result<_, _>>().map_err(drop)?;
        match numbers[..] {
            [node, incarnation, sequence] => Ok(RequestId { origin: Origin { node, incarnation }, sequence }),
            _ => Err(()),
        }
    }
}
