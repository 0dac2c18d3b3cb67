//! `POST /hook/<name>`: a webhook, answered like a bulk add. A body with nothing to report is no error: webhooks tell
//! of everything that happens.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use raft::blocklist::{Operation, Report, Role};
use serde_json::Value;

use super::manage::unknown;
use super::mapping::Mapping;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::list::bulk::{self, Refused, Way};
use crate::list::report::Defaults;
use crate::parameters::Parameters;
use crate::writing::{Sent, Writing};

pub(crate) async fn receive(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    caller: Caller,
    sent: Sent,
) -> Result<Response, ApiError> {
    let caller = caller.need(Role::Sensor)?;
    let parameters = Parameters::parse(query.as_deref(), &[&["dry_run"]])?;
    let decided = app.cluster.decided();
    let hook = decided.list.hook(&name).ok_or_else(|| unknown(&name))?;
    // A mapping that a newer build has put may say what this one does not know.
    let mapping = Mapping::parse(hook.mapping.as_bytes()).map_err(ApiError::Conflict)?;
    let defaults = Defaults {
        comment: format!("hook {}", hook.name).into(),
        source: caller.address(),
        ttl: None,
        tags: BTreeSet::new(),
    };
    let writing = Writing::new(&app, &caller, &sent, parameters.switch("dry_run")?.unwrap_or(false))?;
    let documents = documents(&sent.body)?;
    let reports = documents.iter().flat_map(|document| mapping.reports(document, &defaults));
    let items = (1..).zip(reports).map(|(line, report)| match report {
        Ok(report) => Ok((line, report)),
        Err(refused) => Err(Refused { line, ..refused }),
    });
    bulk::run(Way::Reports, writing, items, Operation::Add, |report: &Report| report.value.to_string()).await
}

/// One JSON document, or several, one after the other. The content type is not looked at: senders err about it.
pub(super) fn documents(body: &[u8]) -> Result<Vec<Value>, ApiError> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let documents: Vec<Value> = serde_json::Deserializer::from_slice(body)
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(|error| ApiError::BadRequest(format!("the body is no JSON: {error}")))?;
    match documents.is_empty() {
        true => Err(ApiError::BadRequest("the body is empty".into())),
        false => Ok(documents),
    }
}
