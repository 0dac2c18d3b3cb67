//! A bare text: what kind of value it is when nobody says so, where it ends, and what is said about it.

use raft::blocklist::{Kind, Observable};

/// What lists put between a value and a remark; no address, domain or hash holds one of them.
const MARKS: [char; 6] = [' ', '\t', ',', ';', '|', '#'];
/// Digits of an MD5, SHA-1 and SHA-256 in hex.
const HASH_DIGITS: [usize; 3] = [32, 40, 64];

/// A value with what follows it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) kind: Kind,
    pub(crate) value: &'a str,
    pub(crate) comment: &'a str,
}

/// Takes a line apart; a user name is all of it, and URLs and e-mail addresses end at white space only.
pub(crate) fn line(kind: Option<Kind>, text: &str) -> Line<'_> {
    let text = text.trim();
    let word = text.split([' ', '\t']).next().unwrap_or_default();
    let kind = kind.unwrap_or_else(|| match recognise(cut(word).trim_matches('"')) {
        // `#` and `;` may belong to a URL or to the local part of an e-mail address.
        Kind::Domain => recognise(word),
        kind => kind,
    });
    let value = match kind {
        Kind::Ip | Kind::Domain | Kind::Hash => cut(text),
        Kind::Url | Kind::Email => word,
        Kind::Username => text,
    };
    let comment = text[value.len()..].trim_start_matches(MARKS).trim_start_matches("//").trim();
    Line { kind, value: value.trim_matches('"'), comment }
}

fn cut(text: &str) -> &str {
    text.split(MARKS).next().unwrap_or_default()
}

/// The kind of a value without one; what looks like an address is one, so that a wrong one is told as such. User
/// names look like nothing, and have to be called so.
pub(super) fn recognise(text: &str) -> Kind {
    if looks_like_an_address(text) || Observable::parse(Kind::Ip, text).is_ok() {
        Kind::Ip
    } else if text.contains("://") {
        Kind::Url
    } else if text.contains('@') {
        Kind::Email
    } else if HASH_DIGITS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Kind::Hash
    } else {
        Kind::Domain
    }
}

/// Digits and dots, or hex digits and two colons or more, in front of a prefix length.
fn looks_like_an_address(text: &str) -> bool {
    let address = text.split_once('/').map_or(text, |(address, _)| address);
    let v4 = address.contains('.') && address.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let v6 = address.matches(':').count() >= 2
        && address.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'%'));
    v4 || v6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, kind: Kind, value: &str, comment: &str) {
        assert_eq!(line(None, text), Line { kind, value, comment }, "{text}");
    }

    #[test]
    fn a_bare_text_is_recognised() {
        for (text, kind) in [
            ("8.8.8.8", Kind::Ip),
            ("8.8.8.0/24", Kind::Ip),
            ("10.0.0.1/8", Kind::Ip), // wrong, as an address
            ("10.0.0.300", Kind::Ip),
            ("2001:db8::/32", Kind::Ip),
            ("fe80::1%1", Kind::Ip),
            ("::ffff:192.0.2.1", Kind::Ip),
            ("https://example.org/", Kind::Url),
            ("https://user@example.org/", Kind::Url),
            ("bob@example.org", Kind::Email),
            ("d41d8cd98f00b204e9800998ecf8427e", Kind::Hash),
            ("da39a3ee5e6b4b0d3255bfef95601890afd80709", Kind::Hash),
            ("d41d8cd98f00b204e9800998ecf8427", Kind::Domain), // a digit short
            ("example.org", Kind::Domain),
            ("example.org:443", Kind::Domain),
        ] {
            assert_eq!(recognise(text), kind, "{text}");
        }
    }

    #[test]
    fn what_follows_a_value_is_its_comment() {
        check("8.8.8.8 # public resolver", Kind::Ip, "8.8.8.8", "public resolver");
        check("8.8.8.8#bob@example.org", Kind::Ip, "8.8.8.8", "bob@example.org");
        check("8.8.8.0/24\tour // office", Kind::Ip, "8.8.8.0/24", "our // office");
        check("8.8.8.8 // dns", Kind::Ip, "8.8.8.8", "dns");
        check("\"8.8.8.8\",Google", Kind::Ip, "8.8.8.8", "Google");
        check("example.org ; shop", Kind::Domain, "example.org", "shop");
        check("https://example.org/#top our page", Kind::Url, "https://example.org/#top", "our page");
        check("o#neil@example.org # a person", Kind::Email, "o#neil@example.org", "a person");
        check("example.org", Kind::Domain, "example.org", "");
        let name = line(Some(Kind::Username), "two words # and more");
        assert_eq!((name.value, name.comment), ("two words # and more", ""));
    }
}
