//! The format that a request about a whole list asks for: a word, a preset, or MineMeld's parameters. All of them
//! end as our own parameters, and are checked as those are.

use axum::http::HeaderMap;
use raft::blocklist::Kind;

use super::knobs::Comments;
use super::preset::{self, Preset};
use super::{ALL, Field, Format, Knobs, Shape, choose_among};
use crate::error::ApiError;
use crate::parameters::Parameters;

/// A format, and the parameters of the request with those that a preset or MineMeld's words stand for.
pub(crate) struct Asked {
    pub(crate) format: &'static dyn Format,
    pub(crate) shape: Shape,
    pub(crate) parameters: Parameters,
}

impl Asked {
    /// The parameters that are read here, besides the knobs.
    pub(crate) const WORDS: [&str; 12] =
        ["format", "preset", "fields", "header", "s", "n", "d", "tr", "v", "f", "h", "sum"];

    pub(crate) fn read(kind: Kind, given: &Parameters, headers: &HeaderMap) -> Result<Asked, ApiError> {
        let mut pairs = minemeld(given)?;
        let preset = preset(given.get("preset"), given.get("format"))?;
        let mut known = Vec::new();
        if let Some(preset) = preset {
            can_hold(preset.name, preset.kinds, kind)?;
            known.extend(preset.options);
            if kind == Kind::Ip {
                known.extend(preset.for_addresses);
            }
        }
        let mut options: Vec<(String, String)> =
            known.into_iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        options.append(&mut pairs);
        // A preset's name in `format=` is no format.
        let own = given.get("format").filter(|word| preset.is_none_or(|preset| preset.name != *word));
        let parameters = given.upon(options, if own.is_some() { None } else { Some("format") });
        let format = choose_among(&ALL, parameters.get("format"), headers).map_err(with_presets)?;
        can_hold(format.name(), format.kinds(), kind)?;
        let fields = Field::parse_list(parameters.get("fields"))?;
        if !format.has_fields() && !fields.is_empty() && fields != [Field::Value] {
            let message = format!("format `{}` has one form, and fields mean nothing to it", format.name());
            return Err(ApiError::BadRequest(message));
        }
        let knobs = Knobs::read(&parameters, format)?;
        if knobs.comments == Some(Comments::Inline) && !fields.is_empty() && fields != [Field::Value] {
            let sentence = "comments=inline stands behind a value alone: ask for fields=value";
            return Err(ApiError::BadRequest(sentence.into()));
        }
        let shape = Shape { fields, header: parameters.switch("header")?, knobs, ..Shape::default() };
        Ok(Asked { format, shape, parameters })
    }

    /// Whether nothing but values is shown, so that entries can be merged.
    pub(crate) fn shows_values_only(&self) -> bool {
        let Asked { format, shape, .. } = self;
        let list = format.name() == "txt" || !format.has_fields();
        shape.fields == [Field::Value] || (shape.fields.is_empty() && list)
    }
}

fn preset(word: Option<&str>, format: Option<&str>) -> Result<Option<&'static Preset>, ApiError> {
    let find = |word: &str| preset::ALL.iter().find(|preset| preset.name == word);
    match word {
        None => Ok(format.and_then(find)),
        Some(word) => find(word).map(Some).ok_or_else(|| {
            let allowed = names();
            ApiError::BadRequest(format!("preset `{word}` is not known; allowed: {allowed}"))
        }),
    }
}

fn names() -> String {
    preset::ALL.iter().map(|preset| preset.name).collect::<Vec<_>>().join(", ")
}

fn with_presets(error: ApiError) -> ApiError {
    ApiError::BadRequest(format!("{}; presets: {}", error.message(), names()))
}

fn can_hold(name: &str, kinds: &[Kind], kind: Kind) -> Result<(), ApiError> {
    if kinds.contains(&kind) {
        return Ok(());
    }
    let kinds = kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    Err(ApiError::BadRequest(format!("format `{name}` cannot hold `{kind}`; it holds: {kinds}")))
}

/// The parameters of a MineMeld feed as ours: `s` start, `n` how many, `d` newest first, `v` format, `f` fields,
/// `h` header. `tr`, networks in place of ranges, is how it is anyway; `sum` is read where the answer is written.
fn minemeld(given: &Parameters) -> Result<Vec<(String, String)>, ApiError> {
    let mut pairs = Vec::new();
    let mut pair = |name: &str, value: &str| pairs.push((name.to_owned(), value.to_owned()));
    for (alias, word) in [("s", "skip"), ("n", "limit"), ("h", "header")] {
        if let Some(value) = given.get(alias) {
            pair(word, value);
        }
    }
    if given.get("d").is_some() {
        pair("sort", "-time_added");
    }
    given.switch("tr")?;
    match given.get("v") {
        None => {}
        Some("json-seq") => pair("format", "ndjson"),
        Some(word) => pair("format", word),
    }
    if given.get("f").is_some() {
        let fields = given.list("f").map(|field| if field == "indicator" { "value" } else { field });
        pair("fields", &fields.collect::<Vec<_>>().join(","));
    }
    match given.get("sum") {
        None | Some("sha256") => Ok(pairs),
        Some(other) => Err(ApiError::BadRequest(format!("sum `{other}` is not known; allowed: sha256"))),
    }
}
