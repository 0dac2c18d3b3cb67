//! `GET|PUT /admin/settings`: what an admin decides for the whole cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use raft::Freshness;
use raft::blocklist::{ClusterSettings, GrowthBrake, Kind, Operation};
use serde::{Deserialize, Deserializer, Serialize};

use crate::answer;
use crate::app::App;
use crate::auth::Operator;
use crate::error::ApiError;

/// All settings, as they are shown.
#[derive(Serialize)]
struct View {
    allow_private: bool,
    widest_v4: u8,
    widest_v6: u8,
    sensor_widest_v4: u8,
    sensor_widest_v6: u8,
    default_ttl: BTreeMap<&'static str, i64>,
    sensor_entries_max: Option<u64>,
    growth_brake: Option<Brake>,
    replace_dead_after_seconds: Option<u64>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Brake {
    share_percent: u32,
    window_seconds: i64,
}

/// What is to change; what is not given stays. `null` takes a limit away.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Change {
    allow_private: Option<bool>,
    widest_v4: Option<u8>,
    widest_v6: Option<u8>,
    sensor_widest_v4: Option<u8>,
    sensor_widest_v6: Option<u8>,
    default_ttl: Option<BTreeMap<String, i64>>,
    #[serde(deserialize_with = "given")]
    sensor_entries_max: Option<Option<u64>>,
    #[serde(deserialize_with = "given")]
    growth_brake: Option<Option<Brake>>,
    #[serde(deserialize_with = "given")]
    replace_dead_after_seconds: Option<Option<u64>>,
}

/// Tells `null` from a member that is not there.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(from).map(Some)
}

impl From<&ClusterSettings> for View {
    fn from(settings: &ClusterSettings) -> View {
        View {
            allow_private: settings.allow_private,
            widest_v4: settings.widest_v4,
            widest_v6: settings.widest_v6,
            sensor_widest_v4: settings.sensor_widest_v4,
            sensor_widest_v6: settings.sensor_widest_v6,
            default_ttl: settings.default_ttl.iter().map(|(kind, ttl)| (kind.name(), *ttl)).collect(),
            sensor_entries_max: settings.sensor_entries_max,
            growth_brake: settings.growth_brake.map(|brake| Brake {
                share_percent: brake.share_percent,
                window_seconds: brake.window_seconds,
            }),
            replace_dead_after_seconds: settings.replace_dead_after_seconds,
        }
    }
}

impl Change {
    fn apply(self, settings: &mut ClusterSettings) -> Result<(), ApiError> {
        let widths = [
            (self.widest_v4, &mut settings.widest_v4, 32),
            (self.widest_v6, &mut settings.widest_v6, 128),
            (self.sensor_widest_v4, &mut settings.sensor_widest_v4, 32),
            (self.sensor_widest_v6, &mut settings.sensor_widest_v6, 128),
        ];
        for (new, setting, longest) in widths {
            match new {
                Some(0) => {
                    return Err(ApiError::Invalid("a network of prefix 0 is the whole Internet".into()));
                }
                Some(prefix) if prefix > longest => {
                    return Err(ApiError::Invalid(format!("prefix {prefix} is longer than {longest}")));
                }
                Some(prefix) => *setting = prefix,
                None => {}
            }
        }
        settings.allow_private = self.allow_private.unwrap_or(settings.allow_private);
        if let Some(ttls) = self.default_ttl {
            let by_kind = |(word, ttl): (String, i64)| match word.parse::<Kind>() {
                Ok(kind) => Ok((kind, ttl)),
                Err(()) => Err(ApiError::Invalid(format!("kind `{word}` is not known"))),
            };
            settings.default_ttl = ttls.into_iter().map(by_kind).collect::<Result<_, _>>()?;
        }
        if let Some(most) = self.sensor_entries_max {
            settings.sensor_entries_max = most;
        }
        if let Some(brake) = self.growth_brake {
            settings.growth_brake = brake.map(|brake| GrowthBrake {
                share_percent: brake.share_percent,
                window_seconds: brake.window_seconds,
            });
        }
        if let Some(after) = self.replace_dead_after_seconds {
            settings.replace_dead_after_seconds = after;
        }
        Ok(())
    }
}

pub(crate) async fn show_settings(State(app): State<Arc<App>>, _operator: Operator) -> Response {
    let picture = app.cluster.picture();
    app.read_headers(answer::json(StatusCode::OK, &View::from(picture.list.settings())), picture.index)
}

pub(crate) async fn change_settings(
    State(app): State<Arc<App>>,
    operator: Operator,
    body: Bytes,
) -> Result<Response, ApiError> {
    let invalid = |error| ApiError::BadRequest(format!("these are no settings: {error}"));
    let change: Change = serde_json::from_slice(&body).map_err(invalid)?;
    // What another node has just decided is not to be undone.
    let fresh = Freshness { linearizable: true, ..Freshness::default() };
    let mut settings = app.cluster.read(&fresh).await?.list.settings().clone();
    change.apply(&mut settings)?;
    let index = app.decide(operator.command(Operation::PutSettings(settings.clone()))).await?;
    Ok(answer::at_index(answer::json(StatusCode::OK, &View::from(&settings)), index))
}
