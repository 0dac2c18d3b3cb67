//! `min_index`, `consistency`, `max_lag`, `pending`: how fresh a read has to be.

use std::time::Duration;

use raft::Freshness;

use crate::error::ApiError;
use crate::parameters::{Parameters, duration};

/// The parameters that every read takes.
pub(crate) const WORDS: [&str; 4] = ["min_index", "consistency", "max_lag", "pending"];

pub(crate) fn freshness(parameters: &Parameters) -> Result<Freshness, ApiError> {
    let linearizable = match parameters.get("consistency") {
        None | Some("local") => false,
        Some("linearizable") => true,
        Some(other) => {
            let message = format!("consistency `{other}` is not known; it is local or linearizable");
            return Err(ApiError::BadRequest(message));
        }
    };
    let max_lag = match parameters.get("max_lag") {
        None => None,
        Some(text) => match duration(text) {
            Some(seconds) if seconds >= 0.0 => Some(Duration::from_secs_f64(seconds)),
            _ => return Err(ApiError::BadRequest(format!("max_lag `{text}` is not a duration such as 5s"))),
        },
    };
    let exclude_pending = match parameters.get("pending") {
        None | Some("include") => false,
        Some("exclude") => true,
        Some(other) => {
            let message = format!("pending `{other}` is not known; it is include or exclude");
            return Err(ApiError::BadRequest(message));
        }
    };
    Ok(Freshness { min_index: parameters.number("min_index")?, linearizable, max_lag, exclude_pending })
}
