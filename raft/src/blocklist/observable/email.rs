//! E-mail addresses: `local@domain`, the domain in its canonical form, the local part as given (RFC 5321 leaves
//! its case to the receiver).

use super::domain;
use super::malformed::Reason;

/// The longest local part (RFC 5321 section 4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;
/// The longest address (RFC 5321 section 4.5.3.1.3, without the angle brackets).
const EMAIL_BYTES_MAX: usize = 254;
/// What only a quoted local part could hold; quoted ones are refused.
const FORBIDDEN: &str = "@\"(),:;<>[\\]";

pub(super) fn parse(text: &str) -> Result<String, Reason> {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return Err(Some("it has no @".to_owned()));
    };
    let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
    let forbidden = |letter: char| letter.is_whitespace() || FORBIDDEN.contains(letter);
    if local.is_empty() || local.len() > LOCAL_BYTES_MAX || dots || local.contains(forbidden) {
        return Err(None);
    }
    let email = format!("{local}@{}", domain::canonical(domain)?);
    if email.len() > EMAIL_BYTES_MAX {
        return Err(Some(format!("it is longer than {EMAIL_BYTES_MAX} bytes")));
    }
    Ok(email)
}
