//! Who asks: a bouncer with the API token of an account, and what its sort of firewall can take.

use std::sync::Arc;

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::header;
use axum::http::request::Parts;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::auth::{Caller, peer};
use crate::error::ApiError;

/// The user agent of the bouncer for nftables, ipset and pf, without its version.
const FIREWALL: &str = "crowdsec-firewall-bouncer";
/// Under this path networks stay networks for everybody: for ipset and pf.
const RANGES: &str = "/crowdsec/ranges/";

/// Under this path, and a number, a bouncer gets so many values.
const MAX: &str = "/max/";

/// A caller who speaks the protocol.
pub(crate) struct Bouncer {
    pub(super) caller: Caller,
    /// `type/version`, as it says itself.
    pub(super) agent: String,
    /// A digest of what tells bouncers apart: the credentials, the address, the user agent and the path.
    pub(super) identity: [u8; 32],
}

impl Bouncer {
    /// It keeps its own timeouts in the kernel, and skips what it has already: to extend a ban is to end it and
    /// to begin it again. It takes what has ended before what begins.
    pub(super) fn is_firewall(&self) -> bool {
        self.agent.split('/').next() == Some(FIREWALL)
    }
}

/// What it takes of networks: the firewall bouncer's nftables sets hold single addresses only.
pub(super) fn takes_ranges(agent: &str, path: &str) -> bool {
    path.starts_with(RANGES) || agent.split('/').next() != Some(FIREWALL)
}

/// How many values it takes, by its path: `/crowdsec/max/20000/`, `/crowdsec/ranges/max/20000/`.
pub(super) fn takes_at_most(path: &str) -> Result<Option<usize>, ApiError> {
    let Some(word) = path.split_once(MAX).and_then(|(_, rest)| rest.split('/').next()) else {
        return Ok(None);
    };
    match word.parse() {
        Ok(max) if max > 0 => Ok(Some(max)),
        _ => Err(ApiError::BadRequest(format!("max `{}` is not a number from 1 on", word.escape_debug()))),
    }
}

impl FromRequestParts<Arc<App>> for Bouncer {
    type Rejection = ApiError;

    /// Missing or wrong credentials are a 403 with upstream's words, which bouncers know.
    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Bouncer, ApiError> {
        let account = match app.credentials.verify(&parts.headers, &app.cluster.decided().list).await {
            Ok(account) => account,
            Err(ApiError::Unauthorized(_)) => return Err(ApiError::Forbidden("access forbidden".into())),
            Err(error) => return Err(error),
        };
        let caller = Caller::new(account, peer(&parts.extensions));
        let path = parts.extensions.get::<OriginalUri>().map_or_else(|| parts.uri.path(), |uri| uri.path());
        let agent = parts.headers.get(header::USER_AGENT).map(|agent| agent.as_bytes()).unwrap_or_default();
        let mut digest = Sha256::new();
        for part in ["x-api-key", "authorization"].map(|name| parts.headers.get(name)) {
            field(&mut digest, part.map(|value| value.as_bytes()).unwrap_or_default());
        }
        for part in [caller.address().as_bytes(), agent, path.as_bytes()] {
            field(&mut digest, part);
        }
        let agent = String::from_utf8_lossy(agent).into_owned();
        Ok(Bouncer { caller, agent, identity: digest.finalize().into() })
    }
}

/// Fields of any length, none of which runs into the next.
pub(super) fn field(digest: &mut Sha256, bytes: &[u8]) {
    digest.update((bytes.len() as u64).to_be_bytes());
    digest.update(bytes);
}
