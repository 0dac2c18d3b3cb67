//! File hashes in lower-case hex; the length tells MD5, SHA-1 and SHA-256 apart.

use super::malformed::Reason;

/// Digits of MD5, SHA-1 and SHA-256.
const DIGITS: [usize; 3] = [32, 40, 64];

pub(super) fn parse(text: &str) -> Result<String, Reason> {
    if !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(None);
    }
    if !DIGITS.contains(&text.len()) {
        return Err(Some("it has not the length of an MD5, SHA-1 or SHA-256 in hex".to_owned()));
    }
    Ok(text.to_ascii_lowercase())
}
