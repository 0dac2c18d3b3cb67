//! What an import takes from where: JSON, kept as it was given.

use std::collections::BTreeSet;
use std::path::{Component, Path};
use std::sync::Arc;

use raft::blocklist::{Import, Kind};
use serde::Deserialize;

use super::format::{self, Format};
use crate::list::report::{self, NumberOrText, label, labels, seconds};

/// The shortest time between two scheduled runs, in seconds: public feeds are to be fetched seldom.
const EVERY_SECONDS_MIN: i64 = 60;
/// The most values of one feed, if the profile names no other number.
const VALUES_MAX: usize = 1_000_000;

/// Where a feed is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    Url(url::Url),
    /// A path below `--imports-dir`.
    File(String),
}

/// A profile, read and checked.
pub(super) struct Profile {
    pub(super) place: Place,
    pub(super) format: &'static Format,
    pub(super) column: Option<String>,
    pub(super) kind: Kind,
    pub(super) label: Arc<str>,
    /// Of values of which the feed says nothing.
    pub(super) comment: Arc<str>,
    pub(super) tags: BTreeSet<Arc<str>>,
    pub(super) ttl: Option<i64>,
    /// Seconds between two runs; `None` is only when it is asked for.
    pub(super) every: Option<i64>,
    pub(super) growth_percent: u32,
    pub(super) shrink_percent: u32,
    pub(super) values_max: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    url: Option<String>,
    file: Option<String>,
    format: Option<String>,
    column: Option<String>,
    kind: Option<String>,
    label: Option<String>,
    comment: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    ttl: Option<NumberOrText>,
    every: Option<NumberOrText>,
    allowed_growth_percent: Option<u32>,
    allowed_shrink_percent: Option<u32>,
    values_max: Option<usize>,
}

impl Profile {
    /// Of an import that is kept.
    pub(super) fn of(import: &Import) -> Result<Profile, String> {
        Profile::parse(&import.name, import.profile.as_bytes())
    }

    /// Reads the profile of the import of this name.
    pub(super) fn parse(name: &str, text: &[u8]) -> Result<Profile, String> {
        let raw: Raw =
            serde_json::from_slice(text).map_err(|error| format!("the import is not understood: {error}"))?;
        let place = match (raw.url, raw.file) {
            (Some(url), None) => Place::Url(web(&url)?),
            (None, Some(file)) => Place::File(below(&file)?),
            _ => return Err("an import has either `url` or `file`".into()),
        };
        let kind = raw.kind.as_deref().unwrap_or("ip");
        let kind = kind.parse().map_err(|()| format!("kind `{}` is not known", kind.escape_default()))?;
        let every = raw.every.as_ref().map(seconds).transpose()?.filter(|every| *every > 0);
        let ttl = raw.ttl.as_ref().map(seconds).transpose()?;
        if every.is_some_and(|every| every < EVERY_SECONDS_MIN) {
            return Err(format!("`every` is at least {EVERY_SECONDS_MIN} seconds"));
        }
        if let (Some(every), Some(ttl)) = (every, ttl.filter(|ttl| *ttl > 0))
            && ttl < 2 * every
        {
            return Err(
                "`ttl` is at least twice `every`: what a feed still names must not expire between".into()
            );
        }
        let format = format::by_name(raw.format.as_deref().unwrap_or("plain"))?;
        if format.name == "csv" && raw.column.is_none() {
            return Err("the format `csv` needs `column`: the name or number of a column".into());
        }
        let comment = raw.comment.unwrap_or_else(|| format!("import {name}"));
        Ok(Profile {
            place,
            format,
            column: raw.column,
            kind,
            label: label("label", raw.label.as_deref().unwrap_or(name))?,
            comment: report::comment(&comment),
            tags: labels(raw.tags.iter().map(String::as_str))?,
            ttl,
            every,
            growth_percent: raw.allowed_growth_percent.unwrap_or(100),
            shrink_percent: raw.allowed_shrink_percent.unwrap_or(50).min(100),
            values_max: raw.values_max.unwrap_or(VALUES_MAX),
        })
    }
}

fn web(text: &str) -> Result<url::Url, String> {
    let url = url::Url::parse(text).map_err(|error| format!("url `{}`: {error}", text.escape_default()))?;
    match matches!(url.scheme(), "http" | "https") && url.has_host() {
        true => Ok(url),
        false => Err(format!("url `{}` is neither http nor https", text.escape_default())),
    }
}

/// A path that leads down, whatever it is put behind.
fn below(text: &str) -> Result<String, String> {
    let path = Path::new(text);
    let leads_down = path.components().all(|part| matches!(part, Component::Normal(_)));
    match leads_down && !text.is_empty() {
        true => Ok(text.to_owned()),
        false => Err(format!("file `{}` is not a path below --imports-dir", text.escape_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_says_what_is_taken_from_where() {
        let text = r#"{"url":"https://feeds.example/drop.txt","ttl":"7d","every":"12h","kind":"ip","tags":["drop"]}"#;
        let profile = Profile::parse("drop", text.as_bytes()).unwrap();
        assert_eq!(
            (profile.format.name, &*profile.label, &*profile.comment),
            ("plain", "drop", "import drop")
        );
        assert_eq!((profile.every, profile.ttl), (Some(43_200), Some(604_800)));
        assert_eq!((profile.growth_percent, profile.shrink_percent), (100, 50));
    }

    #[test]
    fn a_profile_that_cannot_work_is_refused_with_the_reason() {
        for (text, reason) in [
            ("{}", "either `url` or `file`"),
            (r#"{"url":"https://a.example/","file":"x"}"#, "either `url` or `file`"),
            (r#"{"url":"ftp://a.example/x"}"#, "neither http nor https"),
            (r#"{"url":"file:///etc/passwd"}"#, "neither http nor https"),
            (r#"{"url":"nowhere"}"#, "url `nowhere`"),
            (r#"{"file":"/etc/passwd"}"#, "below --imports-dir"),
            (r#"{"file":"../../etc/passwd"}"#, "below --imports-dir"),
            (r#"{"file":""}"#, "below --imports-dir"),
            (r#"{"file":"x","format":"xlsx"}"#, "allowed: plain, hosts"),
            (r#"{"file":"x","format":"csv"}"#, "needs `column`"),
            (r#"{"file":"x","kind":"ipv5"}"#, "kind `ipv5`"),
            (r#"{"file":"x","every":"5s"}"#, "at least 60"),
            (r#"{"file":"x","every":"1h","ttl":"1h"}"#, "at least twice"),
            (r#"{"file":"x","tll":"1h"}"#, "unknown field"),
            ("[", "not understood"),
        ] {
            let Err(error) = Profile::parse("drop", text.as_bytes()) else { panic!("{text} is taken") };
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
