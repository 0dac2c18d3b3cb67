//! `POST /allow/add`: one entry, or many, answered with counts.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use raft::blocklist::{NewAllow, Operation, Role};

use super::body::{self, Asked, Defaults};
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::list::bulk;
use crate::list::report::comment;
use crate::parameters::Parameters;
use crate::writing::{Sent, Writing};

pub(crate) async fn add(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    caller: Caller,
    sent: Sent,
) -> Result<Response, ApiError> {
    let caller = caller.need(Role::Analyst)?;
    let parameters = Parameters::parse(query.as_deref(), &[&["kind", "comment", "dry_run"]])?;
    let comment = comment(parameters.get("comment").unwrap_or_default());
    let defaults = Defaults { kind: parameters.kind("kind")?, comment };
    let mut writing = Writing::new(&app, &caller, &sent, parameters.switch("dry_run")?.unwrap_or(false))?;
    let operation = Operation::AllowAdd;
    match body::read(&defaults, &sent.headers, &sent.body)? {
        Asked::One(allow) => {
            let written = writing.run_one(operation(vec![allow])).await?;
            super::done(&writing, written, "allow list successfully saved")
        }
        Asked::Many(items) => {
            bulk::run(bulk::Way::Changes, writing, items.into_iter(), operation, |allow: &NewAllow| {
                allow.value.to_string()
            })
            .await
        }
    }
}
