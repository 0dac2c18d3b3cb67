//! `GET /<kind>/<value>` and what may stand behind the value. Values hold slashes (networks, URLs), so the path as
//! it was sent decides: a URL that itself ends in `/sightings` is asked for with its slashes percent-encoded.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use raft::blocklist::Observable;

use super::{KindOf, history, lookup, sightings};
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;

/// What is asked about a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// The entry, and the networks around it.
    Entry,
    /// What each source said.
    Sightings,
    /// What was done to it.
    History,
}

impl About {
    /// The words that may stand behind a value.
    const WORDS: [(&str, About); 2] = [("/sightings", About::Sightings), ("/history", About::History)];

    /// Takes the value, decoded, apart from what is asked about it; `sent` is the path as it was sent.
    fn split<'v>(sent: &str, value: &'v str) -> (&'v str, About) {
        let asked = About::WORDS.into_iter().find_map(|(word, about)| {
            let value = sent.ends_with(word).then(|| value.strip_suffix(word))??;
            (!value.is_empty()).then_some((value, about))
        });
        asked.unwrap_or((value, About::Entry))
    }
}

/// The value that a path names, and what is asked about it.
pub(crate) struct Asked {
    pub(crate) value: String,
    pub(crate) about: About,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Asked, ApiError> {
        let Path((_, value)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| ApiError::BadRequest(rejection.body_text()))?;
        let (value, about) = About::split(parts.uri.path(), &value);
        Ok(Asked { value: value.to_owned(), about })
    }
}

/// Whether what stands behind a kind in a path is a value as it is, and the entry is what is asked for.
pub(crate) fn is_plain_value(sent: &str) -> bool {
    About::split(sent, sent).1 == About::Entry && !sent.is_empty() && !sent.contains('%')
}

/// What the list says of the value, in the way that is asked for.
pub(crate) async fn ask(
    State(app): State<Arc<App>>,
    KindOf(kind): KindOf,
    Asked { value, about }: Asked,
    RawQuery(query): RawQuery,
    _caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let value = Observable::parse(kind, &value)?;
    match about {
        About::Entry => lookup::show(&app, &value, query.as_deref(), &headers).await,
        About::Sightings => sightings::show(&app, value, query.as_deref()).await,
        About::History => history::show(&app, &value, query.as_deref()).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_as_it_was_sent_decides_what_is_asked() {
        let rows = [
            ("/ip/192.0.2.1", "192.0.2.1", ("192.0.2.1", About::Entry)),
            ("/ip/192.0.2.1/sightings", "192.0.2.1/sightings", ("192.0.2.1", About::Sightings)),
            ("/ip/192.0.2.0/24/sightings", "192.0.2.0/24/sightings", ("192.0.2.0/24", About::Sightings)),
            ("/ip/192.0.2.0%2F24/sightings", "192.0.2.0/24/sightings", ("192.0.2.0/24", About::Sightings)),
            // A URL that ends in the word itself: encoded it is the value, and can be asked about, too.
            ("/url/http:%2F%2Fx%2Fsightings", "http://x/sightings", ("http://x/sightings", About::Entry)),
            (
                "/url/http:%2F%2Fx%2Fsightings/sightings",
                "http://x/sightings/sightings",
                ("http://x/sightings", About::Sightings),
            ),
            ("/ip/192.0.2.1/history", "192.0.2.1/history", ("192.0.2.1", About::History)),
            // No value before it.
            ("/username/sightings", "sightings", ("sightings", About::Entry)),
            ("/username//sightings", "/sightings", ("/sightings", About::Entry)),
        ];
        for (sent, value, expected) in rows {
            assert_eq!(About::split(sent, value), expected, "{sent}");
        }
    }
}
