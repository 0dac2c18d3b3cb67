//! `PATCH /<kind>/<value>`: corrects the comment, the tags or the expiry of an entry. It counts no sighting.

use std::fmt;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use raft::blocklist::{Observable, Operation, Outcome, Patch, Role, Timestamp};
use serde::{Deserialize, Deserializer};

use super::asked::{About, Asked};
use super::report::{NumberOrText, Tags, comment, moment, seconds};
use super::{KindOf, not_listed};
use crate::answer;
use crate::app::{App, now};
use crate::auth::Caller;
use crate::error::ApiError;
use crate::format::{self, Field, Row, Shape};
use crate::parameters::Parameters;
use crate::writing::{Sent, Writing};

/// The body: what is to change.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Body {
    comment: Option<String>,
    tags: Option<Tags>,
    /// A moment, or null for never.
    #[serde(deserialize_with = "given")]
    expires: Option<Option<NumberOrText>>,
    ttl: Option<NumberOrText>,
}

/// Keeps a member that is null apart from one that is not there.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<NumberOrText>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Body {
    pub(super) fn read(bytes: &[u8]) -> Result<Body, ApiError> {
        let invalid = |error: &dyn fmt::Display| {
            let members = "the body is no object of comment, tags, and expires or ttl";
            ApiError::BadRequest(format!("{members}: {error}"))
        };
        // serde takes an array for an object, its items in the order of the members.
        if bytes.trim_ascii_start().starts_with(b"[") {
            return Err(invalid(&"it is an array"));
        }
        let body: Body = serde_json::from_slice(bytes).map_err(|error| invalid(&error))?;
        if body.expires.is_some() && body.ttl.is_some() {
            return Err(ApiError::BadRequest("expires and ttl together: give one of them".into()));
        }
        if body.comment.is_none() && body.tags.is_none() && body.expires.is_none() && body.ttl.is_none() {
            let message = "there is nothing to change; give comment, tags, expires or ttl";
            return Err(ApiError::BadRequest(message.into()));
        }
        Ok(body)
    }

    /// The change; a ttl counts from `now`.
    pub(super) fn parse(&self, value: Observable, now: Timestamp) -> Result<Patch, String> {
        let expires = match (&self.expires, &self.ttl) {
            (Some(None), _) => Some(None),
            (Some(Some(text)), _) => Some(Some(moment("expires", text)?)),
            (None, Some(ttl)) => {
                Some(Some(seconds(ttl)?).filter(|ttl| *ttl > 0).map(|ttl| now.plus_seconds(ttl)))
            }
            (None, None) => None,
        };
        let comment = self.comment.as_deref().map(comment);
        let tags = self.tags.as_ref().map(Tags::labels).transpose()?;
        Ok(Patch { value, comment, tags, expires })
    }
}

pub(crate) async fn patch(
    State(app): State<Arc<App>>,
    KindOf(kind): KindOf,
    Asked { value, about }: Asked,
    RawQuery(query): RawQuery,
    caller: Caller,
    sent: Sent,
) -> Result<Response, ApiError> {
    let caller = caller.need(Role::Analyst)?;
    if about != About::Entry {
        return Err(ApiError::ReadOnly("what sources said can be read, and is not changed".into()));
    }
    let parameters = Parameters::parse(query.as_deref(), &[&["fields"]])?;
    let shape = Shape { fields: Field::parse_list(parameters.get("fields"))?, ..Shape::default() };
    let value = Observable::parse(kind, &value)?;
    let patch = Body::read(&sent.body)?.parse(value.clone(), now()).map_err(ApiError::Invalid)?;
    let mut writing = Writing::new(&app, &caller, &sent, false)?;
    match writing.run_one(Operation::Patch(patch)).await?.outcome {
        Outcome::Refused(refusal) => Err(refusal.into()),
        _ => Ok(writing.answer(entry(&app, &value, &shape))),
    }
}

/// The entry as it is now: this node has applied the change, and perhaps more.
fn entry(app: &App, value: &Observable, shape: &Shape) -> Response {
    let picture = app.cluster.picture();
    let Some(entry) = picture.list.get(value) else {
        return not_listed(app, value, picture.index);
    };
    let json = format::ALL[0];
    let mut bytes = Vec::with_capacity(256);
    json.render(&mut std::iter::once(Row::from(entry)), shape, &mut bytes);
    let content_type = HeaderValue::from_static(json.content_type());
    answer::at_index(answer::body(StatusCode::OK, content_type, bytes.into()), picture.index)
}

#[cfg(test)]
mod tests {
    use raft::blocklist::Kind;

    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    #[track_caller]
    fn check(body: &str, expected: Result<Option<Option<i64>>, &str>) {
        let value = Observable::parse(Kind::Ip, "192.0.2.1").unwrap();
        let read = Body::read(body.as_bytes()).map_err(|error| error.message().to_owned());
        let patch = read.and_then(|read| read.parse(value, NOW));
        match (patch, expected) {
            (Ok(patch), Ok(expires)) => {
                assert_eq!(patch.expires, expires.map(|moment| moment.map(Timestamp)), "{body}");
            }
            (Err(message), Err(expected)) => assert!(message.contains(expected), "{body}: {message}"),
            (patch, _) => panic!("{body}: {patch:?}"),
        }
    }

    #[test]
    fn an_expiry_is_a_moment_a_time_to_live_or_never() {
        check(r#"{"expires":null}"#, Ok(Some(None)));
        check(r#"{"expires":1500}"#, Ok(Some(Some(1_500_000))));
        check(r#"{"expires":"1970-01-01T00:25:00Z"}"#, Ok(Some(Some(1_500_000))));
        check(r#"{"expires":"1970-01-01 00:25:00"}"#, Ok(Some(Some(1_500_000))));
        check(r#"{"ttl":500}"#, Ok(Some(Some(1_500_000))));
        check(r#"{"ttl":"7d"}"#, Ok(Some(Some(1_000_000 + 604_800_000))));
        check(r#"{"ttl":-1}"#, Ok(Some(None)));
        check(r#"{"ttl":"0"}"#, Ok(Some(None)));
        check(r#"{"comment":"x","tags":["a","b"]}"#, Ok(None));
        check(r#"{"tags":"a, b"}"#, Ok(None));
    }

    #[test]
    fn what_is_no_change_is_refused() {
        check("{}", Err("nothing to change"));
        check(r#"{"comment":null}"#, Err("nothing to change"));
        check(r#"{"expires":null,"ttl":7}"#, Err("expires and ttl together"));
        check(r#"{"comments":"x"}"#, Err("unknown field `comments`"));
        check(r#"{"value":"192.0.2.2","comment":"x"}"#, Err("unknown field `value`"));
        check(r#"{"expires":"tomorrow"}"#, Err("expires `tomorrow` is neither"));
        check(r#"{"ttl":"soon"}"#, Err("ttl `soon` is not a time"));
        check(r#"{"tags":7}"#, Err("no object of"));
        check(r#"["x"]"#, Err("no object of"));
        check("", Err("no object of"));
    }
}
