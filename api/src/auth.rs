//! Who is calling, and may they? Handlers name what they need in their arguments.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};
use raft::blocklist::{Account, Actor, Command, Operation, Role};
use sha2::{Digest, Sha256};

use crate::app::{App, now};
use crate::error::ApiError;
use crate::server::ClientAddress;

/// A caller with an account.
pub(crate) struct Caller {
    pub(crate) account: Arc<Account>,
    /// Where the request comes from.
    pub(crate) peer: Option<IpAddr>,
    /// The same as text, once somebody has asked.
    address: OnceLock<Arc<str>>,
}

/// A caller who runs the cluster: an admin account, or the registration token in `x-authentication`.
pub(crate) struct Operator {
    pub(crate) actor: Actor,
}

impl Caller {
    /// Whose request this is, by its headers.
    pub(crate) async fn of(app: &App, headers: &HeaderMap, peer: Option<IpAddr>) -> Result<Caller, ApiError> {
        let account = app.credentials.verify(headers, &app.cluster.decided().list).await?;
        Ok(Caller::new(account, peer))
    }

    /// A caller whose credentials were right.
    pub(crate) fn new(account: Arc<Account>, peer: Option<IpAddr>) -> Caller {
        Caller { account, peer, address: OnceLock::new() }
    }

    /// Where the request comes from, as text.
    pub(crate) fn address(&self) -> Arc<str> {
        self.address.get_or_init(|| text_of(self.peer)).clone()
    }

    /// Goes on only with this role or a stronger one.
    pub(crate) fn need(self, role: Role) -> Result<Caller, ApiError> {
        if self.account.role >= role {
            return Ok(self);
        }
        let own = self.account.role;
        Err(ApiError::Forbidden(format!("a {own} may not do this; it takes the role {role}")))
    }

    /// A command of this caller, stamped now.
    pub(crate) fn command(&self, operation: Operation) -> Command {
        let actor = Actor {
            account: self.account.username.clone(),
            role: self.account.role,
            address: self.address(),
        };
        Command::new(now(), actor, operation)
    }
}

impl Operator {
    /// A command of this operator, stamped now.
    pub(crate) fn command(&self, operation: Operation) -> Command {
        Command::new(now(), self.actor.clone(), operation)
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Caller, ApiError> {
        Caller::of(app, &parts.headers, peer(&parts.extensions)).await
    }
}

impl FromRequestParts<Arc<App>> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Operator, ApiError> {
        match token_is_right(&parts.headers, &app.settings.registration_token) {
            Some(true) => {
                let actor = Actor {
                    account: "".into(),
                    role: Role::Admin,
                    address: text_of(peer(&parts.extensions)),
                };
                return Ok(Operator { actor });
            }
            Some(false) => {
                return Err(ApiError::Unauthorized("the token in x-authentication is wrong".into()));
            }
            None => {}
        }
        let caller = Caller::from_request_parts(parts, app).await?.need(Role::Admin)?;
        let address = caller.address();
        let account = caller.account;
        Ok(Operator { actor: Actor { account: account.username.clone(), role: account.role, address } })
    }
}

/// Whether `x-authentication` holds the registration token; `None` without that header. Compared by digest,
/// so that the time taken tells nothing.
pub(crate) fn token_is_right(headers: &HeaderMap, token: &str) -> Option<bool> {
    let given = headers.get("x-authentication")?;
    Some(Sha256::digest(given.as_bytes()) == Sha256::digest(token.as_bytes()))
}

/// Where a request comes from.
pub(crate) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    let peer = extensions.get::<ConnectInfo<ClientAddress>>();
    peer.map(|ConnectInfo(peer)| peer.0.ip().to_canonical())
}

/// An address as text; nothing when there is none.
pub(crate) fn text_of(peer: Option<IpAddr>) -> Arc<str> {
    peer.map_or_else(|| "".into(), |peer| peer.to_string().into())
}
