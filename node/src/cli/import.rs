//! `stockade import`: all values of a file, in requests of some lines, several of them under way.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use api::import::format::{self, Format, Wanted};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::chunks::{self, Chunk};
use super::client::{As, Body, Client, Connection, encode};
use super::entries::Kind;
use super::{Ended, output};

/// Refused lines that are shown.
const REFUSED_SHOWN_MAX: usize = 20;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    kind: Kind,
    /// The comment of all values
    #[arg(long)]
    comment: Option<String>,
    /// The source of all values; by default the address of this machine
    #[arg(long)]
    source: Option<String>,
    /// When they leave the list: 3600, 12h, 7d; 0 is never
    #[arg(long)]
    ttl: Option<String>,
    /// A label for all values; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// A name for this import, by which an admin can undo it
    #[arg(long, value_name = "NAME")]
    label: Option<String>,
    /// Which public feed's form the file has: `plain`, `hosts`, `dshield`, `drop-json`, `csv`, `feodo`, `threatfox`,
    /// `urlhaus`, `misp`, `misp-warninglist`; by default what its first lines leave no doubt about, else our own
    #[arg(long, value_name = "FORM")]
    format: Option<String>,
    /// The column that holds the values, by name or number; for `csv`
    #[arg(long, value_name = "COLUMN")]
    column: Option<String>,
    /// Change nothing, and say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Lines in one request
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..))]
    lines: u16,
    /// Requests under way at once
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    parallel: u8,
    /// A list of values: CSV whose header names the value, NDJSON, or one a line (the first word counts, `#`, `;` and
    /// `//` begin comments); `-` is standard input
    file: PathBuf,
}

/// The start of a file, by which its form is known; a whole document of JSON where it is one.
fn start(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    /// Feeds have long heads.
    const START_BYTES: u64 = 64 << 10;
    let mut start = Vec::new();
    reader.take(START_BYTES).read_to_end(&mut start)?;
    let text = String::from_utf8_lossy(&start);
    if ["\"list\"", "\"Attribute\""].iter().any(|member| text.contains(member)) {
        reader.read_to_end(&mut start)?;
    }
    Ok(start)
}

/// A public feed as NDJSON, each value on the line that it has in the feed.
fn rewritten(mut reader: impl Read, format: &Format, wanted: Wanted<'_>) -> Result<String, String> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let mut lines = String::new();
    let mut line = 1;
    for named in format.named(&String::from_utf8_lossy(&bytes), wanted)? {
        while line < named.line {
            lines.push('\n');
            line += 1;
        }
        let mut report = serde_json::json!({"value": named.value});
        if !named.comment.is_empty() {
            report["comment"] = named.comment.into();
        }
        lines.push_str(&format!("{report}\n"));
        line += 1;
    }
    Ok(lines)
}

#[derive(Debug, Default)]
pub(super) struct Totals {
    added: u64,
    sighted: u64,
    accepted: u64,
    refused: u64,
    shown: Vec<String>,
}

impl Arguments {
    pub(super) fn run(self) -> Result<Ended, String> {
        let upload = Upload {
            client: &Client::new(&self.connection),
            path: &self.path(),
            kind: &self.kind.kind,
            lines: self.lines,
            parallel: self.parallel,
            counted_again: "sighted",
        };
        let problem = |error: io::Error| format!("{}: {error}", self.file.display());
        let (mut reader, bytes) = open(&self.file).map_err(problem)?;
        let start = start(&mut reader).map_err(problem)?;
        let kind = self.kind.kind.parse().map_err(|()| format!("kind `{}` is not known", self.kind.kind))?;
        let format = match (&self.format, &self.column) {
            (Some(name), _) => Some(format::by_name(name)?),
            (None, Some(_)) => Some(format::by_name("csv")?),
            (None, None) => format::recognise(&String::from_utf8_lossy(&start), kind),
        };
        let reader = start.chain(reader);
        let Some(format) = format else { return upload.send(reader, bytes, problem) };
        let wanted = Wanted { kind, column: self.column.as_deref() };
        let lines =
            rewritten(reader, format, wanted).map_err(|error| format!("{}: {error}", self.file.display()))?;
        upload.send(lines.as_bytes(), lines.len() as u64, problem)
    }

    fn path(&self) -> String {
        let mut path = format!("/{}/add", self.kind.kind);
        let tags = (!self.tags.is_empty()).then(|| self.tags.join(","));
        let dry_run = self.dry_run.then(|| "1".to_owned());
        let given = [
            ("comment", &self.comment),
            ("source", &self.source),
            ("ttl", &self.ttl),
            ("tags", &tags),
            ("import", &self.label),
            ("dry_run", &dry_run),
        ];
        let mut mark = '?';
        for (name, text) in given {
            if let Some(text) = text {
                path.push_str(&format!("{mark}{name}={}", encode(text)));
                mark = '&';
            }
        }
        path
    }
}

