//! `/allow`: observables that must never be blocked. Analysts keep it; whoever reads the list may read it.

mod add;
mod all;
mod body;
mod delete;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
#[cfg(test)]
mod garbage;
pub(crate) mod plain;
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
use raft::blocklist::Line;

use crate::answer;
use crate::error::ApiError;
use crate::list::first_line;
use crate::writing::Writing;

/// The answer to a request about one entry: 201 when it is new.
fn done(writing: &Writing<'_>, written: Written, message: &str) -> Result<Response, ApiError> {
    let line = first_line(written.outcome)?;
    let response = match (writing.is_rehearsal(), line) {
        (true, _) => {
            let message = format!("dry run: {message}");
            answer::json(StatusCode::OK, &serde_json::json!({"message": message, "dry_run": true}))
        }
        (false, Line::Added) => answer::message(StatusCode::CREATED, message),
        (false, _) => answer::message(StatusCode::OK, message),
    };
    Ok(writing.answer(answer::at_index(response, written.index)))
}
