//! `/allow`: observables that must never be blocked. Analysts keep it; whoever reads the list may read it.

mod add;
mod all;
mod body;
mod delete;
mod plain;
mod show;
mod view;
mod warning_list;

pub(crate) use add::add;
pub(crate) use all::all;
pub(crate) use delete::delete;
pub(crate) use show::show;

use axum::http::StatusCode;
use axum::response::Response;
use raft::Written;
use raft::blocklist::{Line, Outcome};

use crate::answer;
use crate::error::ApiError;

/// The answer to a request about one entry: 201 when it is new.
fn done(written: Written, message: &str) -> Result<Response, ApiError> {
    let line = match written.outcome {
        Outcome::Lines(lines) => lines.into_iter().next(),
        Outcome::Refused(refusal) => Some(Line::Refused(refusal)),
        _ => None,
    };
    let status = match line {
        Some(Line::Refused(refusal)) => return Err(refusal.into()),
        Some(Line::Added) => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    Ok(answer::at_index(answer::message(status, message), written.index))
}
