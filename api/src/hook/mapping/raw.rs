//! A mapping as it is put: what begins with `/` is a pointer, everything else is meant as it stands.

use raft::blocklist::Kind;
use serde::Deserialize;
use serde_json::Value;

/// All of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    #[serde(default = "ip")]
    pub(super) kind: String,
    pub(super) value: OneOrMany<String>,
    pub(super) comment: Option<OneOrMany<String>>,
    pub(super) source: Option<OneOrMany<String>>,
    pub(super) tags: Option<OneOrMany<String>>,
    pub(super) ttl: Option<NumberOrText>,
    pub(super) filter: Option<OneOrMany<RawFilter>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFilter {
    pub(super) pointer: String,
    pub(super) equals: OneOrMany<Value>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "neither a text, nor a filter such as {\"pointer\":…,\"equals\":…}, nor a list of them"
)]
pub(super) enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum NumberOrText {
    Number(i64),
    Text(String),
}

impl<T> OneOrMany<T> {
    pub(super) fn many(self) -> Vec<T> {
        match self {
            OneOrMany::Many(many) => many,
            OneOrMany::One(one) => vec![one],
        }
    }
}

fn ip() -> String {
    Kind::Ip.name().into()
}
