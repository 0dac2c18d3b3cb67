//! `POST /v1/usage-metrics`: what a bouncer says that it enforces. The last word of each is kept on this node, for
//! `/admin/consumers` and `/metrics`.

use std::io::Read;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use flate2::read::GzDecoder;
use serde::Deserialize;

use super::bouncer::Bouncer;
use crate::app::{self, App};
use crate::consumers::{Enforced, Figure};
use crate::error::ApiError;

/// The largest body, also when unpacked.
const BYTES_MAX: u64 = 1 << 20;
/// The most figures kept of one bouncer.
const FIGURES_MAX: usize = 64;
/// The longest name kept.
const NAME_CHARS_MAX: usize = 64;

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    remediation_components: Option<Vec<Component>>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    metrics: Option<Vec<Metrics>>,
}

#[derive(Deserialize)]
struct Metrics {
    #[serde(default)]
    items: Option<Vec<Item>>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    name: String,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    value: f64,
}

pub(crate) async fn usage(
    State(app): State<Arc<App>>,
    bouncer: Bouncer,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let packed = headers.get(header::CONTENT_ENCODING).is_some_and(|value| value == "gzip");
    let enforced = read(&body, packed)?;
    if let Some(enforced) = enforced {
        app.consumers.enforces(&bouncer.caller, &bouncer.agent, Enforced { time: app::now(), ..enforced });
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// What the first component says; `None` when there is none.
pub(super) fn read(body: &[u8], packed: bool) -> Result<Option<Enforced>, ApiError> {
    let too_large = || ApiError::BadRequest(format!("the metrics are larger than {} KiB", BYTES_MAX >> 10));
    let mut unpacked = Vec::new();
    let bytes = if packed {
        let unpacking = GzDecoder::new(body).take(BYTES_MAX + 1).read_to_end(&mut unpacked);
        unpacking.map_err(|error| ApiError::BadRequest(format!("the body is not gzip: {error}")))?;
        unpacked.as_slice()
    } else {
        body
    };
    if bytes.len() as u64 > BYTES_MAX {
        return Err(too_large());
    }
    let usage: Usage = serde_json::from_slice(bytes)
        .map_err(|error| ApiError::BadRequest(format!("the metrics are not understood: {error}")))?;
    let component = usage.remediation_components.unwrap_or_default().into_iter().next();
    Ok(component.map(|component| {
        let metrics = component.metrics.unwrap_or_default().into_iter();
        let mut figures: Vec<Figure> = Vec::new();
        for item in metrics.flat_map(|metrics| metrics.items.unwrap_or_default()) {
            let (name, unit) = (short(&item.name), short(&item.unit));
            // One figure for all labels: origins and families are of no interest to the list.
            match figures.iter().position(|figure| figure.name == name && figure.unit == unit) {
                Some(at) => figures[at].value += item.value,
                None if figures.len() < FIGURES_MAX => figures.push(Figure { name, unit, value: item.value }),
                None => {}
            }
        }
        let (component, version) = (short(&component.r#type), short(&component.version));
        Enforced { component, version, figures, time: Default::default() }
    }))
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect()
}
