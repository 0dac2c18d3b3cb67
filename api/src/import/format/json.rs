//! Feeds of JSON.

use std::collections::VecDeque;

use raft::blocklist::Kind;
use serde::Deserialize;
use serde_json::Value;

use super::csv::{is_of, without_port};
use super::lines::telling;
use super::{Named, Wanted};

/// A line of Spamhaus DROP; the last one is about the list and has no network.
#[derive(Deserialize)]
struct Drop {
    cidr: Option<String>,
    #[serde(default)]
    sblid: String,
}

pub(super) fn drop(text: &str, _: Wanted<'_>) -> Result<Vec<Named>, String> {
    let mut named = Vec::new();
    for (line, text) in telling(text) {
        match serde_json::from_str::<Drop>(text) {
            Ok(Drop { cidr: Some(value), sblid }) => named.push(Named { line, value, comment: sblid }),
            Ok(Drop { cidr: None, .. }) => {}
            Err(_) => named.push(Named { line, value: text.to_owned(), comment: String::new() }),
        }
    }
    Ok(named)
}

pub(super) fn warning_list(text: &str, _: Wanted<'_>) -> Result<Vec<Named>, String> {
    #[derive(Deserialize)]
    struct WarningList {
        #[serde(default)]
        name: String,
        list: Vec<String>,
    }
    let WarningList { name, list } =
        serde_json::from_str(text).map_err(|error| format!("this is no warning list of MISP: {error}"))?;
    let named = (1..).zip(list).map(|(line, value)| Named { line, value, comment: name.clone() });
    Ok(named.collect())
}

/// Every object with `type` and `value`, wherever it stands: attributes of events, of objects in them, and of what a
/// search answers. What is not meant for detection (`to_ids`) is left out.
pub(super) fn misp(text: &str, wanted: Wanted<'_>) -> Result<Vec<Named>, String> {
    let document: Value =
        serde_json::from_str(text).map_err(|error| format!("this is no JSON of MISP: {error}"))?;
    let mut named = Vec::new();
    let mut left = VecDeque::from([&document]);
    while let Some(value) = left.pop_front() {
        match value {
            Value::Array(values) => left.extend(values),
            Value::Object(members) => {
                named.extend(attribute(value, wanted.kind, named.len() + 1));
                left.extend(members.values());
            }
            _ => {}
        }
    }
    Ok(named)
}

fn attribute(value: &Value, kind: Kind, line: usize) -> Option<Named> {
    let (named, text) = (value["type"].as_str()?, value["value"].as_str()?);
    let is_wanted = is_of(named, kind) && value["to_ids"].as_bool().unwrap_or(true);
    is_wanted.then(|| Named {
        line,
        value: without_port(kind, text).to_owned(),
        comment: value["comment"].as_str().unwrap_or_default().to_owned(),
    })
}

/// The name of the form of such a document.
pub(super) fn recognise(text: &str) -> Option<&'static str> {
    let Value::Object(members) = serde_json::from_str(text).ok()? else { return None };
    if members.get("list").is_some_and(Value::is_array) && members.contains_key("name") {
        return Some("misp-warninglist");
    }
    ["Event", "response", "Attribute"].iter().any(|name| members.contains_key(*name)).then_some("misp")
}
