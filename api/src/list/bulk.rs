//! A bulk request: some commands after the other, each line counted, and the counts kept when it breaks off, so
//! that nobody repeats what was done. Lines are read as they are needed: of a long body no more than some
//! thousand reports exist at a time.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use raft::Submitted;
use raft::blocklist::{Line, Operation, Outcome, REPORTS_MAX};
use serde::Serialize;

use crate::answer;
use crate::error::ApiError;
use crate::writing::Writing;

/// Refused lines that an answer names; the others are counted.
const REFUSED_SHOWN_MAX: usize = 1000;
/// Values in one command that is no report: a removal changes two keys.
const CHANGES_MAX: usize = REPORTS_MAX / 2;
/// Commands of one bulk request that are under way together.
const COMMANDS_AT_ONCE: usize = 32;
/// Lines that are read in one turn: half a millisecond or so. Most requests have fewer.
const TURN_LINES: usize = 1024;

/// What a bulk request answers.
#[derive(Default, Serialize)]
pub(crate) struct Summary {
    message: String,
    /// Nothing was done: this is what would be.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    added: usize,
    sighted: usize,
    deleted: usize,
    /// Reports that wait on this node for a majority.
    #[serde(skip_serializing_if = "is_zero")]
    accepted: usize,
    /// By which to ask for them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ids: Vec<String>,
    refused_total: usize,
    refused: Vec<Refused>,
    /// The first line of which it is not known that it was done; only when the request broke off.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_done_from_line: Option<usize>,
}

/// A line that asks for nothing that can be done.
#[derive(Debug, Serialize)]
pub(crate) struct Refused {
    pub(crate) line: usize,
    pub(crate) value: String,
    pub(crate) reason: String,
}

/// What a line asks for, with its number.
pub(crate) type Item<T> = Result<(usize, T), Refused>;

impl Summary {
    fn refuse(&mut self, refused: Refused) {
        self.refused_total += 1;
        if self.refused.len() < REFUSED_SHOWN_MAX {
            self.refused.push(refused);
        }
    }

    fn count<T>(&mut self, chunk: &[(usize, T)], outcome: Outcome, name: impl Fn(&T) -> String) {
        let lines = match outcome {
            Outcome::Lines(lines) => lines,
            Outcome::Refused(refusal) => vec![Line::Refused(refusal); chunk.len()],
            _ => Vec::new(),
        };
        for ((line, item), done) in chunk.iter().zip(lines) {
            match done {
                Line::Added => self.added += 1,
                Line::Sighted | Line::Updated => self.sighted += 1,
                Line::Deleted | Line::Withdrawn => self.deleted += 1,
                Line::Refused(refusal) => {
                    self.refuse(Refused { line: *line, value: name(item), reason: refusal.to_string() });
                }
            }
        }
    }

    fn counts(&self) -> String {
        let done = match self.deleted {
            0 => format!("{} added, {} sighted", self.added, self.sighted),
            deleted => format!("{deleted} deleted"),
        };
        let done = match self.accepted {
            0 => done,
            accepted => format!("{done}, {accepted} accepted until there is a majority"),
        };
        let dry_run = if self.dry_run { "dry run: " } else { "" };
        format!("{dry_run}{done}, {} refused", self.refused_total)
    }
}

/// The parts of a bulk request.
pub(crate) enum Way {
    /// Reports, which this node may accept without a majority.
    Reports,
    /// Anything else.
    Changes,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Runs all items through the log, in commands of bounded length.
pub(crate) async fn run<T: Clone>(
    way: Way,
    mut writing: Writing<'_>,
    mut items: impl Iterator<Item = Item<T>>,
    operation: impl Fn(Vec<T>) -> Operation,
    name: impl Fn(&T) -> String,
) -> Result<Response, ApiError> {
    let mut summary = Summary { dry_run: writing.is_rehearsal(), ..Summary::default() };
    let mut index = writing.index();
    let chunk = match way {
        Way::Reports => REPORTS_MAX,
        Way::Changes => CHANGES_MAX,
    };
    loop {
        let group = next_group(&mut items, chunk * COMMANDS_AT_ONCE, &mut summary).await;
        if group.is_empty() {
            break;
        }
        let chunks = group.chunks(chunk);
        let operations =
            chunks.clone().map(|chunk| operation(chunk.iter().map(|(_, item)| item.clone()).collect()));
        let submitted = match way {
            Way::Reports => writing.report(operations.collect()).await,
            Way::Changes => {
                let written = writing.run(operations.collect()).await;
                written.map(|written| written.into_iter().map(Submitted::Written).collect())
            }
        };
        match submitted {
            Ok(submitted) => {
                for (chunk, one) in chunks.zip(submitted) {
                    let written = match one {
                        Submitted::Written(written) => written,
                        Submitted::Accepted(id) => {
                            summary.accepted += chunk.len();
                            summary.ids.push(id.to_string());
                            continue;
                        }
                    };
                    if let Outcome::Refused(refusal @ raft::blocklist::Refusal::KeyReused(_)) =
                        written.outcome
                    {
                        return Err(refusal.into());
                    }
                    index = written.index;
                    summary.count(chunk, written.outcome, &name);
                }
            }
            Err(error) => {
                summary.not_done_from_line = group.first().map(|(number, _)| *number);
                return Ok(broken_off(summary, error));
            }
        }
    }
    summary.refused.sort_by_key(|refused| refused.line);
    summary.message = summary.counts();
    let status = if summary.accepted > 0 { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok(writing.answer(answer::at_index(answer::json(status, &summary), index)))
}

/// The next items that are put through together; what cannot be is noted. Others that share the thread have their turn
/// meanwhile.
async fn next_group<T>(
    items: &mut impl Iterator<Item = Item<T>>,
    most: usize,
    summary: &mut Summary,
) -> Vec<(usize, T)> {
    let mut group = Vec::new();
    let mut lines = 0_usize;
    while group.len() < most {
        match items.next() {
            Some(Ok(item)) => group.push(item),
            Some(Err(refused)) => summary.refuse(refused),
            None => break,
        }
        lines += 1;
        if lines.is_multiple_of(TURN_LINES) {
            tokio::task::yield_now().await;
        }
    }
    group
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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_long_body_is_read_in_turns_whether_its_lines_are_good_or_not() {
        let good = |line: usize| Ok((line, line));
        let refused = |line| Err(Refused { line, value: String::new(), reason: String::new() });
        for item in [&good as &dyn Fn(usize) -> Item<usize>, &refused] {
            // Whether all of so many lines are read in one go.
            let at_once = |lines: usize| {
                let mut items = (1..=lines).map(item);
                next_group(&mut items, usize::MAX, &mut Summary::default()).now_or_never().is_some()
            };
            assert!(at_once(TURN_LINES - 1));
            assert!(!at_once(TURN_LINES));
        }
    }
}
