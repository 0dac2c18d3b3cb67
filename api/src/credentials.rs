//! Verified credentials: a password is checked with argon2id once, and then known by the digest of its header
//! for as long as the account is at the same revision. A change or deletion therefore counts at once.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::RwLock;
use raft::blocklist::{Account, List};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

/// Right headers remembered, and wrong ones, each; at the limit all of that sort are forgotten.
const REMEMBERED_MAX: usize = 10_000;
/// Requests that may wait for a core; beyond it they are told to come back.
const WAITING_MAX: usize = 256;
/// A wrong password is refused again without a check for this long.
const WRONG_FOR: Duration = Duration::from_secs(5);
/// Passwords checked or made at once: each takes a core for some milliseconds.
const CHECKS_AT_ONCE: usize = 2;
/// What an API token begins with.
pub(crate) const TOKEN_PREFIX: &str = "stk_";

/// The cache, and the right to use a core for a password.
pub(crate) struct Credentials {
    right: RwLock<HashMap<[u8; 32], Remembered>>,
    wrong: RwLock<HashMap<[u8; 32], (Remembered, Instant)>>,
    cores: Arc<Semaphore>,
    waiting: Semaphore,
}

/// The account that a header named, as it was when the header was checked.
#[derive(Clone, PartialEq)]
struct Remembered {
    username: Arc<str>,
    /// 0 when there was no such account.
    revision: u64,
}

impl Default for Credentials {
    fn default() -> Credentials {
        Credentials {
            right: RwLock::default(),
            wrong: RwLock::default(),
            cores: Arc::new(Semaphore::new(CHECKS_AT_ONCE)),
            waiting: Semaphore::new(WAITING_MAX),
        }
    }
}

impl Credentials {
    /// Whose request this is.
    pub(crate) async fn verify(&self, headers: &HeaderMap, list: &List) -> Result<Arc<Account>, ApiError> {
        // `Key` is AbuseIPDB's name of it.
        if let Some(key) = headers.get("x-api-key").or_else(|| headers.get("key")) {
            return by_token(list, key.as_bytes()).ok_or_else(wrong);
        }
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Err(ApiError::Unauthorized("this needs an account".into()));
        };
        let (scheme, rest) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(wrong)?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return by_token(list, rest.trim().as_bytes()).ok_or_else(wrong);
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(ApiError::Unauthorized("only Basic and Bearer are understood".into()));
        }
        let digest: [u8; 32] = Sha256::digest(rest.trim().as_bytes()).into();
        if let Some(known) = self.known(&digest, list) {
            return known;
        }
        self.check(digest, rest.trim(), list).await
    }

    /// What is remembered of a header, if it still holds.
    fn known(&self, digest: &[u8; 32], list: &List) -> Option<Result<Arc<Account>, ApiError>> {
        if let Some(remembered) = self.right.read().get(digest) {
            let account = list.account(&remembered.username)?;
            return (account.revision == remembered.revision).then(|| Ok(account.clone()));
        }
        let (remembered, since) = self.wrong.read().get(digest).cloned()?;
        let revision = list.account(&remembered.username).map_or(0, |account| account.revision);
        (revision == remembered.revision && since.elapsed() < WRONG_FOR).then(|| Err(wrong()))
    }

    async fn check(&self, digest: [u8; 32], encoded: &str, list: &List) -> Result<Arc<Account>, ApiError> {
        let decoded = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let (username, password) =
            decoded.as_deref().and_then(|text| text.split_once(':')).ok_or_else(wrong)?;
        if password.starts_with(TOKEN_PREFIX)
            && let Some(account) = by_token(list, password.as_bytes())
        {
            let same = username.is_empty() || *account.username == *username;
            return if same { Ok(account) } else { Err(wrong()) };
        }
        let core = self.core().await?;
        // Whoever waited behind the first request with this header finds it checked.
        if let Some(known) = self.known(&digest, list) {
            return known;
        }
        let account = list.account(username).cloned();
        let right = matches(core, account.as_ref(), password.to_owned()).await;
        let remembered =
            Remembered { username: username.into(), revision: account.as_ref().map_or(0, |a| a.revision) };
        match right {
            true => remember(&mut self.right.write(), digest, remembered),
            false => remember(&mut self.wrong.write(), digest, (remembered, Instant::now())),
        }
        account.filter(|_| right).ok_or_else(wrong)
    }

    /// The right to use a core. It goes with the work and not with the request, which may end before.
    async fn core(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let busy =
            || ApiError::Unavailable("too many passwords are being checked".into(), Duration::from_secs(1));
        let _place = self.waiting.try_acquire().map_err(|_| busy())?;
        self.cores.clone().acquire_owned().await.map_err(|_| busy())
    }

    /// The argon2id hash of a new password.
    pub(crate) async fn hash(&self, password: String) -> Result<Arc<str>, ApiError> {
        let core = self.core().await?;
        let hashed = tokio::task::spawn_blocking(move || {
            let _core = core;
            hash(&password)
        });
        match hashed.await {
            Ok(Some(hash)) => Ok(hash.into()),
            _ => {
                Err(ApiError::Unavailable("the password could not be hashed".into(), Duration::from_secs(1)))
            }
        }
    }
}

fn remember<T>(all: &mut HashMap<[u8; 32], T>, digest: [u8; 32], remembered: T) {
    if all.len() >= REMEMBERED_MAX {
        all.clear();
    }
    all.insert(digest, remembered);
}

