//! `POST /admin/undo`: takes back what one account, source or import listed since an index.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use raft::blocklist::{Observable, Operation, Outcome, Rehearsal, Undo, Whose};
use serde::{Deserialize, Serialize};

use crate::answer;
use crate::app::App;
use crate::auth::Operator;
use crate::error::ApiError;

/// Values that an answer names; the others are counted.
const SHOWN_MAX: usize = 1000;

/// What is asked for: exactly one of the three.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    account: Option<String>,
    source: Option<String>,
    import: Option<String>,
    #[serde(default)]
    since: u64,
    #[serde(default)]
    dry_run: bool,
}

/// What was done, or would be.
#[derive(Default, Serialize)]
struct Done {
    message: String,
    dry_run: bool,
    /// Entries that left the list.
    removed: usize,
    /// Entries that others have reported too: they stay, without these reports.
    withdrawn: usize,
    /// The first of the removed ones.
    values: Vec<String>,
}

impl Asked {
    fn whose(&self) -> Result<Whose, ApiError> {
        match (self.account.as_deref(), self.source.as_deref(), self.import.as_deref()) {
            (Some(account), None, None) => Ok(Whose::Account(account.into())),
            (None, Some(source), None) => Ok(Whose::Source(source.into())),
            (None, None, Some(import)) => Ok(Whose::Import(import.into())),
            _ => Err(ApiError::Invalid("name one `account`, `source` or `import`, and no more".into())),
        }
    }
}

impl Done {
    /// The same with its message.
    fn told(mut self) -> Done {
        let (removed, withdrawn) = (self.removed, self.withdrawn);
        let would = if self.dry_run { "would be " } else { "" };
        self.message = format!(
            "{removed} entries {would}removed; {withdrawn} more that others report too {would}kept with their reports"
        );
        self
    }

    /// Counts one step; where the next one goes on.
    fn count(&mut self, outcome: Outcome) -> Result<Option<Observable>, ApiError> {
        match outcome {
            Outcome::Undone { removed, withdrawn, next } => {
                self.removed += removed.len();
                self.withdrawn += withdrawn.len();
                let room = SHOWN_MAX - self.values.len();
                self.values.extend(removed.iter().take(room).map(Observable::to_string));
                Ok(next)
            }
            Outcome::Refused(refusal) => Err(refusal.into()),
            other => Err(ApiError::Invalid(format!("an unexpected outcome: {other:?}"))),
        }
    }
}

pub(crate) async fn undo(
    State(app): State<Arc<App>>,
    operator: Operator,
    body: Bytes,
) -> Result<Response, ApiError> {
    let invalid = |error| {
        let form = r#"{"account"|"source"|"import":…,"since":INDEX,"dry_run":true}"#;
        ApiError::BadRequest(format!("the body is not {form}: {error}"))
    };
    let asked: Asked = serde_json::from_slice(&body).map_err(invalid)?;
    let first = Undo { whose: asked.whose()?, since: asked.since, after: None };
    let (done, index) = match asked.dry_run {
        true => rehearse(&app, operator, first).await?,
        false => run(&app, &operator, first).await?,
    };
    Ok(answer::at_index(answer::json(StatusCode::OK, &done.told()), index))
}

async fn run(app: &App, operator: &Operator, mut undo: Undo) -> Result<(Done, u64), ApiError> {
    let mut done = Done::default();
    loop {
        let written = app.cluster.propose(operator.command(Operation::Undo(undo.clone()))).await?;
        undo.after = done.count(written.outcome)?;
        if undo.after.is_none() {
            return Ok((done, written.index));
        }
    }
}

/// The same on a copy of the list, on a thread that may take its time.
async fn rehearse(app: &App, operator: Operator, mut undo: Undo) -> Result<(Done, u64), ApiError> {
    let picture = app.cluster.picture();
    let index = picture.index;
    let tried = tokio::task::spawn_blocking(move || {
        let mut rehearsal = Rehearsal::new(&picture.list, picture.index);
        let mut done = Done { dry_run: true, ..Done::default() };
        loop {
            let command = operator.command(Operation::Undo(undo.clone()));
            undo.after = match rehearsal.run(vec![command]).pop() {
                Some(outcome) => done.count(outcome)?,
                None => None,
            };
            if undo.after.is_none() {
                return Ok(done);
            }
        }
    });
    let done: Result<Done, ApiError> =
        tried.await.map_err(|_| raft::Error::Stopped("the rehearsal was not finished".into()))?;
    Ok((done?, index))
}
