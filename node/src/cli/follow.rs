//! `stockade follow`: keeps a firewall of this machine in step with the list. The change feed says when; the whole list
//! is fetched, checked and handed over, so that nothing depends on what the firewall had before.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::Args;

use super::client::{Answer, As, Client, Connection, encode, rest};
use super::entries::Kind;
use super::export::Filters;
use super::{Ended, output};

/// How long one request waits for a change; then the list is asked for again, since filters by time and reports that wait
/// for a majority change it without one.
const WAIT: Duration = Duration::from_secs(15);
/// A node that says nothing for so long beyond that is given up for the next.
const GRACE: Duration = Duration::from_secs(5);
/// After a change, so that a burst of them is one.
const SETTLE: Duration = Duration::from_millis(100);
/// After a failure.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Args)]
#[group(id = "target", required = true, multiple = true, args = ["exec", "file"])]
pub(super) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    kind: Kind,
    /// The format of the list: txt, csv, json, or that of a firewall
    #[arg(long, default_value = "txt")]
    format: String,
    /// The fields, separated by commas, where the format has a choice
    #[arg(long)]
    fields: Option<String>,
    /// More parameters of the format, such as table=filter&set4=bad4
    #[arg(long, value_name = "QUERY")]
    parameters: Option<String>,
    #[command(flatten)]
    filters: Filters,
    /// Run this with the whole list on its standard input, at first and at every change
    #[arg(long, value_name = "COMMAND")]
    exec: Option<String>,
    /// Keep the whole list in this file, which is replaced at once or not at all; before --exec
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Fetch the list once, and end
    #[arg(long)]
    once: bool,
}

/// A whole list, and what it is.
struct Fetched {
    bytes: Vec<u8>,
    index: u64,
}

/// Why there is no new list.
enum Failure {
    /// What is asked for makes no sense, and will not later.
    Wrong(String),
    /// Not now.
    Passing(String),
}

impl From<String> for Failure {
    fn from(message: String) -> Failure {
        Failure::Passing(message)
    }
}

impl Failure {
    fn message(self) -> String {
        match self {
            Failure::Wrong(message) | Failure::Passing(message) => message,
        }
    }
}

impl Arguments {
    pub(super) fn run(self) -> Result<Ended, String> {
        let lists = Client::new(&self.connection);
        if self.once {
            let fetched = self.fetch(&lists, None).map_err(Failure::message)?;
            self.apply(&fetched.bytes)?;
            return Ok(Ended::Done);
        }
        let changes = Client::with_try_timeout(&self.connection, WAIT + GRACE);
        let mut applied: Option<Vec<u8>> = None;
        let mut since = None;
        let mut trouble = String::new();
        loop {
            match self.step(&lists, &changes, &mut applied, since) {
                Ok(index) => {
                    if !trouble.is_empty() {
                        output::error("stockade: following again");
                        trouble.clear();
                    }
                    since = Some(index);
                }
                // A mistake of whoever started it is told at once; later, a node may only be of another build.
                Err(Failure::Wrong(error)) if applied.is_none() => return Err(error),
                Err(failure) => {
                    let error = failure.message();
                    // The last list stays; the same trouble is told once.
                    if error != trouble {
                        output::error(&format!("stockade: {error}; the last list stays"));
                        trouble = error;
                    }
                    since = None;
                    rest(PAUSE);
                }
            }
        }
    }

    /// Waits for a change after `since`, and brings the firewall up to it; the index it is at.
    fn step(
        &self,
        lists: &Client,
        changes: &Client,
        applied: &mut Option<Vec<u8>>,
        since: Option<u64>,
    ) -> Result<u64, Failure> {
        let reached = match since {
            Some(since) => self.wait_for_change(changes, since)?,
            None => None,
        };
        let fetched = self.fetch(lists, reached)?;
        if applied.as_ref() != Some(&fetched.bytes) {
            self.apply(&fetched.bytes)?;
            *applied = Some(fetched.bytes);
        }
        Ok(fetched.index)
    }

    /// The index that is to be shown at least; `None` when anything will do.
    fn wait_for_change(&self, changes: &Client, since: u64) -> Result<Option<u64>, String> {
        let (kind, wait) = (&self.kind.kind, WAIT.as_secs());
        let path = format!("/{kind}/changes?since={since}&wait={wait}s&fields=value");
        let answer = changes.get(&path, As::Account)?;
        if answer.status == 410 {
            return Ok(None);
        }
        let changed = answer.success()?.json()?;
        let none = |name: &str| changed[name].as_array().is_none_or(Vec::is_empty);
        if !(none("added") && none("removed")) {
            rest(SETTLE);
        }
        Ok(changed["index"].as_u64().or(Some(since)))
    }

