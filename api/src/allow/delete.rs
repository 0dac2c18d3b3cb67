//! `POST /allow/delete`: one entry, or many, answered with counts.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use raft::blocklist::{NewAllow, Operation, Role};

use super::body::{self, Asked, Defaults};
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::list::bulk;
use crate::parameters::Parameters;
use crate::writing::{Sent, Writing};

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    caller: Caller,
    sent: Sent,
) -> Result<Response, ApiError> {
    let caller = caller.need(Role::Analyst)?;
    let parameters = Parameters::parse(query.as_deref(), &[&["kind", "dry_run"]])?;
    let defaults = Defaults { kind: parameters.kind("kind")?, comment: "".into() };
    let mut writing = Writing::new(&app, &caller, &sent, parameters.switch("dry_run")?.unwrap_or(false))?;
    let operation =
        |allows: Vec<NewAllow>| Operation::AllowDelete(allows.into_iter().map(|allow| allow.value).collect());
    match body::read(&defaults, &sent.headers, &sent.body)? {
        Asked::One(allow) => {
            let written = writing.run_one(operation(vec![allow])).await?;
            super::done(&writing, written, "allow list entry successfully deleted")
        }
        Asked::Many(items) => {
            bulk::run(bulk::Way::Changes, writing, items.into_iter(), operation, |allow: &NewAllow| {
                allow.value.to_string()
            })
            .await
        }
    }
}
