//! One report as sensors send it, and the one way from there to the domain.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use raft::blocklist::{COMMENT_BYTES_MAX, Kind, Observable, Report, Timestamp};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::parameters::duration;

/// The longest source or tag, in characters.
const LABEL_CHARS_MAX: usize = 128;
/// The most tags of one report.
const TAGS_MAX: usize = 16;

/// A report in JSON, or as the columns of CSV and the pairs of a form. Unknown members are ignored, and so are
/// those of other kinds, whatever they hold.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RawReport<'a> {
    #[serde(borrow, deserialize_with = "text_if_text")]
    pub(crate) value: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text_if_text")]
    pub(crate) ip: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text_if_text")]
    pub(crate) domain: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text_if_text")]
    pub(crate) url: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text_if_text")]
    pub(crate) hash: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text_if_text")]
    pub(crate) email: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text_if_text")]
    pub(crate) username: Option<Cow<'a, str>>,
    /// What the value is, where it is not named by its kind; only the allow list reads it.
    #[serde(borrow, deserialize_with = "text_if_text")]
    pub(crate) kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) comment: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) source: Option<Cow<'a, str>>,
    /// A plain line, whole, where no kind has said what of it is the value.
    #[serde(skip)]
    pub(crate) line: Option<&'a str>,
    pub(crate) ttl: Option<NumberOrText>,
    pub(crate) seen: Option<NumberOrText>,
    pub(crate) tags: Option<Tags>,
}

/// The text of a member, borrowed where it can be; none of a member that holds anything else.
fn text_if_text<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Cow<'a, str>>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str::<Text<'de>>(raw.get()).ok().map(|text| text.0))
}

/// A text that is borrowed unless it holds escapes.
#[derive(Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// Sensors send numbers as numbers and as texts.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum NumberOrText {
    Number(f64),
    Text(String),
}

impl fmt::Display for NumberOrText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NumberOrText::Number(number) => number.fmt(f),
            NumberOrText::Text(text) => one_line(text).fmt(f),
        }
    }
}

/// `["a","b"]` or `"a,b"`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Tags {
    List(Vec<String>),
    Text(String),
}

impl Tags {
    pub(super) fn labels(&self) -> Result<BTreeSet<Arc<str>>, String> {
        match self {
            Tags::List(tags) => labels(tags.iter().map(String::as_str)),
            Tags::Text(text) => labels(text.split(',')),
        }
    }
}

/// What a report says where it is silent itself.
#[derive(Clone, Debug)]
pub(crate) struct Defaults {
    pub(crate) comment: Arc<str>,
    pub(crate) source: Arc<str>,
    pub(crate) ttl: Option<i64>,
    pub(crate) tags: BTreeSet<Arc<str>>,
}

impl<'a> RawReport<'a> {
    /// The text of the value: under the name of the kind, or `value`.
    pub(crate) fn text(&self, kind: Kind) -> Option<&str> {
        self.of(kind).or(self.value.as_deref())
    }

    /// The first value that stands under the name of its kind.
    pub(crate) fn named(&self) -> Option<(Kind, &str)> {
        Kind::ALL.into_iter().find_map(|kind| Some((kind, self.of(kind)?)))
    }

    fn of(&self, kind: Kind) -> Option<&str> {
        let named = match kind {
            Kind::Ip => &self.ip,
            Kind::Domain => &self.domain,
            Kind::Url => &self.url,
            Kind::Hash => &self.hash,
            Kind::Email => &self.email,
            Kind::Username => &self.username,
        };
        named.as_deref()
    }

    /// Sets a member by its name, as CSV and forms have it; false when there is none of that name.
    pub(crate) fn set(&mut self, name: &str, value: Cow<'a, str>) -> bool {
        let text = |value: Cow<'a, str>| Some(NumberOrText::Text(value.into_owned()));
        match name {
            "value" => self.value = Some(value),
            "ip" => self.ip = Some(value),
            "domain" => self.domain = Some(value),
            "url" => self.url = Some(value),
            "hash" => self.hash = Some(value),
            "email" => self.email = Some(value),
            "username" => self.username = Some(value),
            "kind" => self.kind = Some(value),
            "comment" => self.comment = Some(value),
            "source" => self.source = Some(value),
            "ttl" => self.ttl = text(value),
            "seen" => self.seen = text(value),
            "tags" => self.tags = Some(Tags::Text(value.into_owned())),
            _ => return false,
        }
        true
    }

