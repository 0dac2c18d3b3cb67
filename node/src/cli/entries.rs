//! `stockade add`, `delete`, `get`

use clap::Args;
use serde_json::{Map, Value, json};

use super::client::{As, Client, Connection, encode};
use super::{Ended, output};

/// The kind of value that a command is about.
#[derive(Args)]
pub(super) struct Kind {
    /// What the values are: ip, domain, url, hash, email or username
    #[arg(long, value_name = "KIND", default_value = "ip")]
    pub(super) kind: String,
}

#[derive(Args)]
pub(super) struct Values {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    kind: Kind,
    /// The values
    #[arg(required = true)]
    values: Vec<String>,
}

#[derive(Args)]
pub(super) struct Add {
    #[command(flatten)]
    values: Values,
    /// Why
    #[arg(long)]
    comment: Option<String>,
    /// Who saw it; by default the address of this machine
    #[arg(long)]
    source: Option<String>,
    /// When it leaves the list: 3600, 12h, 7d; 0 is never
    #[arg(long)]
    ttl: Option<String>,
    /// A label; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
}

#[derive(Args)]
pub(super) struct Get {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    kind: Kind,
    /// The value
    value: String,
    /// json, xml, csv, txt or ndjson
    #[arg(long, default_value = "json")]
    format: String,
}

impl Add {
    pub(super) fn run(self) -> Result<Ended, String> {
        let client = Client::new(&self.values.connection);
        for value in &self.values.values {
            let mut report = Map::from_iter([("value".to_owned(), json!(value))]);
            for (name, given) in [("comment", &self.comment), ("source", &self.source), ("ttl", &self.ttl)] {
                report.extend(given.iter().map(|text| (name.to_owned(), json!(text))));
            }
            if !self.tags.is_empty() {
                report.insert("tags".to_owned(), json!(self.tags));
            }
            let path = format!("/{}/add", self.values.kind.kind);
            let answer = client.send("POST", &path, As::Account, &Value::Object(report))?.success()?;
            let what = if answer.status == 201 { "listed" } else { "sighted" };
            output::line(&format!("{value} {what}"))?;
        }
        Ok(Ended::Done)
    }
}

impl Values {
    /// Deletes the values; one that is not listed makes the exit code 1.
    pub(super) fn run(self) -> Result<Ended, String> {
        let client = Client::new(&self.connection);
        let mut ended = Ended::Done;
        for value in &self.values {
            let path = format!("/{}/delete", self.kind.kind);
            let answer = client.send("POST", &path, As::Account, &json!({ "value": value }))?;
            if answer.status == 404 {
                output::error(&answer.message());
                ended = Ended::NotListed;
                continue;
            }
            answer.success()?;
            output::line(&format!("{value} deleted"))?;
        }
        Ok(ended)
    }
}

impl Get {
    pub(super) fn run(self) -> Result<Ended, String> {
        let path = format!("/{}/{}?format={}", self.kind.kind, encode(&self.value), encode(&self.format));
        let answer = Client::new(&self.connection).get(&path, As::Account)?;
        if answer.status == 404 {
            output::error(&answer.message());
            return Ok(Ended::NotListed);
        }
        output::bytes(&answer.success()?.body)?;
        Ok(Ended::Done)
    }
}
