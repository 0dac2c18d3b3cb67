//! MISP's warning lists: values that are known to be no threat, in the form in which they are published
//! (<https://github.com/MISP/misp-warninglists>).

use raft::blocklist::{Kind, NewAllow, Observable};
use serde::Deserialize;
use serde_json::Value;

use super::body::{Defaults, Refused};
use super::plain;
use crate::error::ApiError;
use crate::list::report;

/// A list that is called by its name; what else it says (version, description, attributes) is not kept.
#[derive(Deserialize)]
pub(super) struct WarningList {
    #[serde(default)]
    name: String,
    #[serde(default = "string")]
    r#type: String,
    list: Vec<Value>,
}

fn string() -> String {
    "string".into()
}

/// The warning list that a body is, if it is one: no report has a member `list`.
pub(super) fn read(bytes: &[u8]) -> Option<WarningList> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(bytes).ok()
}

impl WarningList {
    /// Its entries, numbered by their place, with its name as their comment.
    pub(super) fn entries(
        self,
        defaults: &Defaults,
    ) -> Result<impl Iterator<Item = (usize, Result<NewAllow, Refused>)>, ApiError> {
        let kind = match self.r#type.as_str() {
            "cidr" => Some(Kind::Ip),
            "hostname" => Some(Kind::Domain),
            "string" => defaults.kind,
            word @ ("substring" | "regex") => {
                let reason = format!(
                    "a warning list of type `{word}` cannot be allowed: its entries are patterns, not values; the \
                     types cidr, hostname and string can"
                );
                return Err(ApiError::Invalid(reason));
            }
            word => {
                let reason =
                    format!("warning list type `{word}` is not known; it is cidr, hostname or string");
                return Err(ApiError::Invalid(reason));
            }
        };
        let comment = match report::comment(&self.name) {
            name if name.is_empty() => defaults.comment.clone(),
            name => name,
        };
        let hostnames = self.r#type == "hostname";
        let entry = move |item: Value| {
            let Value::String(text) = item else {
                return Err(Refused { value: item.to_string(), reason: "not a text".into() });
            };
            let value = if hostnames { text.trim().trim_start_matches('.') } else { text.trim() };
            let kind = kind.unwrap_or_else(|| plain::recognise(value));
            let value = Observable::parse(kind, value)
                .map_err(|malformed| Refused { value: text.clone(), reason: malformed.to_string() })?;
            Ok(NewAllow { value, comment: comment.clone() })
        };
        Ok((1..).zip(self.list).map(move |(number, item)| (number, entry(item))))
    }
}
