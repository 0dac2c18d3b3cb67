//! `GET /admin/backup`: the whole list in one file, as it is on this node now.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use raft::Backup;

use crate::answer;
use crate::app::App;
use crate::auth::Operator;
use crate::error::ApiError;

/// What is left to send.
struct Rest {
    backup: Arc<Backup>,
    offset: u64,
}

pub(crate) async fn backup(State(app): State<Arc<App>>, operator: Operator) -> Result<Response, ApiError> {
    let backup = app.cluster.backup().await?;
    let (index, len) = (backup.index, backup.len);
    tracing::info!(index, len, account = %operator.actor.account, "a backup is taken");
    let rest = Rest { backup: Arc::new(backup), offset: 0 };
    let mut response = Response::new(Body::from_stream(stream::unfold(rest, Rest::next)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(len));
    Ok(answer::at_index(response, index))
}

impl Rest {
    async fn next(self) -> Option<(io::Result<Bytes>, Rest)> {
        let Rest { backup, offset } = self;
        if offset >= backup.len {
            return None;
        }
        let file = backup.clone();
        let read = tokio::task::spawn_blocking(move || file.read_at(offset)).await;
        let part = match read.map_err(io::Error::other).flatten() {
            Ok(bytes) if !bytes.is_empty() => Ok(Bytes::from(bytes)),
            Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) => Err(error),
        };
        let offset = part.as_ref().map_or(backup.len, |bytes| offset.saturating_add(bytes.len() as u64));
        Some((part, Rest { backup, offset }))
    }
}
