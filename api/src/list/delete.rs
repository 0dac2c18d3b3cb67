//! `POST /<kind>/delete`: an analyst removes entries, a sensor withdraws its own reports.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use raft::blocklist::{Observable, Operation, Role};

use super::body::{self, Reports};
use super::bulk::{self, Refused, Way};
use super::{KindOf, first_line, rehearsed};
use crate::answer;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::parameters::Parameters;
use crate::writing::{Sent, Writing};

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    KindOf(kind): KindOf,
    RawQuery(query): RawQuery,
    caller: Caller,
    sent: Sent,
) -> Result<Response, ApiError> {
    let caller = caller.need(Role::Sensor)?;
    let parameters = Parameters::parse(query.as_deref(), &[&["dry_run"]])?;
    let mut writing = Writing::new(&app, &caller, &sent, parameters.switch("dry_run")?.unwrap_or(false))?;
    let parse = |text: Option<&str>| match text {
        Some(text) => Observable::parse(kind, text).map_err(|malformed| malformed.to_string()),
        None => Err(format!("`{kind}` is missing")),
    };
    match body::read(kind, &sent.headers, &sent.body)? {
        Reports::One(report) => {
            let value = parse(report.text(kind)).map_err(ApiError::Invalid)?;
            let written = writing.run_one(Operation::Delete(vec![value])).await?;
            let line = first_line(written.outcome)?;
            let response = match writing.is_rehearsal() {
                true => rehearsed(kind, &line),
                false => {
                    answer::message(StatusCode::OK, &format!("{} successfully deleted", super::noun(kind)))
                }
            };
            Ok(writing.answer(answer::at_index(response, written.index)))
        }
        Reports::Many(lines) => {
            let items = lines.map(|line| {
                let text = line.report.as_ref().ok().and_then(|report| report.text(kind));
                let value = text.unwrap_or_default().to_owned();
                let observable = line.report.and_then(|report| parse(report.text(kind)));
                let refused = |reason| Refused { line: line.number, value, reason };
                observable.map(|observable| (line.number, observable)).map_err(refused)
            });
            bulk::run(Way::Changes, writing, items, Operation::Delete, Observable::to_string).await
        }
    }
}
