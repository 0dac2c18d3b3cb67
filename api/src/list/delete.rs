//! `POST /<kind>/delete`: an analyst removes entries, a sensor withdraws its own reports.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use raft::blocklist::{Line, Observable, Operation, Outcome, Role};

use super::KindOf;
use super::body::{self, Reports};
use super::bulk::{self, Summary};
use crate::answer;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    KindOf(kind): KindOf,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let caller = caller.need(Role::Sensor)?;
    let done = format!("{} successfully deleted", super::noun(kind));
    let parse = |text: Option<&str>| match text {
        Some(text) => Observable::parse(kind, text).map_err(|malformed| malformed.to_string()),
        None => Err(format!("`{kind}` is missing")),
    };
    match body::read(kind, &headers, &body)? {
        Reports::One(report) => {
            let value = parse(report.text(kind)).map_err(ApiError::Invalid)?;
            let written = app.cluster.propose(caller.command(Operation::Delete(vec![value]))).await?;
            refused(&written.outcome)?;
            Ok(answer::at_index(answer::message(StatusCode::OK, &done), written.index))
        }
        Reports::Many(lines) => {
            let (mut summary, mut values) = (Summary::default(), Vec::new());
            for line in lines {
                let text = line
                    .report
                    .as_ref()
                    .ok()
                    .and_then(|report| report.text(kind))
                    .unwrap_or_default()
                    .to_owned();
                match line.report.and_then(|report| parse(report.text(kind))) {
                    Ok(value) => values.push((line.number, value)),
                    Err(reason) => summary.refuse(line.number, text, reason),
                }
            }
            let operation = |chunk: &[(usize, Observable)]| {
                caller.command(Operation::Delete(chunk.iter().map(|(_, value)| value.clone()).collect()))
            };
            bulk::run(&app, summary, &values, operation, Observable::to_string).await
        }
    }
}

fn refused(outcome: &Outcome) -> Result<(), ApiError> {
    match outcome {
        Outcome::Refused(refusal) => Err(refusal.clone().into()),
        Outcome::Lines(lines) => match lines.first() {
            Some(Line::Refused(refusal)) => Err(refusal.clone().into()),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}
