//! What every handler shares.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::response::Response;
use raft::Cluster;
use raft::blocklist::{Command, Outcome, Timestamp};

use crate::ApiSettings;
use crate::answer;
use crate::consumers::Consumers;
use crate::credentials::Credentials;
use crate::crowdsec::Cursors;
use crate::error::ApiError;
use crate::export::Exports;
use crate::followers::Followers;
use crate::list::{Following, Queries};
use crate::metrics::Requests;

/// The state behind all routes.
pub(crate) struct App {
    pub(crate) cluster: Cluster,
    pub(crate) settings: Arc<ApiSettings>,
    pub(crate) credentials: Credentials,
    pub(crate) exports: Exports,
    pub(crate) queries: Queries,
    pub(crate) followers: Followers,
    pub(crate) following: Following,
    pub(crate) requests: Requests,
    pub(crate) consumers: Consumers,
    pub(crate) cursors: Cursors,
}

impl App {
    pub(crate) fn new(cluster: Cluster, settings: Arc<ApiSettings>) -> App {
        App {
            cluster,
            settings,
            credentials: Credentials::default(),
            exports: Exports::default(),
            queries: Queries::default(),
            followers: Followers::default(),
            following: Following::default(),
            requests: Requests::default(),
            consumers: Consumers::default(),
            cursors: Cursors::default(),
        }
    }

    /// Has a command carried out of which nothing is told but that it is done; the log index at which it is.
    pub(crate) async fn decide(&self, command: Command) -> Result<u64, ApiError> {
        let written = self.cluster.propose(command).await?;
        match written.outcome {
            Outcome::Refused(refusal) => Err(refusal.into()),
            _ => Ok(written.index),
        }
    }

    /// A read's answer, saying which index it reflects and how long ago a leader was heard of.
    pub(crate) fn read_headers(&self, response: Response, index: u64) -> Response {
        let mut response = answer::at_index(response, index);
        if let Some(lag) = self.cluster.lag() {
            response.headers_mut().insert(answer::LAG, answer::seconds(lag));
        }
        response
    }
}

/// The moment a request is stamped with; the only clock a command ever sees.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
