//! What of a webhook's body means what. Read from the JSON that admins put, checked before it is kept.

mod raw;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use raft::blocklist::{Kind, Observable, Report};
use serde_json::Value;

use super::pointer::Pointer;
use crate::list::bulk::Refused;
use crate::list::report::{self, Defaults, label, labels, one_line};
use crate::parameters::duration;
use raw::{NumberOrText, OneOrMany, Raw, RawFilter};

/// The most parts of a comment, a source or the tags, and the most filters.
const PARTS_MAX: usize = 16;
/// The most values taken from one body.
const VALUES_MAX: usize = 100_000;

/// A checked mapping.
#[derive(Debug)]
pub(super) struct Mapping {
    kind: KindFrom,
    values: Vec<Pointer>,
    comment: Vec<Part>,
    source: Vec<Part>,
    tags: Vec<Part>,
    ttl: Option<Part>,
    filters: Vec<Filter>,
}

#[derive(Debug)]
enum KindFrom {
    Fixed(Kind),
    Named(Pointer),
}

/// A piece of text.
#[derive(Debug)]
enum Part {
    Literal(String),
    From(Pointer),
}

#[derive(Debug)]
struct Filter {
    pointer: Pointer,
    equals: Vec<Value>,
}

impl Mapping {
    /// Reads and checks a mapping; `Err` says what is wrong with it.
    pub(super) fn parse(text: &[u8]) -> Result<Mapping, String> {
        let form = r#"{"kind":…,"value":"/pointer",…}"#;
        let raw: Raw =
            serde_json::from_slice(text).map_err(|error| format!("the mapping is not {form}: {error}"))?;
        let kind = match raw.kind.parse::<Kind>() {
            Ok(kind) => KindFrom::Fixed(kind),
            Err(()) if raw.kind.starts_with('/') => KindFrom::Named(Pointer::parse(&raw.kind)?),
            Err(()) => return Err(format!("kind `{}` is neither a kind nor a pointer", one_line(&raw.kind))),
        };
        let values = raw.value.many();
        let filters = raw.filter.map_or_else(Vec::new, OneOrMany::many);
        if values.is_empty() || values.len() > PARTS_MAX || filters.len() > PARTS_MAX {
            return Err(format!("a mapping has 1 to {PARTS_MAX} values and at most {PARTS_MAX} filters"));
        }
        let filter = |filter: RawFilter| {
            Ok(Filter { pointer: Pointer::parse(&filter.pointer)?, equals: filter.equals.many() })
        };
        let mapping = Mapping {
            kind,
            values: values.iter().map(|text| Pointer::parse(text)).collect::<Result<_, _>>()?,
            comment: parts(raw.comment)?,
            source: parts(raw.source)?,
            tags: parts(raw.tags)?,
            ttl: match raw.ttl {
                None => None,
                Some(NumberOrText::Number(seconds)) => Some(Part::Literal(seconds.to_string())),
                Some(NumberOrText::Text(text)) => Some(Part::parse(&text)?),
            },
            filters: filters.into_iter().map(filter).collect::<Result<_, String>>()?,
        };
        mapping.check()?;
        Ok(mapping)
    }

    /// What is said of a value is found beside it: nothing may walk an array that no value walks.
    fn check(&self) -> Result<(), String> {
        if let Some(Part::Literal(text)) = &self.ttl
            && ttl(text).is_none()
        {
            return Err(format!("ttl `{}` is not a time such as 3600 or 7d", one_line(text)));
        }
        let walks = self.values.iter().map(Pointer::stars).min().unwrap_or(0);
        let parts = [&self.comment, &self.source, &self.tags].into_iter().flatten().chain(&self.ttl);
        let pointers =
            parts.filter_map(Part::pointer).chain(self.filters.iter().map(|filter| &filter.pointer));
        let kind = match &self.kind {
            KindFrom::Named(pointer) => Some(pointer),
            KindFrom::Fixed(_) => None,
        };
        match pointers.chain(kind).find(|pointer| pointer.stars() > walks) {
            Some(pointer) => Err(format!("`{pointer}` walks more arrays than the value")),
            None => Ok(()),
        }
    }

    /// The reports of a document, or why a line of them is none.
    pub(super) fn reports(&self, document: &Value, defaults: &Defaults) -> Vec<Result<Report, Refused>> {
        let places = self.values.iter().flat_map(|pointer| pointer.all(document)).take(VALUES_MAX);
        places.filter_map(|(walked, value)| self.report(document, &walked, value, defaults)).collect()
    }