fn wrong() -> ApiError {
    ApiError::Unauthorized("wrong user name, password or token".into())
}

/// Whose token a URL holds; for devices that can send nothing else. Neither it nor the URL is ever logged.
pub(crate) fn holder_of(token: &str, list: &List) -> Result<Arc<Account>, ApiError> {
    by_token(list, token.as_bytes()).ok_or_else(wrong)
}

/// The text that is an API token, if these headers hold one in one of the places for it.
pub(crate) fn token_in(headers: &HeaderMap) -> Option<Vec<u8>> {
    if let Some(key) = headers.get("x-api-key") {
        return Some(key.as_bytes().to_vec());
    }
    let (scheme, rest) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().as_bytes().to_vec());
    }
    let pair = STANDARD.decode(rest.trim()).ok()?;
    let password = pair.splitn(2, |byte| *byte == b':').nth(1)?;
    password.starts_with(TOKEN_PREFIX.as_bytes()).then(|| password.to_vec())
}

fn by_token(list: &List, token: &[u8]) -> Option<Arc<Account>> {
    list.account_by_token(&Sha256::digest(token).into()).cloned()
}

fn hash(password: &str) -> Option<String> {
    Argon2::default().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
}

/// Checks on a blocking thread; an unknown account costs the same as a wrong password.
async fn matches(core: OwnedSemaphorePermit, account: Option<&Arc<Account>>, password: String) -> bool {
    static NOBODY: LazyLock<String> = LazyLock::new(|| hash("nobody's password").unwrap_or_default());
    let stored = account.map(|account| account.password_hash.clone());
    let checked = tokio::task::spawn_blocking(move || {
        let _core = core;
        let text = stored.as_deref().unwrap_or(NOBODY.as_str());
        let right = Argon2::default().verify_password(password.as_bytes(), text).is_ok();
        right && stored.is_some()
    });
    checked.await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use raft::blocklist::{Actor, Batch, Command, Operation, Origin, Role, Timestamp, Token};

    use super::*;

    /// A list with one account after another operation on it.
    fn list(operations: Vec<Operation>) -> List {
        let mut list = List::default();
        let actor = Actor { account: "".into(), role: Role::Admin, address: "".into() };
        for (index, operation) in (1..).zip(operations) {
            let command = Command::new(Timestamp(0), actor.clone(), operation);
            let origin = Origin { node: 1, incarnation: 1 };
            list.apply(index, &Batch { origin, first_sequence: index, commands: vec![command] });
        }
        list
    }

    fn anna(password: &str) -> Operation {
        let password_hash = hash(password).unwrap().into();
        Operation::CreateAccount { username: "anna".into(), password_hash, role: Role::Reader }
    }

    fn basic(text: &str) -> (&'static str, String) {
        ("authorization", format!("Basic {}", STANDARD.encode(text)))
    }

    #[track_caller]
    fn verify(credentials: &Credentials, list: &List, (name, value): (&'static str, String)) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(&value).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        match runtime.block_on(credentials.verify(&headers, list)) {
            Ok(account) => *account.username == *"anna",
            Err(ApiError::Unauthorized(_)) => false,
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_password_is_right_until_it_changes_or_the_account_goes() {
        let credentials = Credentials::default();
        let before = list(vec![anna("old-password")]);
        for round in ["checked", "remembered"] {
            assert!(verify(&credentials, &before, basic("anna:old-password")), "right, {round}");
            assert!(!verify(&credentials, &before, basic("anna:guess")), "wrong, {round}");
            assert!(!verify(&credentials, &before, basic("bert:old-password")), "no such account, {round}");
        }
        let password_hash = Some(hash("new-password").unwrap().into());
        let change = Operation::UpdateAccount { username: "anna".into(), password_hash, role: None };
        let changed = list(vec![anna("old-password"), change]);
        assert!(!verify(&credentials, &changed, basic("anna:old-password")), "the old password");
        assert!(verify(&credentials, &changed, basic("anna:new-password")), "the new password");
        let deleted = list(vec![anna("old-password"), Operation::DeleteAccount("anna".into())]);
        assert!(!verify(&credentials, &deleted, basic("anna:old-password")), "a deleted account");
    }

    #[test]
    fn a_token_is_taken_in_every_place_that_devices_have() {
        let token =
            Token { name: "fw".into(), digest: Sha256::digest("stk_1").into(), created: Timestamp(0) };
        let list = list(vec![anna("a-password"), Operation::PutToken { username: "anna".into(), token }]);
        let credentials = Credentials::default();
        let rows = [
            (("authorization", "Bearer stk_1".into()), true, "a bearer token"),
            (("x-api-key", "stk_1".into()), true, "an API key"),
            (basic("anna:stk_1"), true, "the Basic password"),
            (basic(":stk_1"), true, "the Basic password of a device without a name"),
            (basic("bert:stk_1"), false, "another's name"),
            (("authorization", "Bearer stk_2".into()), false, "another token"),
            (("authorization", "Digest stk_1".into()), false, "another scheme"),
            (("authorization", "Basic %%%".into()), false, "no base64"),
        ];
        for (header, right, why) in rows {
            assert_eq!(verify(&credentials, &list, header), right, "{why}");
        }
    }
}
