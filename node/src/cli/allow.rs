//! `stockade allow`: what must never be blocked.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{As, Body, Client, Connection, encode};
use super::import::{Totals, Upload, open};
use super::{Ended, output};

/// Lines in one request of an import.
const LINES: u16 = 1000;
/// What the counts call entries that were allowed before.
const UPDATED: &str = "updated";

#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Allow values: from now on nobody lists them, and no export holds them
    Add {
        #[command(flatten)]
        connection: Connection,
        #[command(flatten)]
        kind: Kind,
        /// Why; whoever tries to list one of them reads it
        #[arg(long)]
        comment: Option<String>,
        /// The values
        #[arg(required = true)]
        values: Vec<String>,
    },
    /// Allow them no longer; exit code 1 when one was not allowed
    Delete {
        #[command(flatten)]
        connection: Connection,
        #[command(flatten)]
        kind: Kind,
        /// The values
        #[arg(required = true)]
        values: Vec<String>,
    },
    /// Write the allow list to standard output
    List {
        #[command(flatten)]
        connection: Connection,
        /// Only this kind: ip, domain, url, hash, email or username
        #[arg(long, value_name = "KIND")]
        kind: Option<String>,
        /// txt, csv or json
        #[arg(long, default_value = "txt")]
        format: String,
    },
    /// Show what allows a value, and how many reports it has refused; exit code 1 when nothing does
    Get {
        #[command(flatten)]
        connection: Connection,
        /// The value
        value: String,
    },
    /// Allow all values of a file or of standard input
    Import {
        #[command(flatten)]
        connection: Connection,
        #[command(flatten)]
        kind: Kind,
        /// The comment of all values that bring none themselves
        #[arg(long)]
        comment: Option<String>,
        /// One value a line with its comment behind white space or `#`, CSV whose header names the value, NDJSON, or
        /// a MISP warning list of type cidr, hostname or string, whose name is the comment of its values; `-` is
        /// standard input
        file: PathBuf,
    },
}

/// The kind of the values, where they do not tell it.
#[derive(Args)]
struct Kind {
    /// What the values are: ip, domain, url, hash, email or username; by default what they look like, which is never
    /// a user name
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
}

impl Arguments {
    pub(super) fn run(self) -> Result<Ended, String> {
        match self.action {
            Action::Add { connection, kind, comment, values } => {
                add(&Client::new(&connection), &kind, comment.as_deref(), &values)
            }
            Action::Delete { connection, kind, values } => delete(&Client::new(&connection), &kind, &values),
            Action::List { connection, kind, format } => {
                let path = path("/allow/all", &[("format", Some(&format)), ("kind", kind.as_deref())]);
                output::bytes(&Client::new(&connection).get(&path, As::Account)?.success()?.body)?;
                Ok(Ended::Done)
            }
            Action::Get { connection, value } => get(&Client::new(&connection), &value),
            Action::Import { connection, kind, comment, file } => {
                import(&Client::new(&connection), &kind, comment.as_deref(), &file)
            }
        }
    }
}

fn add(client: &Client, kind: &Kind, comment: Option<&str>, values: &[String]) -> Result<Ended, String> {
    let path = path("/allow/add", &[("kind", kind.kind.as_deref()), ("comment", comment)]);
    for value in values {
        let answer = client.send("POST", &path, As::Account, &json!({ "value": value }))?.success()?;
        let what = if answer.status == 201 { "allowed" } else { "allowed already" };
        output::line(&format!("{value} {what}"))?;
    }
    Ok(Ended::Done)
}

fn delete(client: &Client, kind: &Kind, values: &[String]) -> Result<Ended, String> {
    let path = path("/allow/delete", &[("kind", kind.kind.as_deref())]);
    let mut ended = Ended::Done;
    for value in values {
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

fn get(client: &Client, value: &str) -> Result<Ended, String> {
    let answer = client.get(&format!("/allow/{}", encode(value)), As::Account)?;
    if answer.status == 404 {
        output::error(&answer.message());
        return Ok(Ended::NotListed);
    }
    output::line(String::from_utf8_lossy(&answer.success()?.body).trim_end())?;
    Ok(Ended::Done)
}

/// JSON goes in one request, since a warning list is one text; lines in requests of some.
fn import(client: &Client, kind: &Kind, comment: Option<&str>, file: &Path) -> Result<Ended, String> {
    let path = path("/allow/add", &[("kind", kind.kind.as_deref()), ("comment", comment)]);
    let problem = |error: std::io::Error| format!("{}: {error}", file.display());
    let (mut reader, bytes) = open(file).map_err(problem)?;
    if !begins_as_json(reader.fill_buf().map_err(problem)?) {
        let kind = kind.kind.as_deref().unwrap_or("value");
        // One after the other: entries of a list with the same value shall end as the last one says.
        let upload = Upload { client, path: &path, kind, lines: LINES, parallel: 1, counted_again: UPDATED };
        return upload.send(reader, bytes, problem);
    }
    let mut json = Vec::new();
    reader.read_to_end(&mut json).map_err(problem)?;
    let body = Body { content_type: "application/json", bytes: &json };
    let answer = client.ask("POST", &path, As::Account, Some(body))?.success()?;
    let mut totals = Totals::default();
    match answer.json()? {
        told @ Value::Object(_) if told.get("added").is_some() => totals.add(&told, 0),
        // A file with a single entry is answered for itself.
        _ if answer.status == 201 => totals.add(&json!({ "added": 1 }), 0),
        _ => totals.add(&json!({ "sighted": 1 }), 0),
    }
    totals.tell(UPDATED)?;
    Ok(Ended::Done)
}

fn begins_as_json(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// A path with those parameters that are given.
fn path(route: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let mut path = route.to_owned();
    let mut mark = '?';
    for (name, text) in parameters {
        if let Some(text) = text {
            path.push_str(&format!("{mark}{name}={}", encode(text)));
            mark = '&';
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_list_is_known_by_its_beginning() {
        for (text, json) in [
            ("{\n  \"name\"", true),
            ("\u{feff} [\"192.0.2.1\"]", true),
            ("192.0.2.1\n", false),
            ("# {\n192.0.2.1", false),
            ("", false),
        ] {
            assert_eq!(begins_as_json(text.as_bytes()), json, "{text}");
        }
    }

    #[test]
    fn a_path_has_the_parameters_that_are_given() {
        let both = [("kind", Some("ip")), ("comment", Some("our office"))];
        assert_eq!(path("/allow/add", &both), "/allow/add?kind=ip&comment=our%20office");
        assert_eq!(path("/allow/add", &[("kind", None), ("comment", None)]), "/allow/add");
    }
}
