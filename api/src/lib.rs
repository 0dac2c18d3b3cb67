//! HTTP, and DNS: how people, sensors and firewalls talk to the list.
//!
//! A request goes `site` → `routes` → `auth` → one handler (`list`, `allow`, `user`, `admin`, `crowdsec`) → one call of `raft::Cluster` →
//! `answer` or `format`; whole lists come from `export`. `error` is the one place with status codes. `dnsbl` answers
//! mail servers, beside all that.

mod abuseipdb;
mod admin;
mod allow;
mod answer;
mod app;
mod auth;
mod consumers;
mod credentials;
mod crowdsec;
mod dnsbl;
mod error;
mod export;
mod feed;
mod followers;
mod format;
mod freshness;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod health;
mod hook;
pub mod import;
mod list;
mod looking;
mod metrics;
mod parameters;
mod requests;
mod routes;
mod server;
mod site;
mod user;
mod waiting;
pub mod wire;
mod writing;

pub use dnsbl::{Dnsbl, DnsblSettings};
pub use server::Server;
pub use site::Site;

use std::path::PathBuf;
use std::sync::Arc;

/// What the API needs besides the cluster.
pub struct ApiSettings {
    /// What `x-authentication` must say to register an account or open the admin endpoints.
    pub registration_token: String,
    /// Largest request body, in bytes.
    pub body_bytes_max: usize,
    /// The data directory: what frozen feeds show is kept there.
    pub data: PathBuf,
    /// The DNS listener, for its figures.
    pub dnsbl: Option<Dnsbl>,
    /// Where imports may read files; nowhere without it.
    pub imports_dir: Option<PathBuf>,
    /// Imports may be fetched from loopback and private addresses.
    pub imports_private: bool,
}

/// The whole API over a cluster. Called within a runtime: what it has to see to by itself begins.
pub fn site(cluster: raft::Cluster, settings: Arc<ApiSettings>) -> Site {
    let app = Arc::new(app::App::new(cluster, settings));
    tokio::spawn(feed::keep(app.clone()));
    tokio::spawn(export::refresh(app.clone()));
    tokio::spawn(import::keep(app.clone()));
    Site::of_app(app)
}

/// What a node answers before it belongs to a cluster: `/livez` is 200, `/readyz` 503, `GET /admin/formation`
/// (registration token) tells `{"state":"waiting","join_key":"<hex>"}`; everything else is 503 + Retry-After.
pub fn waiting_site(join_key: [u8; 16], settings: Arc<ApiSettings>) -> Site {
    Site::of_routes(waiting::router(join_key, settings))
}