/// Lines on their way to a node.
pub(super) struct Upload<'a> {
    pub(super) client: &'a Client,
    /// Where they go.
    pub(super) path: &'a str,
    /// What may name the value in the header of CSV, besides `value`.
    pub(super) kind: &'a str,
    /// Lines in one request.
    pub(super) lines: u16,
    /// Requests under way at once.
    pub(super) parallel: u8,
    /// What has happened to those that were there before.
    pub(super) counted_again: &'a str,
}

impl Upload<'_> {
    /// Sends all lines of a reader of so many bytes (0 when nobody knows how many), with a progress bar on a terminal;
    /// tells the counts also when it breaks off.
    pub(super) fn send(
        &self,
        reader: impl BufRead,
        bytes: u64,
        problem: impl Fn(io::Error) -> String,
    ) -> Result<Ended, String> {
        let progress = progress(bytes);
        let (sender, receiver) = sync_channel(usize::from(self.parallel));
        // Held by the workers alone: when the last of them has failed, nothing more is read and the import ends.
        let receiver = Arc::new(Mutex::new(receiver));
        let totals = Mutex::new(Totals::default());
        let outcome = thread::scope(|scope| {
            let workers: Vec<_> = (0..self.parallel)
                .map(|_| {
                    let receiver = Arc::clone(&receiver);
                    let (totals, progress) = (&totals, &progress);
                    scope.spawn(move || work(self.client, self.path, &receiver, totals, progress))
                })
                .collect();
            drop(receiver);
            let read = chunks::cut(reader, self.kind, usize::from(self.lines), &sender);
            let read = read.map_err(problem);
            drop(sender);
            let ended =
                workers.into_iter().map(|worker| worker.join().unwrap_or(Err("a thread failed".into())));
            ended.fold(read, |all, one| all.and(one))
        });
        progress.finish_and_clear();
        let totals = totals.into_inner().unwrap_or_default();
        totals.tell(self.counted_again)?;
        outcome.map(|()| Ended::Done)
    }
}

/// A file and its length; of standard input nobody knows one, and it is 0.
pub(super) fn open(file: &Path) -> io::Result<(Box<dyn BufRead + Send>, u64)> {
    if file.to_str() == Some("-") {
        return Ok((Box::new(BufReader::new(io::stdin())), 0));
    }
    let file = File::open(file)?;
    let bytes = file.metadata()?.len();
    Ok((Box::new(BufReader::new(file)), bytes))
}

fn progress(bytes: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "{bar:40} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    match bytes {
        0 => ProgressBar::new_spinner(),
        _ => ProgressBar::new(bytes).with_style(style),
    }
}

fn work(
    client: &Client,
    path: &str,
    chunks: &Mutex<Receiver<Chunk>>,
    totals: &Mutex<Totals>,
    progress: &ProgressBar,
) -> Result<(), String> {
    loop {
        let next = chunks.lock().map_err(|_| "a thread failed")?.recv();
        let Ok(chunk) = next else { return Ok(()) };
        let body = Body { content_type: chunk.content_type, bytes: chunk.body.as_bytes() };
        let answer = client.ask("POST", path, As::Account, Some(body))?.success()?.json()?;
        totals.lock().map_err(|_| "a thread failed")?.add(&answer, chunk.before);
        progress.inc(chunk.bytes);
    }
}

impl Totals {
    pub(super) fn add(&mut self, answer: &Value, before: usize) {
        self.added += answer["added"].as_u64().unwrap_or(0);
        self.sighted += answer["sighted"].as_u64().unwrap_or(0);
        self.accepted += answer["accepted"].as_u64().unwrap_or(0);
        self.refused += answer["refused_total"].as_u64().unwrap_or(0);
        for refused in answer["refused"].as_array().into_iter().flatten() {
            if self.shown.len() < REFUSED_SHOWN_MAX {
                let line = refused["line"].as_u64().unwrap_or(0) as usize + before;
                self.shown.push(format!("line {line}: {}", refused["reason"].as_str().unwrap_or_default()));
            }
        }
    }

    pub(super) fn tell(&self, counted_again: &str) -> Result<(), String> {
        for line in &self.shown {
            output::error(line);
        }
        if self.refused > self.shown.len() as u64 {
            output::error(&format!("and {} more refused lines", self.refused - self.shown.len() as u64));
        }
        let Totals { added, sighted, accepted, refused, .. } = self;
        let waiting = match accepted {
            0 => String::new(),
            accepted => format!("{accepted} accepted until there is a majority, "),
        };
        output::line(&format!("{added} added, {sighted} {counted_again}, {waiting}{refused} refused"))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        import: Arguments,
    }

    #[test]
    fn an_import_that_no_node_takes_ends_with_the_reason() {
        let path = std::env::temp_dir().join(format!("stockade-import-{}", std::process::id()));
        std::fs::write(&path, "192.0.2.1\n".repeat(100)).unwrap();
        let file = path.to_str().unwrap();
        // Far more requests than workers and queue hold.
        let nobody = ["import", "--url", "http://127.0.0.1:1", "--timeout", "0", "--lines", "1", file];
        let result = Line::parse_from(nobody).import.run();
        std::fs::remove_file(&path).unwrap();
        assert!(result.unwrap_err().contains("http://127.0.0.1:1"));
    }
}
