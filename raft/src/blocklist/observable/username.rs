//! User names that attackers try: any text of a sane length.

use super::malformed::Reason;

/// The longest user name, in bytes.
const USERNAME_BYTES_MAX: usize = 256;

pub(super) fn parse(text: &str) -> Result<String, Reason> {
    if text.len() > USERNAME_BYTES_MAX {
        return Err(Some(format!("it is longer than {USERNAME_BYTES_MAX} bytes")));
    }
    Ok(text.to_owned())
}
