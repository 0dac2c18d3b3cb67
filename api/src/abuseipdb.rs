//! AbuseIPDB's API, version 2: what reports there, or asks there, does so here by a changed host name. Its `Key` header
//! is an API token. Who is listed has the score 100, everybody else 0; a category is the tag `abuseipdb-<number>`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use raft::blocklist::{Kind, List, Observable, Operation, Role, Timestamp};
use raft::{Freshness, Picture, Submitted};
use serde_json::{Value, json};

use crate::answer;
use crate::app::{App, now};
use crate::auth::Caller;
use crate::error::ApiError;
use crate::list::first_line;
use crate::list::report::{Defaults, RawReport};
use crate::parameters::{Parameters, pairs};
use crate::writing::{Sent, Writing};

/// The score of what is listed.
const LISTED: u64 = 100;

/// `POST /api/v2/report`: a form, or the same in the query.
pub(crate) async fn report(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    caller: Caller,
    sent: Sent,
) -> Result<Response, ApiError> {
    let caller = caller.need(Role::Sensor)?;
    let form = std::str::from_utf8(&sent.body).ok().map(|text| text.trim_end_matches(['\r', '\n']));
    let pairs = form.and_then(pairs).zip(pairs(query.as_deref().unwrap_or_default()));
    let (form, query) = pairs.ok_or_else(|| ApiError::BadRequest("the form is not UTF-8".into()))?;
    let mut raw = RawReport::default();
    let mut tags = BTreeSet::new();
    for (name, value) in query.into_iter().chain(form) {
        match name.as_str() {
            "ip" | "comment" => drop(raw.set(&name, Cow::Owned(value))),
            "timestamp" => drop(raw.set("seen", Cow::Owned(value))),
            "categories" => {
                let numbers = value.split(',').map(str::trim).filter(|number| !number.is_empty());
                tags.extend(numbers.map(|number| format!("abuseipdb-{number}")));
            }
            other => return Err(ApiError::BadRequest(format!("`{other}` is not known in a report"))),
        }
    }
    let tags = Vec::from_iter(tags).join(",");
    raw.set("tags", Cow::Owned(tags));
    let defaults =
        Defaults { comment: "".into(), source: caller.address(), ttl: None, tags: BTreeSet::new() };
    let report = raw.parse(Kind::Ip, &defaults).map_err(ApiError::Invalid)?;
    let data = json!({"data": {"ipAddress": report.value.to_string(), "abuseConfidenceScore": LISTED}});
    let mut writing = Writing::new(&app, &caller, &sent, false)?;
    let (status, index) = match writing.report(vec![Operation::Add(vec![report])]).await?.pop() {
        Some(Submitted::Written(written)) => {
            first_line(written.outcome)?;
            (StatusCode::OK, written.index)
        }
        _ => (StatusCode::ACCEPTED, writing.index()),
    };
    Ok(writing.answer(answer::at_index(answer::json(status, &data), index)))
}

/// `GET /api/v2/check?ipAddress=`: always 200; the score says it.
pub(crate) async fn check(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    _caller: Caller,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(query.as_deref(), &[&["ipAddress", "maxAgeInDays", "verbose"]])?;
    let Some(text) = parameters.get("ipAddress") else {
        return Err(ApiError::Invalid("`ipAddress` is missing".into()));
    };
    let value = Observable::parse(Kind::Ip, text)?;
    let oldest = match parameters.number("maxAgeInDays")? {
        Some(days) => {
            now().plus_seconds(-i64::try_from(days).unwrap_or(i64::MAX / 86_400).saturating_mul(86_400))
        }
        None => Timestamp(i64::MIN),
    };
    let picture = app.cluster.read(&Freshness::default()).await?;
    let data = checked(&picture.list, &value, oldest);
    Ok(app.read_headers(answer::json(StatusCode::OK, &json!({ "data": data })), picture.index))
}

/// What AbuseIPDB says of an address, as far as this list knows.
fn checked(list: &List, value: &Observable, oldest: Timestamp) -> Value {
    let entry = list.get(value).or_else(|| list.containing(value).pop());
    let entry = entry.filter(|entry| entry.time_updated >= oldest);
    // An allowed address inside a listed network is not blocked.
    let blocked = entry.is_some() && !list.exported_as(value).is_empty();
    let score = if blocked { LISTED } else { 0 };
    let version = if value.to_string().contains(':') { 6 } else { 4 };
    json!({
        "ipAddress": value.to_string(),
        "ipVersion": version,
        "isWhitelisted": list.allowing(value).is_some(),
        "abuseConfidenceScore": score,
        "totalReports": entry.map_or(0, |entry| entry.sighting + 1),
        "numDistinctUsers": entry.map_or(0, |entry| entry.source_count()),
        "lastReportedAt": entry.map(|entry| rfc3339(entry.time_updated)),
        "comment": entry.map(|entry| &*entry.comment),
        "reports": [],
    })
}

/// `GET /api/v2/blacklist`: the list, as JSON or, with `plaintext` or `Accept: text/plain`, one value a line. Networks
/// are in it too, as they are listed.
pub(crate) async fn blacklist(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    _caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let words = ["confidenceMinimum", "limit", "plaintext", "ipVersion"];
    let parameters = Parameters::parse(query.as_deref(), &[&words])?;
    let limit = parameters.number("limit")?.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let version = match parameters.get("ipVersion") {
        None => None,
        Some("4") => Some(false),
        Some("6") => Some(true),
        Some(other) => return Err(ApiError::BadRequest(format!("ipVersion `{other}` is neither 4 nor 6"))),
    };
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let plain = parameters.get("plaintext").is_some() || accept.starts_with("text/plain");
    let picture = app.cluster.read(&Freshness::default()).await?;
    let index = picture.index;
    let rendered = tokio::task::spawn_blocking(move || render(&picture, version, limit, plain)).await;
    let (bytes, count) =
        rendered.map_err(|_| raft::Error::Stopped("the list could not be rendered".into()))?;
    let content_type = if plain { "text/plain; charset=utf-8" } else { answer::JSON };
    let mut response = answer::body(StatusCode::OK, HeaderValue::from_static(content_type), bytes.into());
    response.headers_mut().insert(answer::COUNT, HeaderValue::from(count));
    Ok(app.read_headers(response, index))
}

fn render(picture: &Picture, v6: Option<bool>, limit: Option<usize>, plain: bool) -> (Vec<u8>, usize) {
    let all = picture.list.exported(Kind::Ip).map(|exported| {
        let text = exported.value.to_string();
        (text, exported.entry.time_updated)
    });
    let wanted = all.filter(|(text, _)| v6.is_none_or(|v6| text.contains(':') == v6));
    let wanted: Vec<(String, Timestamp)> = wanted.take(limit.unwrap_or(usize::MAX)).collect();
    let count = wanted.len();
    if plain {
        let mut text: String = wanted.into_iter().map(|(value, _)| value + "\n").collect();
        if text.is_empty() {
            text.push('\n');
        }
        return (text.into_bytes(), count);
    }
    let row = |(value, updated): (String, Timestamp)| json!({"ipAddress": value, "abuseConfidenceScore": LISTED, "lastReportedAt": rfc3339(updated)});
    let data: Vec<Value> = wanted.into_iter().map(row).collect();
    let meta = json!({"generatedAt": rfc3339(now())});
    (json!({"meta": meta, "data": data}).to_string().into_bytes(), count)
}

/// `2026-11-24T05:00:00+00:00`, from `2026-11-24 05:00:00`.
fn rfc3339(moment: Timestamp) -> String {
    moment.to_string().replacen(' ', "T", 1) + "+00:00"
}
