//! A bulk request: some commands after the other, each line counted, and the counts kept when it breaks off, so
//! that nobody repeats what was done.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use raft::blocklist::{Command, Line, Outcome, REPORTS_MAX};
use serde::Serialize;

use crate::answer;
use crate::app::App;
use crate::error::ApiError;

/// Refused lines that an answer names; the others are counted.
const REFUSED_SHOWN_MAX: usize = 1000;
/// Commands of one bulk request that are under way together.
const COMMANDS_AT_ONCE: usize = 32;

/// What a bulk request answers.
#[derive(Default, Serialize)]
pub(crate) struct Summary {
    message: String,
    added: usize,
    sighted: usize,
    deleted: usize,
    refused_total: usize,
    refused: Vec<Refused>,
    /// The first line of which it is not known that it was done; only when the request broke off.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_done_from_line: Option<usize>,
}

#[derive(Serialize)]
struct Refused {
    line: usize,
    value: String,
    reason: String,
}

impl Summary {
    pub(crate) fn refuse(&mut self, line: usize, value: String, reason: String) {
        self.refused_total += 1;
        if self.refused.len() < REFUSED_SHOWN_MAX {
            self.refused.push(Refused { line, value, reason });
        }
    }

    fn count<T>(&mut self, chunk: &[(usize, T)], outcome: Outcome, name: impl Fn(&T) -> String) {
        let lines = match outcome {
            Outcome::Lines(lines) => lines,
            Outcome::Refused(refusal) => vec![Line::Refused(refusal); chunk.len()],
            _ => Vec::new(),
        };
        for ((number, item), line) in chunk.iter().zip(lines) {
            match line {
                Line::Added => self.added += 1,
                Line::Sighted | Line::Updated => self.sighted += 1,
                Line::Deleted | Line::Withdrawn => self.deleted += 1,
                Line::Refused(refusal) => self.refuse(*number, name(item), refusal.to_string()),
            }
        }
    }

    fn counts(&self) -> String {
        let done = match self.deleted {
            0 => format!("{} added, {} sighted", self.added, self.sighted),
            deleted => format!("{deleted} deleted"),
        };
        format!("{done}, {} refused", self.refused_total)
    }
}

/// Runs all items through the log, in commands of bounded length.
pub(crate) async fn run<T>(
    app: &App,
    mut summary: Summary,
    items: &[(usize, T)],
    operation: impl Fn(&[(usize, T)]) -> Command,
    name: impl Fn(&T) -> String,
) -> Result<Response, ApiError> {
    let mut index = app.cluster.picture().index;
    for group in items.chunks(REPORTS_MAX * COMMANDS_AT_ONCE) {
        let commands = group.chunks(REPORTS_MAX).map(&operation).collect();
        match app.cluster.propose_all(commands).await {
            Ok(written) => {
                for (chunk, written) in group.chunks(REPORTS_MAX).zip(written) {
                    index = written.index;
                    summary.count(chunk, written.outcome, &name);
                }
            }
            Err(error) => {
                summary.not_done_from_line = group.first().map(|(number, _)| *number);
                return Ok(broken_off(summary, error.into()));
            }
        }
    }
    summary.refused.sort_by_key(|refused| refused.line);
    summary.message = summary.counts();
    Ok(answer::at_index(answer::json(StatusCode::OK, &summary), index))
}

/// The status and headers of the failure, with the counts of what was done before it.
fn broken_off(mut summary: Summary, failure: ApiError) -> Response {
    summary.message = format!("{}; done before: {}", failure.message(), summary.counts());
    let failed = failure.into_response();
    let mut response = answer::json(failed.status(), &summary);
    for (name, value) in failed.headers() {
        if name != axum::http::header::CONTENT_LENGTH {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}
