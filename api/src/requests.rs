//! `GET /requests/<id>`: what became of a write whose answer was lost, unknown, or only that it was accepted.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use raft::blocklist::{Line, Outcome};
use raft::{RequestId, RequestState};
use serde::Serialize;

use crate::answer;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;

/// What is known of a write.
#[derive(Default, Serialize)]
struct View {
    id: String,
    /// `pending` or `applied`.
    state: &'static str,
    message: String,
    /// Where in the log, as far as this node remembers.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<Counts>,
    /// Why lines were refused, each reason once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused: Vec<String>,
}

#[derive(Default, Serialize)]
struct Counts {
    added: usize,
    sighted: usize,
    deleted: usize,
    refused: usize,
}

/// `{"message":…,"id":…}`, and where to ask.
pub(crate) fn answer(status: StatusCode, message: &str, id: RequestId) -> Response {
    let id = id.to_string();
    let mut response = answer::json(status, &serde_json::json!({"message": message, "id": id}));
    if let Ok(place) = HeaderValue::from_str(&format!("/requests/{id}")) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    _caller: Caller,
) -> Result<Response, ApiError> {
    let unknown = || ApiError::NotFound(format!("no request `{text}` is known here, or not any more"));
    let id: RequestId = text.parse().map_err(|()| unknown())?;
    let mut view = View { id: id.to_string(), ..View::default() };
    match app.cluster.request(id) {
        RequestState::Unknown => return Err(unknown()),
        RequestState::Pending => {
            view.state = "pending";
            view.message = format!("it waits on node {} for a majority", id.origin.node);
        }
        RequestState::Applied { index, outcome } => {
            view.state = "applied";
            view.index = index;
            view.message = match &outcome {
                Some(_) => "it is done".into(),
                None => "it is done; what came of it in detail is not remembered here".into(),
            };
            view.tell(outcome);
        }
    }
    Ok(app.read_headers(answer::json(StatusCode::OK, &view), app.cluster.applied_index()))
}

impl View {
    fn tell(&mut self, outcome: Option<Outcome>) {
        match outcome {
            Some(Outcome::Repeated(first)) => self.tell(Some(*first)),
            Some(Outcome::Refused(refusal)) => self.refused.push(refusal.to_string()),
            Some(Outcome::Lines(lines)) => {
                let mut counts = Counts::default();
                for line in lines {
                    match line {
                        Line::Added => counts.added += 1,
                        Line::Sighted | Line::Updated => counts.sighted += 1,
                        Line::Deleted | Line::Withdrawn => counts.deleted += 1,
                        Line::Refused(refusal) => {
                            counts.refused += 1;
                            let reason = refusal.to_string();
                            if !self.refused.contains(&reason) {
                                self.refused.push(reason);
                            }
                        }
                    }
                }
                self.counts = Some(counts);
            }
            _ => {}
        }
    }
}
