//! Domain names: IDNA to ASCII, lower case, no final dot; never a bare public suffix.

use super::malformed::Reason;

/// The longest name (RFC 1035 section 2.3.4, as text without the final dot).
const DOMAIN_BYTES_MAX: usize = 253;
/// The longest label.
const LABEL_BYTES_MAX: usize = 63;

pub(super) fn parse(text: &str) -> Result<String, Reason> {
    let domain = canonical(text)?;
    if psl::domain_str(&domain).is_none() {
        return Err(Some("it is a public suffix, under which strangers have their names".to_owned()));
    }
    Ok(domain)
}

/// The canonical form of a domain that may also be a public suffix, as the domain of a mail address may.
pub(super) fn canonical(text: &str) -> Result<String, Reason> {
    if text.starts_with("*.") {
        return Err(Some("a wildcard is no domain, give the domain itself".to_owned()));
    }
    if text.contains(char::is_whitespace) {
        return Err(None);
    }
    let ascii = idna::domain_to_ascii(text.strip_suffix('.').unwrap_or(text)).map_err(|_| None)?;
    if ascii.len() > DOMAIN_BYTES_MAX {
        return Err(Some(format!("it is longer than {DOMAIN_BYTES_MAX} bytes")));
    }
    if !ascii.split('.').all(is_label) {
        return Err(None);
    }
    match ascii.rsplit_once('.') {
        None => Err(Some("it has a single label".to_owned())),
        Some((_, last)) if is_number(last) => Err(Some("it is an IP address".to_owned())),
        Some(_) => Ok(ascii),
    }
}

/// The underscore is no part of a host name, but of names in DNS that are worth blocking.
fn is_label(label: &str) -> bool {
    let letter =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    (1..=LABEL_BYTES_MAX).contains(&label.len())
        && label.bytes().all(letter)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Whether parsers of URLs would take a name that ends in this label for an IPv4 address (WHATWG URL,
/// "ends in a number").
fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    hex || label.bytes().all(|byte| byte.is_ascii_digit())
}
