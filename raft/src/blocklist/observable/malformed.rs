//! Why a text is no observable, as a sentence for the client.

use super::Kind;

/// The longest part of a refused value that its message repeats, in characters.
const QUOTED_CHARS_MAX: usize = 100;

/// What the parser of one kind says when it refuses a text, where saying it helps.
pub(super) type Reason = Option<String>;

/// Why a text is no observable; `Display` is the sentence for the client, e.g.
/// "address `10.0.0.300` is not valid".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

impl Malformed {
    /// The sentence for a refused text. What could break a line or a terminal is not repeated.
    pub(super) fn new(kind: Kind, text: &str, reason: Reason) -> Malformed {
        let mut quoted: String = text
            .chars()
            .take(QUOTED_CHARS_MAX)
            .map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter })
            .collect();
        if text.chars().nth(QUOTED_CHARS_MAX).is_some() {
            quoted.push('…');
        }
        let noun = kind.noun();
        Malformed(match reason {
            Some(reason) => format!("{noun} `{quoted}` is not valid: {reason}"),
            None => format!("{noun} `{quoted}` is not valid"),
        })
    }
}