    fn fetch(&self, lists: &Client, min_index: Option<u64>) -> Result<Fetched, Failure> {
        let mut path = format!("/{}/all?format={}", self.kind.kind, encode(&self.format));
        if let Some(fields) = &self.fields {
            path.push_str(&format!("&fields={}", encode(fields)));
        }
        self.filters.append_to(&mut path);
        if let Some(more) = self.parameters.as_deref().filter(|more| !more.is_empty()) {
            path.push_str(&format!("&{}", more.trim_start_matches(['?', '&'])));
        }
        if let Some(index) = min_index {
            path.push_str(&format!("&min_index={index}"));
        }
        let answer = lists.get(&path, As::Account)?;
        if matches!(answer.status, 400 | 404 | 422) {
            return Err(Failure::Wrong(answer.message()));
        }
        let answer = answer.success()?;
        let index = whole(&answer)?;
        Ok(Fetched { bytes: answer.body, index })
    }

    fn apply(&self, list: &[u8]) -> Result<(), String> {
        if let Some(file) = &self.file {
            replace(file, list).map_err(|error| format!("{}: {error}", file.display()))?;
        }
        match &self.exec {
            Some(command) => execute(command, list),
            None => Ok(()),
        }
    }
}

/// The index of a list that has all its bytes. A list without a length may have been cut by anything on the way, and
/// half a network is a network of another size.
fn whole(answer: &Answer) -> Result<u64, String> {
    let number = |name: &str| answer.header(name).and_then(|value| value.parse::<u64>().ok());
    match number("content-length") {
        Some(length) if length == answer.body.len() as u64 => {}
        Some(length) => return Err(format!("the list was cut: {} of {length} bytes", answer.body.len())),
        None => return Err("the list has no Content-Length, and may be cut".into()),
    }
    if answer.body.last().is_none_or(|last| !b"\n}]>".contains(last)) {
        return Err("the list does not end with a line's end".into());
    }
    number("stockade-index").ok_or_else(|| "this is no list: it has no Stockade-Index".into())
}

/// The new content on disk, then the name: at any moment the file is one whole list.
fn replace(file: &Path, list: &[u8]) -> std::io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = file.with_file_name(name);
    let mut out = File::create(&new)?;
    out.write_all(list)?;
    out.sync_all()?;
    fs::rename(&new, file)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

fn execute(command: &str, list: &[u8]) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("`{command}`: {error}");
    let mut child = Command::new("sh").args(["-c", command]).stdin(Stdio::piped()).spawn().map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // A command may look elsewhere for the list, and close its input.
        match input.write_all(list) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(failed(error)),
            _ => {}
        }
    }
    let status = child.wait().map_err(failed)?;
    if status.success() { Ok(()) } else { Err(format!("`{command}` failed: {status}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(&'static str, &str)], body: &str) -> Answer {
        let headers = headers
            .iter()
            .map(|(name, value)| (ureq::http::HeaderName::from_static(name), value.parse().unwrap()));
        Answer { status: 200, headers: headers.collect(), body: body.into() }
    }

    #[test]
    fn only_a_whole_list_is_one() {
        type Headers = &'static [(&'static str, &'static str)];
        let rows: [(Headers, &str, Result<u64, &str>); 6] = [
            (&[("stockade-index", "7"), ("content-length", "10")], "192.0.2.1\n", Ok(7)),
            (&[("stockade-index", "7"), ("content-length", "1")], "\n", Ok(7)),
            (&[("stockade-index", "7"), ("content-length", "10")], "192.0.2.", Err("cut")),
            (&[("stockade-index", "7")], "192.0.2.1\n", Err("no Content-Length")),
            (&[("content-length", "10")], "192.0.2.1\n", Err("Stockade-Index")),
            (&[("stockade-index", "7"), ("content-length", "0")], "", Err("line's end")),
        ];
        for (headers, body, expected) in rows {
            match (whole(&answer(headers, body)), expected) {
                (Ok(index), Ok(expected)) => assert_eq!(index, expected),
                (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
                (found, _) => panic!("{headers:?} {body}: {found:?}"),
            }
        }
    }
}
