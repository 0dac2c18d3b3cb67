//! `GET /admin/audit`: who did what to what, when, from where, at which index; the same on every node.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use raft::Freshness;
use raft::blocklist::{Action, Class, Deed, Observable, Subject};
use serde::Serialize;

use crate::answer;
use crate::app::App;
use crate::auth::Operator;
use crate::error::ApiError;
use crate::freshness::{self, freshness};
use crate::parameters::Parameters;

/// Lines of one answer, when nothing else is asked for.
const LINES: u64 = 1000;
/// The most lines that can be asked for.
const LINES_MAX: u64 = 10_000;
/// The last index of which something was forgotten: what came after it is complete.
const FORGOTTEN: HeaderName = HeaderName::from_static("stockade-audit-forgotten");

/// One thing that was done to one subject.
#[derive(Serialize)]
pub(crate) struct AuditLine<'a> {
    index: u64,
    time: String,
    account: &'a str,
    address: &'a str,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    value: String,
    detail: &'a str,
}

impl<'a> AuditLine<'a> {
    fn new(index: u64, deed: &'a Deed, subject: &Subject) -> AuditLine<'a> {
        let r#type = match subject {
            Subject::Value(value) => Some(value.kind().name()),
            Subject::Name(_) => None,
        };
        AuditLine {
            index,
            time: deed.time.to_string(),
            account: &deed.account,
            address: &deed.address,
            action: deed.action.name(),
            r#type,
            value: subject.to_string(),
            detail: &deed.detail,
        }
    }

    /// What was done to this observable.
    pub(crate) fn about(index: u64, deed: &'a Deed, value: &Observable) -> AuditLine<'a> {
        AuditLine::new(index, deed, &Subject::Value(value.clone()))
    }
}

pub(crate) async fn audit(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    _operator: Operator,
) -> Result<Response, ApiError> {
    let words = [&freshness::WORDS[..], &["since", "limit", "account", "action"]];
    let parameters = Parameters::parse(query.as_deref(), &words)?;
    let since = parameters.number("since")?.unwrap_or(0);
    let limit = parameters.number("limit")?.unwrap_or(LINES);
    if !(1..=LINES_MAX).contains(&limit) {
        return Err(ApiError::BadRequest(format!("limit `{limit}` is not between 1 and {LINES_MAX}")));
    }
    let account = parameters.get("account");
    let action = parameters.get("action").map(action).transpose()?;
    let fresh = Freshness { exclude_pending: true, ..freshness(&parameters)? };
    let picture = app.cluster.read(&fresh).await?;
    let wanted = |deed: &Deed| {
        account.is_none_or(|account| *deed.account == *account)
            && action.is_none_or(|action| deed.action == action)
    };
    let mut lines: Vec<AuditLine<'_>> = Vec::new();
    for (index, deed) in picture.list.audit_after(since).filter(|(_, deed)| wanted(deed)) {
        // An index is never cut in two: the last one of an answer is the `since` of the next.
        let full = lines.len() as u64 >= limit;
        if full && lines.last().is_some_and(|line| line.index < index) {
            break;
        }
        lines.extend(deed.subjects.iter().map(|subject| AuditLine::new(index, deed, subject)));
    }
    let forgotten = Class::ALL.map(|class| picture.list.audit_forgotten(class));
    let forgotten = forgotten.into_iter().max().unwrap_or(0);
    let mut response = answer::json(StatusCode::OK, &lines);
    response.headers_mut().insert(FORGOTTEN, HeaderValue::from(forgotten));
    Ok(app.read_headers(response, picture.index))
}

fn action(word: &str) -> Result<Action, ApiError> {
    Action::ALL.into_iter().find(|action| action.name() == word).ok_or_else(|| {
        let allowed = Action::ALL.map(Action::name).join(", ");
        ApiError::BadRequest(format!("action `{word}` is not known; allowed: {allowed}"))
    })
}
