//! `/allow`: observables that must never be blocked. Analysts keep it; whoever reads the list may read it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use raft::blocklist::{Allow, Kind, Line, NewAllow, Observable, Operation, Outcome, REPORTS_MAX, Role};
use serde::{Deserialize, Serialize};

use crate::answer;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;

/// One entry of the allow list in a body: `{"ip":…}`, `{"domain":…}` and so on, or `kind` and `value`.
#[derive(Deserialize)]
struct Asked {
    kind: Option<String>,
    value: Option<String>,
    ip: Option<String>,
    domain: Option<String>,
    url: Option<String>,
    hash: Option<String>,
    email: Option<String>,
    username: Option<String>,
    comment: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    One(Box<Asked>),
    Many(Vec<Asked>),
}

/// An entry of the allow list as it is shown.
#[derive(Serialize)]
struct View<'a> {
    value: String,
    r#type: &'a str,
    comment: &'a str,
    account: &'a str,
    time_added: String,
    /// How many reports it has refused.
    prevented: u64,
}

impl<'a> From<&'a Allow> for View<'a> {
    fn from(allow: &'a Allow) -> View<'a> {
        View {
            value: allow.value.to_string(),
            r#type: allow.value.kind().name(),
            comment: &allow.comment,
            account: &allow.account,
            time_added: allow.time_added.to_string(),
            prevented: allow.prevented,
        }
    }
}

impl Asked {
    fn observable(&self) -> Result<Observable, ApiError> {
        let named = [&self.ip, &self.domain, &self.url, &self.hash, &self.email, &self.username];
        if let Some((kind, text)) =
            Kind::ALL.into_iter().zip(named).find_map(|(kind, t)| Some((kind, t.as_ref()?)))
        {
            return Ok(Observable::parse(kind, text)?);
        }
        let kind = match self.kind.as_deref() {
            None => Kind::Ip,
            Some(word) => {
                word.parse().map_err(|()| ApiError::Invalid(format!("kind `{word}` is not known")))?
            }
        };
        let text = self.value.as_deref().ok_or_else(|| ApiError::Invalid("`value` is missing".into()))?;
        Ok(Observable::parse(kind, text)?)
    }
}

fn read(body: &[u8]) -> Result<Vec<Asked>, ApiError> {
    let invalid =
        |error| ApiError::BadRequest(format!("the body is neither an entry nor an array of them: {error}"));
    let asked = match serde_json::from_slice(body).map_err(invalid)? {
        Body::One(one) => vec![*one],
        Body::Many(many) => many,
    };
    match asked.len() {
        0 => Err(ApiError::BadRequest("there is nothing to do".into())),
        _ => Ok(asked),
    }
}

pub(crate) async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Bytes,
) -> Result<Response, ApiError> {
    let caller = caller.need(Role::Analyst)?;
    let new = |asked: &Asked| {
        let comment = asked.comment.as_deref().unwrap_or_default().into();
        Ok(NewAllow { value: asked.observable()?, comment })
    };
    let allows = read(&body)?.iter().map(new).collect::<Result<Vec<_>, ApiError>>()?;
    let commands =
        allows.chunks(REPORTS_MAX).map(|chunk| caller.command(Operation::AllowAdd(chunk.to_vec())));
    let written = app.cluster.propose_all(commands.collect()).await?;
    done(written, "allow list successfully saved")
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Bytes,
) -> Result<Response, ApiError> {
    let caller = caller.need(Role::Analyst)?;
    let values = read(&body)?.iter().map(Asked::observable).collect::<Result<Vec<_>, ApiError>>()?;
    let commands =
        values.chunks(REPORTS_MAX).map(|chunk| caller.command(Operation::AllowDelete(chunk.to_vec())));
    let written = app.cluster.propose_all(commands.collect()).await?;
    done(written, "allow list entry successfully deleted")
}

/// 201 when something is new; the first refusal of a request in which nothing was done is its answer.
fn done(written: Vec<raft::Written>, message: &str) -> Result<Response, ApiError> {
    let index = written.iter().map(|written| written.index).max().unwrap_or(0);
    let mut lines = Vec::new();
    for written in written {
        match written.outcome {
            Outcome::Lines(more) => lines.extend(more),
            Outcome::Refused(refusal) => return Err(refusal.into()),
            _ => {}
        }
    }
    if lines.iter().all(|line| matches!(line, Line::Refused(_)))
        && let Some(Line::Refused(refusal)) = lines.first()
    {
        return Err(refusal.clone().into());
    }
    let added = lines.iter().any(|line| matches!(line, Line::Added));
    let status = if added { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer::at_index(answer::message(status, message), index))
}

pub(crate) async fn all(State(app): State<Arc<App>>, _caller: Caller) -> Response {
    let picture = app.cluster.picture();
    let views: Vec<View<'_>> = picture.list.allows().map(|allow| View::from(&**allow)).collect();
    app.read_headers(answer::json(StatusCode::OK, &views), picture.index)
}

/// The entry of this value, or the one that covers it; for an address, a domain, or anything else.
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    _caller: Caller,
) -> Result<Response, ApiError> {
    let picture = app.cluster.picture();
    let values = Kind::ALL.into_iter().filter_map(|kind| Observable::parse(kind, &text).ok());
    let found = values
        .into_iter()
        .find_map(|value| picture.list.allow(&value).or_else(|| picture.list.allowing(&value)));
    let allow = found.ok_or_else(|| ApiError::NotFound(format!("`{text}` is not on the allow list")))?;
    Ok(app.read_headers(answer::json(StatusCode::OK, &View::from(&**allow)), picture.index))
}
