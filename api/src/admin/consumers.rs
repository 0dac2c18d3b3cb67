//! `GET /admin/consumers`: which client fetched what from this node, when last, at which index, and what it says that
//! it enforces. Other nodes have their own.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use crate::answer;
use crate::app::App;
use crate::auth::Operator;
use crate::consumers::{Consumer, Enforced};
use crate::error::ApiError;
use crate::parameters::Parameters;

#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    consumer: Consumer,
    #[serde(skip_serializing_if = "Option::is_none")]
    enforced: Option<Enforced>,
}

pub(crate) async fn consumers(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    _operator: Operator,
) -> Result<Response, ApiError> {
    Parameters::parse(query.as_deref(), &[])?;
    let all = app.consumers.all().into_iter();
    let lines: Vec<Line> = all.map(|(consumer, enforced)| Line { consumer, enforced }).collect();
    Ok(app.read_headers(answer::json(StatusCode::OK, &lines), app.cluster.applied_index()))
}
