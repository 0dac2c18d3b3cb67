//! Who asks, and what is done with an answer.

use clap::Args;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Bytes, Incoming};
use stockade_tests::Connection;

use crate::Failure;

/// Who asks.
#[derive(Args, Clone)]
pub(crate) struct Account {
    /// name:password; empty for none
    #[arg(long, default_value = "bench:bench-password")]
    user: String,
}

impl Account {
    /// Connects to `host:port`.
    pub(crate) async fn connect(&self, host: &str) -> Result<Connection, Failure> {
        Connection::open(host, &self.user).await
    }
}

/// Reads a body to its end.
pub(crate) async fn read(response: Response<Incoming>) -> Result<Bytes, Failure> {
    Ok(response.into_body().collect().await?.to_bytes())
}