    /// The report, or why it is none; the reason names the value.
    pub(crate) fn parse(self, kind: Kind, defaults: &Defaults) -> Result<Report, String> {
        let Some(text) = self.text(kind) else {
            return Err(format!("`{kind}` is missing"));
        };
        let value = Observable::parse(kind, text).map_err(|malformed| malformed.to_string())?;
        let comment = self.comment.as_deref().map_or_else(|| defaults.comment.clone(), comment);
        let source = match self.source.as_deref().map(str::trim).filter(|source| !source.is_empty()) {
            Some(source) => label("source", source)?,
            None => defaults.source.clone(),
        };
        let ttl = match self.ttl {
            Some(ttl) => Some(seconds(&ttl)?),
            None => defaults.ttl,
        };
        let tags = match self.tags {
            Some(tags) => tags.labels()?,
            None => defaults.tags.clone(),
        };
        let seen = match self.seen {
            Some(seen) => Some(moment("seen", &seen)?),
            None => None,
        };
        Ok(Report { value, comment, source, ttl, tags, seen })
    }
}

/// Seconds of a ttl; 0 and less is never.
pub(crate) fn seconds(ttl: &NumberOrText) -> Result<i64, String> {
    match duration(&ttl.to_string()) {
        Some(seconds) => Ok(seconds.ceil() as i64),
        None => Err(format!("ttl `{ttl}` is not a time such as 3600 or 7d")),
    }
}

/// A moment that a member names.
pub(super) fn moment(member: &str, text: &NumberOrText) -> Result<Timestamp, String> {
    Timestamp::parse(&text.to_string())
        .ok_or_else(|| format!("{member} `{text}` is neither RFC 3339 nor seconds since 1970"))
}

/// Reads `tags=` and the like.
pub(crate) fn labels<'t>(texts: impl Iterator<Item = &'t str>) -> Result<BTreeSet<Arc<str>>, String> {
    let tags: BTreeSet<Arc<str>> = texts
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
        .map(|tag| label("tag", tag))
        .collect::<Result<_, _>>()?;
    match tags.len() > TAGS_MAX {
        true => Err(format!("more than {TAGS_MAX} tags")),
        false => Ok(tags),
    }
}

/// A short text that names something.
pub(crate) fn label(what: &str, text: &str) -> Result<Arc<str>, String> {
    if text.chars().count() > LABEL_CHARS_MAX || text.chars().any(char::is_control) {
        return Err(format!(
            "{what} `{}` is not a name of at most {LABEL_CHARS_MAX} characters",
            one_line(text)
        ));
    }
    Ok(text.into())
}

/// Free text without control characters: a comment is one line, with nothing but words at its ends.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    let text = text.trim_matches(|letter: char| letter.is_whitespace() || letter.is_control());
    match text.chars().any(char::is_control) {
        true => text.replace(char::is_control, " ").into(),
        false => text.into(),
    }
}

/// A comment: one line, and no more of it than is kept, so that what is sent to all nodes is bounded.
pub(crate) fn comment(text: &str) -> Arc<str> {
    let line = one_line(text);
    line[..line.floor_char_boundary(COMMENT_BYTES_MAX)].trim_end().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_no_longer_than_what_is_kept() {
        let kept = COMMENT_BYTES_MAX;
        let rows = [
            ("\r\n scan\tof ports ".to_owned(), "scan of ports".to_owned()),
            ("x".repeat(kept + 1), "x".repeat(kept)),
            ("é".repeat(kept), "é".repeat(kept / 2)),
            ("x".repeat(kept - 1) + "  é", "x".repeat(kept - 1)),
        ];
        for (text, expected) in rows {
            assert_eq!(*comment(&text), *expected);
        }
    }

    #[test]
    fn a_text_of_one_line_is_itself_as_one_line() {
        let rows = [
            (" a b ", "a b"),
            ("a\r\nb\n", "a  b"),
            ("\u{0} \u{1} x", "x"),
            ("x \u{7}\u{85}", "x"),
            ("\u{7}", ""),
            ("", ""),
        ];
        for (text, line) in rows {
            assert_eq!(one_line(text), line, "{text:?}");
            assert_eq!(one_line(line), line);
        }
    }
}
