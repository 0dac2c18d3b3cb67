//! `POST /allow/add`: one entry, or many, answered with counts.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use raft::blocklist::{NewAllow, Operation, Role};

use super::body::{self, Asked, Defaults};
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::list::bulk;
use crate::list::report::one_line;
use crate::parameters::Parameters;

pub(crate) async fn add(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let caller = caller.need(Role::Analyst)?;
    let parameters = Parameters::parse(query.as_deref(), &[&["kind", "comment"]])?;
    let comment = one_line(parameters.get("comment").unwrap_or_default()).into();
    let defaults = Defaults { kind: parameters.kind("kind")?, comment };
    match body::read(&defaults, &headers, &body)? {
        Asked::One(allow) => {
            let written = app.cluster.propose(caller.command(Operation::AllowAdd(vec![allow]))).await?;
            super::done(written, "allow list successfully saved")
        }
        Asked::Many(summary, allows) => {
            let operation = |chunk: &[(usize, NewAllow)]| {
                caller.command(Operation::AllowAdd(chunk.iter().map(|(_, allow)| allow.clone()).collect()))
            };
            bulk::run(&app, summary, &allows, operation, |allow| allow.value.to_string()).await
        }
    }
}
