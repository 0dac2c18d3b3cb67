//! `POST /<kind>/add` and `/<kind>/sighting`: one report, answered as in the talk, or many, answered with counts.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use raft::blocklist::{Kind, Line, Operation, Outcome, Report, Role};

use super::KindOf;
use super::body::{self, Reports};
use super::bulk::{self, Summary};
use super::report::{Defaults, labels, one_line};
use crate::answer;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::parameters::{Parameters, duration};

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
    query: RawQuery,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    report(Purpose::List, &app, kind, query, caller, &headers, &body).await
}

pub(crate) async fn sight(
    State(app): State<Arc<App>>,
    KindOf(kind): KindOf,
    query: RawQuery,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    report(Purpose::Sight, &app, kind, query, caller, &headers, &body).await
}

async fn report(
    purpose: Purpose,
    app: &App,
    kind: Kind,
    RawQuery(query): RawQuery,
    caller: Caller,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, ApiError> {
    let caller = caller.need(Role::Sensor)?;
    let defaults = defaults(query.as_deref(), &caller)?;
    match body::read(kind, headers, body)? {
        Reports::One(report) => {
            let report = report.parse(kind, &defaults).map_err(ApiError::Invalid)?;
            one(purpose, app, &caller, report).await
        }
        Reports::Many(lines) => many(purpose, app, &caller, kind, &defaults, lines).await,
    }
}

/// What the query says of all reports of the body; the source is the reporter's address if nothing else.
fn defaults(query: Option<&str>, caller: &Caller) -> Result<Defaults, ApiError> {
    let parameters = Parameters::parse(query, &[&["comment", "source", "ttl", "tags"]])?;
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
        comment: one_line(parameters.get("comment").unwrap_or_default()).into(),
        source: match source {
            Some(source) => super::report::label("source", source).map_err(ApiError::BadRequest)?,
            None => caller.address.clone(),
        },
        ttl,
        tags: labels(tags.split(',')).map_err(ApiError::BadRequest)?,
    })
}

async fn one(purpose: Purpose, app: &App, caller: &Caller, report: Report) -> Result<Response, ApiError> {
    let message = purpose.message(report.value.kind());
    let written = app.cluster.propose(caller.command(purpose.operation(vec![report]))).await?;
    let status = match line(written.outcome)? {
        Line::Added => StatusCode::CREATED,
        Line::Refused(refusal) => return Err(refusal.into()),
        _ => StatusCode::OK,
    };
    Ok(answer::at_index(answer::message(status, &message), written.index))
}

fn line(outcome: Outcome) -> Result<Line, ApiError> {
    match outcome {
        Outcome::Lines(lines) => lines.into_iter().next().ok_or(ApiError::Invalid("nothing to do".into())),
        Outcome::Refused(refusal) => Err(refusal.into()),
        other => Err(ApiError::Invalid(format!("an unexpected outcome: {other:?}"))),
    }
}

async fn many(
    purpose: Purpose,
    app: &App,
    caller: &Caller,
    kind: Kind,
    defaults: &Defaults,
    lines: Vec<body::Line<'_>>,
) -> Result<Response, ApiError> {
    let mut summary = Summary::default();
    let mut reports = Vec::new();
    for line in lines {
        let value =
            line.report.as_ref().ok().and_then(|report| report.text(kind)).unwrap_or_default().to_owned();
        match line.report.and_then(|report| report.parse(kind, defaults)) {
            Ok(report) => reports.push((line.number, report)),
            Err(reason) => summary.refuse(line.number, value, reason),
        }
    }
    let operation = |chunk: &[(usize, Report)]| {
        caller.command(purpose.operation(chunk.iter().map(|(_, report)| report.clone()).collect()))
    };
    bulk::run(app, summary, &reports, operation, |report| report.value.to_string()).await
}
