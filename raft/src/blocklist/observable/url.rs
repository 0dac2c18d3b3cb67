//! URLs: absolute, of the schemes that a proxy sees, in the WHATWG serialization.

use url::Url;

use super::malformed::Reason;

/// The longest URL, in bytes of its canonical form.
const URL_BYTES_MAX: usize = 2048;
/// The schemes that can be listed.
const SCHEMES: [&str; 3] = ["http", "https", "ftp"];

pub(super) fn parse(text: &str) -> Result<String, Reason> {
    // The URL parser would repair what follows; two spellings of a mistake are better refused.
    if text.contains(char::is_whitespace) || text.contains('\\') || !text.contains("://") {
        return Err(None);
    }
    let url = Url::parse(text).map_err(|error| Some(error.to_string()))?;
    if !SCHEMES.contains(&url.scheme()) {
        return Err(Some(format!("its scheme is none of {}", SCHEMES.join(", "))));
    }
    if !url.has_host() {
        return Err(Some("it has no host".to_owned()));
    }
    let canonical = String::from(url);
    if canonical.len() > URL_BYTES_MAX {
        return Err(Some(format!("it is longer than {URL_BYTES_MAX} bytes")));
    }
    Ok(canonical)
}
