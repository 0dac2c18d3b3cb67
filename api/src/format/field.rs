//! The fields of an entry that can be asked for.

use std::io::Write;

use super::Row;
use crate::error::ApiError;

/// One column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Field {
    TimeAdded,
    TimeUpdated,
    Type,
    Value,
    Sighting,
    Comment,
    Source,
    Expires,
    Tags,
    Sources,
    Account,
    Index,
}

/// A field of one entry.
pub(crate) enum Content<'a> {
    /// Ours: no character in it needs care in any format.
    Plain(&'a dyn std::fmt::Display),
    /// Somebody's words.
    Text(&'a str),
    Number(u64),
    Texts(Vec<&'a str>),
    Nothing,
}

impl Field {
    pub(crate) const ALL: [Field; 12] = [
        Field::TimeAdded,
        Field::TimeUpdated,
        Field::Type,
        Field::Value,
        Field::Sighting,
        Field::Comment,
        Field::Source,
        Field::Expires,
        Field::Tags,
        Field::Sources,
        Field::Account,
        Field::Index,
    ];

    /// The talk's seven, in the order of its CSV.
    pub(crate) const COLUMNS: [Field; 7] = [
        Field::TimeAdded,
        Field::TimeUpdated,
        Field::Type,
        Field::Value,
        Field::Sighting,
        Field::Comment,
        Field::Source,
    ];

    /// The talk's seven, in the order of its JSON.
    pub(crate) const MEMBERS: [Field; 7] = [
        Field::Comment,
        Field::Sighting,
        Field::Source,
        Field::TimeAdded,
        Field::TimeUpdated,
        Field::Type,
        Field::Value,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Field::TimeAdded => "time_added",
            Field::TimeUpdated => "time_updated",
            Field::Type => "type",
            Field::Value => "value",
            Field::Sighting => "sighting",
            Field::Comment => "comment",
            Field::Source => "source",
            Field::Expires => "expires",
            Field::Tags => "tags",
            Field::Sources => "sources",
            Field::Account => "account",
            Field::Index => "index",
        }
    }

    /// Reads `fields=`; none is the format's default.
    pub(crate) fn parse_list(text: Option<&str>) -> Result<Vec<Field>, ApiError> {
        let words = text.unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty());
        let field = |word: &str| {
            Field::ALL.into_iter().find(|field| field.name() == word).ok_or_else(|| {
                let allowed = Field::ALL.map(Field::name).join(", ");
                ApiError::BadRequest(format!("field `{word}` is not known; allowed: {allowed}"))
            })
        };
        words.map(field).collect()
    }

    /// This field of a row. Values are somebody's words too, except addresses.
    pub(crate) fn of<'r>(self, row: &'r Row<'_>) -> Content<'r> {
        let entry = row.entry;
        match self {
            Field::TimeAdded => Content::Plain(&entry.time_added),
            Field::TimeUpdated => Content::Plain(&entry.time_updated),
            Field::Type => Content::Text(entry.value.kind().name()),
            Field::Value => match row.value.text() {
                Some(text) => Content::Text(text),
                None => Content::Plain(&row.value),
            },
            Field::Sighting => Content::Number(entry.sighting),
            Field::Comment => Content::Text(&entry.comment),
            Field::Source => Content::Text(entry.source()),
            Field::Expires => entry.expires().map_or(Content::Nothing, |time| Content::Plain(time)),
            Field::Tags => Content::Texts(entry.tags().iter().map(|tag| &**tag).collect()),
            Field::Sources => Content::Number(entry.source_count() as u64),
            Field::Account => Content::Text(entry.account()),
            Field::Index => Content::Number(entry.index),
        }
    }
}

/// Formats straight into a buffer, which takes everything.
pub(crate) fn write(out: &mut Vec<u8>, value: &dyn std::fmt::Display) {
    write!(out, "{value}").expect("a Vec takes every write");
}
