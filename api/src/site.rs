//! What a server serves: all routes, and before them what sensors and firewalls do all day: a lookup, a whole list, and
//! a short report. Those come from the same functions as behind their routes, and are counted and noted alike; but what
//! a router does around each request costs more than such a read.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::request::Parts;
use axum::http::{Method, Request, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::SizeHint;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use raft::blocklist::{Kind, Observable};

use crate::app::App;
use crate::auth::Caller;
use crate::consumers::Noting;
use crate::error::{self, ApiError};
use crate::server::Share;
use crate::writing::Sent;
use crate::{list, routes};

/// The longest body of a report that needs no router, in bytes.
const SHORT_BODY_BYTES_MAX: u64 = 16 << 10;
/// Where such a report would go otherwise.
const REPORT_ROUTE: &str = "/{kind}/add";

/// Routes, and what is answered without them.
#[derive(Clone)]
pub struct Site {
    router: Router,
    app: Option<Arc<App>>,
}

/// A read that needs no router.
enum Read<'r> {
    Entry(Kind, &'r str),
    List(Kind),
}

impl Site {
    /// Routes alone.
    pub(crate) fn of_routes(router: Router) -> Site {
        Site { router, app: None }
    }

    /// All routes of the API.
    pub(crate) fn of_app(app: Arc<App>) -> Site {
        Site { router: routes::router(app.clone()), app: Some(app) }
    }

    /// The answer to a request without a body, if it is one of the two reads.
    pub(crate) async fn read(&self, request: &Parts, peer: IpAddr) -> Option<Response> {
        let app = self.app.as_ref()?;
        let read = Read::of(&request.method, &request.uri)?;
        let started = Instant::now();
        let peer = Some(peer.to_canonical());
        let response = match read {
            Read::Entry(kind, value) => {
                entry(app, kind, value, request, peer).await.unwrap_or_else(IntoResponse::into_response)
            }
            Read::List(kind) => {
                let noting = Noting::before(app, &request.headers, peer, &request.uri);
                let response = whole(app, kind, request, peer).await;
                let response = response.unwrap_or_else(IntoResponse::into_response);
                noting.after(app, response).await
            }
        };
        app.requests.count(read.route(), response.status(), started.elapsed());
        Some(response)
    }

    /// What a request reports about, if it needs no router.
    pub(crate) fn reported(&self, request: &Parts, body: &SizeHint) -> Option<Kind> {
        self.app.as_ref()?;
        let short = body.exact().is_some_and(|bytes| bytes <= SHORT_BODY_BYTES_MAX);
        let kind = request.uri.path().strip_prefix('/')?.strip_suffix("/add")?;
        (short && request.method == Method::POST).then(|| kind.parse().ok()).flatten()
    }

    /// The answer to such a report.
    pub(crate) async fn report(
        &self,
        kind: Kind,
        request: Parts,
        body: impl HttpBody<Data = Bytes, Error = io::Error>,
        share: &Share,
        peer: IpAddr,
    ) -> Response {
        let Some(app) = &self.app else { return error::no_such_route(request.uri).await.into_response() };
        let started = Instant::now();
        let response = report(app, kind, request, body, peer).await;
        let response =
            error::broken_off(share).unwrap_or_else(|| response.unwrap_or_else(IntoResponse::into_response));
        app.requests.count(REPORT_ROUTE, response.status(), started.elapsed());
        response
    }

    /// The answer to any request.
    pub(crate) async fn route(&self, request: Request<Body>) -> Response {
        let Ok(response) = TowerToHyperService::new(self.router.clone()).call(request).await;
        response
    }
}

async fn entry(
    app: &App,
    kind: Kind,
    value: &str,
    request: &Parts,
    peer: Option<IpAddr>,
) -> Result<Response, ApiError> {
    Caller::of(app, &request.headers, peer).await?;
    let value = Observable::parse(kind, value)?;
    list::show(app, &value, request.uri.query(), &request.headers).await
}

async fn report(
    app: &App,
    kind: Kind,
    request: Parts,
    body: impl HttpBody<Data = Bytes, Error = io::Error>,
    peer: IpAddr,
) -> Result<Response, ApiError> {
    let caller = Caller::of(app, &request.headers, Some(peer.to_canonical())).await?;
    let broke_off = |error| ApiError::BadRequest(format!("the body broke off: {error}"));
    let body = body.collect().await.map_err(broke_off)?.to_bytes();
    let sent = Sent { method: request.method, uri: request.uri, headers: request.headers, body };
    list::add_sent(app, kind, caller, &sent).await
}

async fn whole(app: &App, kind: Kind, request: &Parts, peer: Option<IpAddr>) -> Result<Response, ApiError> {
    Caller::of(app, &request.headers, peer).await?;
    list::whole(app, kind, request.uri.query(), &request.headers).await
}

impl<'r> Read<'r> {
    fn of(method: &Method, uri: &'r Uri) -> Option<Read<'r>> {
        if method != Method::GET {
            return None;
        }
        let (kind, rest) = uri.path().strip_prefix('/')?.split_once('/')?;
        let kind = kind.parse().ok()?;
        match rest {
            "all" => Some(Read::List(kind)),
            word if routes::OF_KINDS.contains(&word) => None,
            value => list::is_plain_value(value).then_some(Read::Entry(kind, value)),
        }
    }

    /// The route that has this read too.
    fn route(&self) -> &'static str {
        match self {
            Read::Entry(..) => "/{kind}/{*value}",
            Read::List(_) => "/{kind}/all",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_reads_need_no_router() {
        let rows = [
            ("GET", "/ip/192.0.2.1", "192.0.2.1"),
            ("GET", "/ip/192.0.2.0/24?format=csv", "192.0.2.0/24"),
            ("GET", "/url/http://example.org/", "http://example.org/"),
            ("GET", "/domain/all", "all of domain"),
            ("GET", "/ip/all?fields=value", "all of ip"),
            ("HEAD", "/ip/all", ""),
            ("POST", "/ip/add", ""),
            ("GET", "/ip/add", ""),
            ("GET", "/ip/changes?since=1", ""),
            ("GET", "/ip/192.0.2.1/sightings", ""),
            ("GET", "/ip/192.0.2.1/history", ""),
            ("GET", "/ip/192.0.2.0%2F24", ""),
            ("GET", "/ip/", ""),
            ("GET", "/ip", ""),
            ("GET", "/user/anna", ""),
            ("GET", "/allow/all", ""),
            ("GET", "/", ""),
        ];
        for (method, uri, expected) in rows {
            let uri = uri.parse().unwrap();
            let found = match Read::of(&method.parse().unwrap(), &uri) {
                Some(Read::Entry(_, value)) => value.to_owned(),
                Some(Read::List(kind)) => format!("all of {kind}"),
                None => String::new(),
            };
            assert_eq!(found, expected, "{method} {uri}");
        }
    }

    #[test]
    fn a_word_that_is_a_route_is_no_value() {
        let routes = include_str!("routes.rs");
        let words = routes.split(r#".route("/{kind}/"#).skip(1).filter_map(|rest| rest.split('"').next());
        let words: Vec<&str> = words.filter(|word| !word.contains('{')).collect();
        assert!(words.len() > 5, "{words:?}");
        for word in words {
            assert!(routes::OF_KINDS.contains(&word), "{word}");
        }
        for read in [Read::List(Kind::Ip), Read::Entry(Kind::Ip, "")] {
            assert!(routes.contains(&format!(".route({:?}, get(", read.route())), "{}", read.route());
        }
        assert!(routes.contains(&format!(".route({REPORT_ROUTE:?}, post(list::add))")));
    }
}
