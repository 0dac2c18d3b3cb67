//! `POST /<kind>/add` and `/<kind>/sighting`: one report, answered as in the talk, or many, answered with counts.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use raft::Submitted;
use raft::blocklist::{Kind, Line, Operation, Report, Role};

use super::body::{self, Reports};
use super::bulk::{self, Refused, Way};
use super::report::{Defaults, comment, label, labels};
use super::{KindOf, first_line, rehearsed};
use crate::answer;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::parameters::{Parameters, duration};
use crate::requests;
use crate::writing::{Sent, Writing};

/// What a report is meant to do.
#[derive(Clone, Copy)]
enum Purpose {
    /// To list the observable, or to count a sighting if it is listed.
    List,
    /// To count a sighting of what is listed.
    Sight,
}

impl Purpose {
    fn operation(self, reports: Vec<Report>) -> Operation {
        match self {
            Purpose::List => Operation::Add(reports),
            Purpose::Sight => Operation::Sight(reports),
        }
    }

    fn message(self, kind: Kind) -> String {
        match self {
            Purpose::List => format!("{} successfully saved", super::noun(kind)),
            Purpose::Sight => "Sighting successfully saved".into(),
        }
    }
}

pub(crate) async fn add(
    State(app): State<Arc<App>>,
    KindOf(kind): KindOf,
    caller: Caller,
    sent: Sent,
) -> Result<Response, ApiError> {
    report(Purpose::List, &app, kind, caller, &sent).await
}

pub(crate) async fn sight(
    State(app): State<Arc<App>>,
    KindOf(kind): KindOf,
    caller: Caller,
    sent: Sent,
) -> Result<Response, ApiError> {
    report(Purpose::Sight, &app, kind, caller, &sent).await
}

/// Lists what a request reports.
pub(crate) async fn add_sent(
    app: &App,
    kind: Kind,
    caller: Caller,
    sent: &Sent,
) -> Result<Response, ApiError> {
    report(Purpose::List, app, kind, caller, sent).await
}

async fn report(
    purpose: Purpose,
    app: &App,
    kind: Kind,
    caller: Caller,
    sent: &Sent,
) -> Result<Response, ApiError> {
    let caller = caller.need(Role::Sensor)?;
    let own: &[&str] = if matches!(purpose, Purpose::List) { &["import"] } else { &[] };
    let words = [&["comment", "source", "ttl", "tags", "dry_run"], own];
    let parameters = Parameters::parse(sent.uri.query(), &words)?;
    let defaults = defaults(&parameters, &caller)?;
    let import = match parameters.get("import").filter(|import| !import.is_empty()) {
        Some(import) => Some(label("import", import).map_err(ApiError::BadRequest)?),
        None => None,
    };
    let operation = |reports| match &import {
        Some(label) => Operation::Import { label: label.clone(), reports },
        None => purpose.operation(reports),
    };
    let writing = Writing::new(app, &caller, sent, parameters.switch("dry_run")?.unwrap_or(false))?;
    match body::read(kind, &sent.headers, &sent.body)? {
        Reports::One(report) => {
            let report = report.parse(kind, &defaults).map_err(ApiError::Invalid)?;
            one(writing, &purpose.message(kind), kind, operation(vec![report])).await
        }
        Reports::Many(lines) => {
            let items = lines.map(|line| {
                let text = line.report.as_ref().ok().and_then(|report| report.text(kind));
                let value = text.unwrap_or_default().to_owned();
                let report = line.report.and_then(|report| report.parse(kind, &defaults));
                let refused = |reason| Refused { line: line.number, value, reason };
                report.map(|report| (line.number, report)).map_err(refused)
            });
            bulk::run(Way::Reports, writing, items, operation, |report: &Report| report.value.to_string())
                .await
        }
    }
}

/// What the query says of all reports of the body; the source is the reporter's address if nothing else.
fn defaults(parameters: &Parameters, caller: &Caller) -> Result<Defaults, ApiError> {
    let ttl = match parameters.get("ttl") {
        None => None,
        Some(text) => match duration(text) {
            Some(seconds) => Some(seconds.ceil() as i64),
            None => {
                return Err(ApiError::BadRequest(format!("ttl `{text}` is not a time such as 3600 or 7d")));
            }
        },
    };
    let source = parameters.get("source").filter(|source| !source.is_empty());
    let tags = parameters.get("tags").unwrap_or_default();
    Ok(Defaults {
        comment: comment(parameters.get("comment").unwrap_or_default()),
        source: match source {
            Some(source) => label("source", source).map_err(ApiError::BadRequest)?,
            None => caller.address(),
        },
        ttl,
        tags: labels(tags.split(',')).map_err(ApiError::BadRequest)?,
    })
}

async fn one(
    mut writing: Writing<'_>,
    message: &str,
    kind: Kind,
    operation: Operation,
) -> Result<Response, ApiError> {
    let written = match writing.report(vec![operation]).await?.pop() {
        Some(Submitted::Written(written)) => written,
        Some(Submitted::Accepted(id)) => {
            let message =
                format!("{} accepted; it joins the list when a majority is back", super::noun(kind));
            let response = requests::answer(StatusCode::ACCEPTED, &message, id);
            return Ok(answer::at_index(response, writing.index()));
        }
        None => return Err(ApiError::Invalid("there is nothing to do".into())),
    };
    let line = first_line(written.outcome)?;
    let response = if writing.is_rehearsal() {
        rehearsed(kind, &line)
    } else {
        let status = if line == Line::Added { StatusCode::CREATED } else { StatusCode::OK };
        answer::message(status, message)
    };
    Ok(writing.answer(answer::at_index(response, written.index)))
}
