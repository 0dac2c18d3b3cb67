//! `GET /feed/<name>.<ext>`: what a firewall fetches by one short URL. An admin says what a feed shows
//! (`PUT /admin/feeds/<name>`), every node serves it, and any account may fetch it: by the usual credentials, or by
//! an API token in the path (`/feed/<token>/<name>.<ext>`) for devices that can send nothing else.
//!
//! A feed answers 401 to wrong credentials only, and fails only where a node has nothing to show: many firewalls
//! drop their list on the former, and count on the latter.

mod admin;
mod checksum;
mod file;
mod frozen;
mod keeping;
mod show;

pub(crate) use admin::{all, delete, publish, put, show as show_profile};
pub(crate) use keeping::run as keep;
pub(crate) use show::{by_token, show};

use axum::http::HeaderMap;
use raft::blocklist::Profile;

use crate::error::ApiError;
use crate::list::Rendering;
use crate::parameters::Parameters;

/// What a URL of the list may say and a feed may not: its format stands apart, and it has one page.
const NOT_IN_A_FEED: [&str; 2] = ["format", "cursor"];

/// How the list is asked for that a feed shows.
fn rendering(profile: &Profile) -> Result<Rendering, ApiError> {
    let asked = Parameters::parse(Some(&profile.query), &Rendering::WORDS)?;
    if let Some(word) = NOT_IN_A_FEED.into_iter().find(|word| asked.get(word).is_some()) {
        return Err(ApiError::BadRequest(format!("`{word}` does not belong into the query of a feed")));
    }
    let parameters = asked.with("format", &profile.format);
    Rendering::read(profile.kind, &parameters, &HeaderMap::new())
}

#[cfg(test)]
mod tests {
    use raft::blocklist::Kind;

    use super::*;

    #[test]
    fn a_feed_is_a_query_of_its_list() {
        let rows = [
            (Kind::Ip, "", "txt", None),
            (Kind::Ip, "fields=value&family=4&limit=5&tag=a,b", "csv", None),
            (Kind::Ip, "aggregate=1", "txt", None),
            (Kind::Domain, "min_sightings=2", "json", None),
            (Kind::Domain, "aggregate=1", "txt", Some("aggregate")),
            (Kind::Ip, "colour=red", "txt", Some("`colour` is not known")),
            (Kind::Ip, "min_index=5", "txt", Some("`min_index` is not known")),
            (Kind::Ip, "limit=many", "txt", Some("limit")),
            (Kind::Ip, "format=csv", "txt", Some("`format` does not belong")),
            (Kind::Ip, "cursor=x", "txt", Some("`cursor` does not belong")),
            (Kind::Ip, "", "yaml", Some("format `yaml` is not known")),
            (Kind::Ip, "", "txt&limit=5", Some("format `txt&limit=5`")),
        ];
        for (kind, query, format, wrong) in rows {
            let profile = Profile {
                kind,
                query: query.into(),
                format: format.into(),
                description: "".into(),
                freeze_percent: None,
            };
            match (rendering(&profile), wrong) {
                (Ok(_), None) => {}
                (Err(ApiError::BadRequest(message)), Some(wrong)) => {
                    assert!(message.contains(wrong), "{query} {format}: {message}");
                }
                (result, _) => panic!("{query} {format}: {:?}", result.err()),
            }
        }
    }
}