    fn report(
        &self,
        document: &Value,
        walked: &[usize],
        value: &Value,
        defaults: &Defaults,
    ) -> Option<Result<Report, Refused>> {
        if !self.filters.iter().all(|filter| filter.passes(document, walked)) {
            return None;
        }
        let value = value.as_str().map(str::trim).filter(|value| !value.is_empty())?;
        let kind = match &self.kind {
            KindFrom::Fixed(kind) => *kind,
            KindFrom::Named(pointer) => kind_named(pointer.one(document, walked)?.as_str()?)?,
        };
        let read = || -> Result<Report, String> {
            let text = |parts: &[Part]| {
                let texts = parts.iter().flat_map(|part| part.texts(document, walked));
                texts.filter(|text| !text.is_empty()).collect::<Vec<_>>()
            };
            let comment = text(&self.comment).join(" ");
            let source = text(&self.source).join("/");
            let tags = text(&self.tags);
            let ttl = self.ttl.as_ref().and_then(|part| part.texts(document, walked).pop());
            Ok(Report {
                value: Observable::parse(kind, value).map_err(|malformed| malformed.to_string())?,
                comment: if comment.is_empty() {
                    defaults.comment.clone()
                } else {
                    report::comment(&comment)
                },
                source: match source.is_empty() {
                    true => defaults.source.clone(),
                    false => label("source", &one_line(&source))?,
                },
                // A time that cannot be read is no reason to lose the report.
                ttl: ttl.as_deref().and_then(self::ttl).or(defaults.ttl),
                tags: match tags.is_empty() {
                    true => defaults.tags.clone(),
                    false => self::tags(&tags)?,
                },
                seen: None,
            })
        };
        Some(read().map_err(|reason| Refused { line: 0, value: one_line(value).into_owned(), reason }))
    }
}

impl Filter {
    fn passes(&self, document: &Value, walked: &[usize]) -> bool {
        let found = self.pointer.one(document, walked);
        // A list holds what is looked for; a single member is it.
        match found {
            Some(Value::Array(items)) => items.iter().any(|item| self.equals.contains(item)),
            Some(value) => self.equals.contains(value),
            None => false,
        }
    }
}

impl Part {
    fn parse(text: &str) -> Result<Part, String> {
        match text.starts_with('/') {
            true => Pointer::parse(text).map(Part::From),
            false => Ok(Part::Literal(text.to_owned())),
        }
    }

    fn pointer(&self) -> Option<&Pointer> {
        match self {
            Part::From(pointer) => Some(pointer),
            Part::Literal(_) => None,
        }
    }

    fn texts(&self, document: &Value, walked: &[usize]) -> Vec<String> {
        let pointer = match self {
            Part::Literal(text) => return vec![text.clone()],
            Part::From(pointer) => pointer,
        };
        match pointer.one(document, walked) {
            Some(Value::Array(items)) => items.iter().filter_map(text).collect(),
            Some(value) => text(value).into_iter().collect(),
            None => Vec::new(),
        }
    }
}

fn parts(raw: Option<OneOrMany<String>>) -> Result<Vec<Part>, String> {
    let texts = raw.map_or_else(Vec::new, OneOrMany::many);
    match texts.len() > PARTS_MAX {
        true => Err(format!("more than {PARTS_MAX} parts")),
        false => texts.iter().map(|text| Part::parse(text)).collect(),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Tags as the body has them: several texts, or one with commas.
fn tags(texts: &[String]) -> Result<BTreeSet<Arc<str>>, String> {
    labels(texts.iter().flat_map(|text| text.split(',')))
}

/// Kinds as other programs call them.
fn kind_named(word: &str) -> Option<Kind> {
    match word.to_ascii_lowercase().as_str() {
        "ip" | "ip-src" | "ip-dst" | "range" | "ipv4" | "ipv6" => Some(Kind::Ip),
        "fqdn" | "hostname" => Some(Kind::Domain),
        "mail" | "email-src" => Some(Kind::Email),
        "uri" => Some(Kind::Url),
        "md5" | "sha1" | "sha256" => Some(Kind::Hash),
        other => other.parse().ok(),
    }
}

/// Seconds of `3600`, `7d`, and of Go's `3h59m59.5s`.
fn ttl(text: &str) -> Option<i64> {
    let text = text.trim();
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let unit = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let next = rest[unit..].find(|c: char| !c.is_ascii_alphabetic()).map_or(rest.len(), |at| unit + at);
        seconds += duration(&rest[..next])?;
        rest = &rest[next..];
    }
    (!text.is_empty()).then_some(f64::ceil(seconds) as i64)
}
