//! `GET /allow/all`: the whole allow list, as JSON, CSV or one value a line.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;

use super::view::View;
use crate::answer;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::format::{self, disarmed};
use crate::freshness::{self, freshness};
use crate::parameters::Parameters;

/// The columns of CSV, in the order of the members of JSON.
const COLUMNS: [&str; 6] = ["value", "type", "comment", "account", "time_added", "prevented"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
    Txt,
}

pub(crate) async fn all(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    _caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(query.as_deref(), &[&freshness::WORDS, &["format", "kind"]])?;
    let format = format(&parameters, &headers)?;
    let kind = parameters.kind("kind")?;
    let picture = app.cluster.read(&freshness(&parameters)?).await?;
    let allows = picture.list.allows().filter(|allow| kind.is_none_or(|kind| allow.value.kind() == kind));
    let views: Vec<View<'_>> = allows.map(|allow| View::from(&**allow)).collect();
    let mut response = format.answer(&views);
    response.headers_mut().insert(answer::COUNT, HeaderValue::from(views.len()));
    Ok(app.read_headers(answer::negotiated(response), picture.index))
}

/// The format that is asked for with `format=`; else what `Accept` prefers, where it is one of these.
fn format(parameters: &Parameters, headers: &HeaderMap) -> Result<Format, ApiError> {
    match parameters.get("format") {
        Some("json") => Ok(Format::Json),
        Some("csv") => Ok(Format::Csv),
        Some("txt") => Ok(Format::Txt),
        Some(other) => {
            let message = format!("format `{other}` is not known; allowed: json, csv, txt");
            Err(ApiError::BadRequest(message))
        }
        None => Ok(match format::choose(None, headers)?.name() {
            "csv" => Format::Csv,
            "txt" => Format::Txt,
            _ => Format::Json,
        }),
    }
}

impl Format {
    fn answer(self, views: &[View<'_>]) -> Response {
        let text = |media: &'static str, bytes: Vec<u8>| {
            answer::body(StatusCode::OK, HeaderValue::from_static(media), bytes.into())
        };
        match self {
            Format::Json => answer::json(StatusCode::OK, &views),
            Format::Csv => text("text/csv; charset=utf-8", csv(views)),
            Format::Txt => text("text/plain; charset=utf-8", txt(views)),
        }
    }
}

/// One value a line; an empty list is one LF, as of every list here.
fn txt(views: &[View<'_>]) -> Vec<u8> {
    match views {
        [] => b"\n".to_vec(),
        views => views.iter().flat_map(|view| [view.value.as_str(), "\n"]).collect::<String>().into_bytes(),
    }
}

fn csv(views: &[View<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(&mut bytes);
    writer.write_record(COLUMNS).expect("a Vec takes every write");
    for view in views {
        let prevented = view.prevented.to_string();
        let comment = disarmed(view.comment);
        let row = [&view.value, view.r#type, &comment, view.account, &view.time_added, &prevented];
        writer.write_record(row).expect("a Vec takes every write");
    }
    writer.flush().expect("a Vec takes every write");
    drop(writer);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view<'a>(value: &str, comment: &'a str) -> View<'a> {
        View {
            value: value.to_owned(),
            r#type: "ip",
            comment,
            account: "joe",
            time_added: "2026-11-24 12:00:00".to_owned(),
            prevented: 3,
        }
    }

    #[test]
    fn texts_are_whole_lines_and_harmless() {
        let views = [view("192.0.2.0/24", "our office, \"A\""), view("192.0.2.1", "=1+1")];
        assert_eq!(txt(&views), b"192.0.2.0/24\n192.0.2.1\n");
        assert_eq!(txt(&[]), b"\n");
        let table = "value,type,comment,account,time_added,prevented\n\
                     192.0.2.0/24,ip,\"our office, \"\"A\"\"\",joe,2026-11-24 12:00:00,3\n\
                     192.0.2.1,ip,'=1+1,joe,2026-11-24 12:00:00,3\n";
        assert_eq!(String::from_utf8(csv(&views)).unwrap(), table);
    }
}
