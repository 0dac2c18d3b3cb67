//! Query parameters: decoded once, each name known, or the request is refused: a filter with a typing error
//! must not hand a firewall the whole list.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use raft::blocklist::Kind;

use crate::error::ApiError;

/// The longest duration taken, in seconds: ten years.
const DURATION_SECONDS_MAX: f64 = 315_360_000.0;

/// All but what RFC 3986 leaves unreserved.
const UNCHANGED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The parameters of one request.
#[derive(Debug)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a query; `words` names all that are allowed.
    pub(crate) fn parse(query: Option<&str>, words: &[&[&str]]) -> Result<Parameters, ApiError> {
        let pairs = pairs(query.unwrap_or_default())
            .ok_or_else(|| ApiError::BadRequest("the query is not valid UTF-8".into()))?;
        for (name, _) in &pairs {
            if !words.iter().any(|group| group.contains(&name.as_str())) {
                let allowed = words.concat().join(", ");
                return Err(ApiError::BadRequest(format!(
                    "parameter `{name}` is not known; allowed: {allowed}"
                )));
            }
        }
        Ok(Parameters(pairs))
    }

    /// The value of a parameter; the last one wins.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter: it may be repeated, and each may hold several, separated by commas.
    pub(crate) fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        let given = self.0.iter().filter(move |(key, _)| key == name);
        given.flat_map(|(_, value)| value.split(',')).map(str::trim)
    }

    /// The same parameters as a query, without those of this name.
    pub(crate) fn without(&self, name: &str) -> String {
        let encode = |text| utf8_percent_encode(text, UNCHANGED);
        let kept = self.0.iter().filter(|(key, _)| key != name);
        kept.map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect::<Vec<_>>().join("&")
    }

    /// The same parameters and one more.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Parameters {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// These parameters upon others that count less; without the own ones of a name that means none.
    pub(crate) fn upon(&self, mut under: Vec<(String, String)>, without: Option<&str>) -> Parameters {
        let own = self.0.iter().filter(|(key, _)| without.is_none_or(|name| key != name));
        under.extend(own.cloned());
        Parameters(under)
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let parse = |text: &str| {
            let wrong = || ApiError::BadRequest(format!("{name} `{text}` is not a whole number"));
            text.parse().map_err(|_| wrong())
        };
        self.get(name).map(parse).transpose()
    }

    /// A kind of observable.
    pub(crate) fn kind(&self, name: &str) -> Result<Option<Kind>, ApiError> {
        let parse = |text: &str| {
            let allowed = Kind::ALL.map(Kind::name).join(", ");
            let wrong = || ApiError::BadRequest(format!("{name} `{text}` is not known; allowed: {allowed}"));
            text.parse().map_err(|()| wrong())
        };
        self.get(name).map(parse).transpose()
    }

    /// `1` or `0`.
    pub(crate) fn switch(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some("1" | "true") => Ok(Some(true)),
            Some("0" | "false") => Ok(Some(false)),
            Some(other) => Err(ApiError::BadRequest(format!("{name} `{other}` is neither 1 nor 0"))),
        }
    }
}

/// `name=value` pairs as HTML forms send them; `None` when they are not UTF-8.
pub(crate) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let decode = |part: &str| {
        let spaced: Cow<str> = if part.contains('+') { part.replace('+', " ").into() } else { part.into() };
        percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)
    };
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        Some((decode(name)?, decode(value)?))
    };
    text.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

/// Seconds of `5`, `5s`, `1.5s`, `200ms`, `30m`, `24h`, `7d`, `2w`; may be negative.
pub(crate) fn duration(text: &str) -> Option<f64> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        "w" => 604_800.0,
        _ => return None,
    };
    let seconds = number.parse::<f64>().ok()? * factor;
    (seconds.is_finite() && seconds.abs() <= DURATION_SECONDS_MAX).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let rows = [
            ("5", Some(5.0)),
            ("5s", Some(5.0)),
            ("200ms", Some(0.2)),
            ("7d", Some(604_800.0)),
            ("-1", Some(-1.0)),
            ("0", Some(0.0)),
            ("1e3", None),
            ("", None),
            ("d", None),
            ("5 parsecs", None),
            ("nan", None),
            ("99999999999", None),
        ];
        for (text, seconds) in rows {
            assert_eq!(duration(text), seconds, "{text}");
        }
    }

    #[test]
    fn an_unknown_parameter_is_refused_with_the_words_that_are_known() {
        let error = Parameters::parse(Some("formta=csv"), &[&["format", "fields"]]).unwrap_err();
        assert!(format!("{error:?}").contains("allowed: format, fields"), "{error:?}");
    }

    #[test]
    fn lists_are_repeated_or_separated_by_commas() {
        let rows: [(&str, &[&str]); 5] = [
            ("", &[]),
            ("tag=a", &["a"]),
            ("tag=a&limit=1&tag=b", &["a", "b"]),
            ("tag=a,%20b&tag=c", &["a", "b", "c"]),
            ("tag=", &[""]),
        ];
        for (query, expected) in rows {
            let parameters = Parameters::parse(Some(query), &[&["tag", "limit"]]).unwrap();
            assert_eq!(parameters.list("tag").collect::<Vec<_>>(), expected, "{query}");
        }
    }

    #[test]
    fn a_query_is_written_again_without_one_parameter() {
        let rows = [
            ("cursor=x", ""),
            ("tag=a+b&cursor=x&limit=1", "tag=a%20b&limit=1"),
            ("tag=a%26b,c&sort=-value", "tag=a%26b%2Cc&sort=-value"),
        ];
        for (query, expected) in rows {
            let parameters = Parameters::parse(Some(query), &[&["tag", "limit", "cursor", "sort"]]).unwrap();
            assert_eq!(parameters.without("cursor"), expected, "{query}");
        }
    }

    #[test]
    fn pairs_are_decoded_as_forms_send_them() {
        let rows = [
            ("a=b", Some(vec![("a", "b")])),
            ("a=b+c&d=%26%C3%A9", Some(vec![("a", "b c"), ("d", "&é")])),
            ("a", Some(vec![("a", "")])),
            ("", Some(vec![])),
            ("a=%FF", None),
        ];
        for (text, expected) in rows {
            let owned = |(a, b): (&str, &str)| (a.to_owned(), b.to_owned());
            assert_eq!(pairs(text), expected.map(|rows| rows.into_iter().map(owned).collect()), "{text}");
        }
    }
}
