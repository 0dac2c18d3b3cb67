//! First answers, kept under the `Idempotency-Key` of their request, so that a repeat changes nothing and is
//! answered alike, by any node.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::command::{Line, Outcome, Refusal};
use super::timestamp::Timestamp;

/// How long an answer is kept, in seconds by the times of the commands.
pub const ANSWER_KEPT_SECONDS: i64 = 24 * 3600;
/// The most answers kept; beyond it the oldest are forgotten before their time.
pub const ANSWERS_MAX: usize = 65_536;

/// The longest reason kept with an answer, in bytes: those of one command are one value on disk.
const REASON_BYTES_MAX: usize = 200;

/// The name of a part of a request, which counts once, however often it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Once {
    /// A digest of the key that the client chose; keys of different accounts are different.
    pub key: [u8; 16],
    /// Which part of the request this is: a bulk request is several commands.
    pub part: u32,
    /// A digest of the whole request.
    pub request: [u8; 16],
}

/// Under what an answer is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AnswerKey {
    /// The account that asked.
    pub account: Arc<str>,
    /// As in `Once`.
    pub key: [u8; 16],
    /// As in `Once`.
    pub part: u32,
}

/// A kept answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The digest of the request it answers.
    pub request: [u8; 16],
    /// When it was given.
    pub time: Timestamp,
    /// What it was.
    pub given: Given,
}

/// An outcome in short. Stored: grows at its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Given {
    /// Lines, equal ones that follow each other counted.
    Lines(Vec<(u32, Line)>),
    /// Done.
    Done,
    /// Not done, and why.
    Refused(Refusal),
}

impl Given {
    /// The short form of an outcome; none of one that no client's request has.
    pub(super) fn new(outcome: &Outcome) -> Option<Given> {
        match outcome {
            Outcome::Lines(lines) => {
                let mut runs: Vec<(u32, Line)> = Vec::new();
                for line in lines {
                    match runs.last_mut() {
                        Some((count, same)) if *same == short(line) => *count += 1,
                        _ => runs.push((1, short(line))),
                    }
                }
                Some(Given::Lines(runs))
            }
            Outcome::Done => Some(Given::Done),
            Outcome::Refused(refusal) => Some(Given::Refused(refusal.clone())),
            _ => None,
        }
    }

    /// The outcome it was.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Given::Lines(runs) => {
                let lines = runs.iter().flat_map(|(count, line)| std::iter::repeat_n(line, *count as usize));
                Outcome::Lines(lines.cloned().collect())
            }
            Given::Done => Outcome::Done,
            Given::Refused(refusal) => Outcome::Refused(refusal.clone()),
        }
    }
}

/// A line whose reason is no longer than what is kept.
fn short(line: &Line) -> Line {
    let cut = |reason: &String| reason[..reason.floor_char_boundary(REASON_BYTES_MAX)].to_owned();
    match line {
        Line::Refused(Refusal::NotFound(reason)) => Line::Refused(Refusal::NotFound(cut(reason))),
        Line::Refused(Refusal::Conflict(reason)) => Line::Refused(Refusal::Conflict(cut(reason))),
        Line::Refused(Refusal::Forbidden(reason)) => Line::Refused(Refusal::Forbidden(cut(reason))),
        Line::Refused(Refusal::Guarded(reason)) => Line::Refused(Refusal::Guarded(cut(reason))),
        other => other.clone(),
    }
}
