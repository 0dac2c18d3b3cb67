//! What the registry says of itself: `GET /formats`, and the table in `deploy/formats.md`, which a test compares.

use axum::http::StatusCode;
use axum::response::Response;
use raft::blocklist::Kind;
use serde_json::{Value, json};

use super::{ALL, Format, preset};
use crate::answer;
use crate::auth::Caller;

/// `GET /formats`
pub(crate) async fn show(_caller: Caller) -> Response {
    answer::json(StatusCode::OK, &described())
}

fn described() -> Value {
    let formats: Vec<Value> = ALL.iter().map(|format| describe(*format)).collect();
    let presets: Vec<Value> = preset::ALL
        .iter()
        .map(|preset| {
            let pairs = preset.options.iter().chain(preset.for_addresses);
            let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
            json!({"preset": preset.name, "about": preset.about, "kinds": names(preset.kinds),
                   "parameters": pairs.join("&")})
        })
        .collect();
    json!({"formats": formats, "presets": presets})
}

fn describe(format: &dyn Format) -> Value {
    let knobs: Vec<Value> =
        format.knobs().iter().map(|knob| json!({"knob": knob.word(), "about": knob.about()})).collect();
    json!({"format": format.name(), "about": format.about(), "content_type": format.content_type(),
           "extension": format.extension(), "kinds": names(format.kinds()), "knobs": knobs})
}

fn names(kinds: &[Kind]) -> Vec<&'static str> {
    kinds.iter().map(|kind| kind.name()).collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::super::Knob;
    use super::*;

    /// The table as it stands in `deploy/formats.md`.
    fn markdown() -> String {
        let mut text = String::from(
            "# Formats\n\n`GET /<kind>/all?format=WORD`; `GET /formats` says the same as JSON.\n\n\
             | format | for | kinds | knobs |\n|---|---|---|---|\n",
        );
        for format in ALL {
            let kinds = match format.kinds().len() {
                6 => "all".to_owned(),
                _ => names(format.kinds()).join(", "),
            };
            let knobs: Vec<String> = format.knobs().iter().map(|knob| format!("`{}`", knob.word())).collect();
            let about = format.about().replace('|', "\\|");
            writeln!(text, "| `{}` | {about} | {kinds} | {} |", format.name(), knobs.join(", ")).unwrap();
        }
        text.push_str("\n| preset | for | kinds | is |\n|---|---|---|---|\n");
        for preset in &preset::ALL {
            let pairs = preset.options.iter().chain(preset.for_addresses);
            let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
            let (name, about, kinds) = (preset.name, preset.about, names(preset.kinds).join(", "));
            writeln!(text, "| `{name}` | {about} | {kinds} | `{}` |", pairs.join("&")).unwrap();
        }
        text.push_str("\n| knob | what it sets |\n|---|---|\n");
        for knob in Knob::ALL {
            writeln!(text, "| `{}` | {} |", knob.word(), knob.about()).unwrap();
        }
        for (word, about) in crate::list::NARROWING {
            writeln!(text, "| `{word}` | {about}; any format |").unwrap();
        }
        text
    }

    #[test]
    fn the_page_says_what_the_registry_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/formats.md");
        let written = std::fs::read_to_string(path).unwrap_or_default();
        let expected = markdown();
        assert!(written == expected, "{path} should be:\n{expected}");
    }

    #[test]
    fn every_format_is_described() {
        let described = described();
        assert_eq!(described["formats"].as_array().unwrap().len(), ALL.len());
        assert_eq!(described["presets"].as_array().unwrap().len(), preset::ALL.len());
    }
}
