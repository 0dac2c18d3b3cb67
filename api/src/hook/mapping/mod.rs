//! What of a webhook's body means what. Read from the JSON that admins put, checked before it is kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use raft::blocklist::{Kind, Observable, Report};
use serde::Deserialize;
use serde_json::Value;

use super::pointer::Pointer;
use crate::list::bulk::Refused;
use crate::list::report::{Defaults, label, labels, one_line};
use crate::parameters::duration;

/// The most parts of a comment, a source or the tags, and the most filters.
const PARTS_MAX: usize = 16;
/// The most values taken from one body.
const VALUES_MAX: usize = 100_000;

/// A mapping as it is put: what begins with `/` is a pointer, everything else is meant as it stands.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default = "ip")]
    kind: String,
    value: OneOrMany<String>,
    comment: Option<OneOrMany<String>>,
    source: Option<OneOrMany<String>>,
    tags: Option<OneOrMany<String>>,
    ttl: Option<NumberOrText>,
    filter: Option<OneOrMany<RawFilter>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFilter {
    pointer: String,
    equals: OneOrMany<Value>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "neither a text, nor a filter such as {\"pointer\":…,\"equals\":…}, nor a list of them"
)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(i64),
    Text(String),
}

impl<T> OneOrMany<T> {
    fn many(self) -> Vec<T> {
        match self {
            OneOrMany::Many(many) => many,
            OneOrMany::One(one) => vec![one],
        }
    }
}

fn ip() -> String {
    Kind::Ip.name().into()
}

/// A checked mapping.
#[derive(Debug)]
pub(super) struct Mapping {
    kind: KindFrom,
    values: Vec<Pointer>,
    comment: Vec<Part>,
    source: Vec<Part>,
    tags: Vec<Part>,
    ttl: Option<Part>,
    filters: Vec<Filter>,
}

#[derive(Debug)]
enum KindFrom {
    Fixed(Kind),
    Named(Pointer),
}

/// A piece of text.
#[derive(Debug)]
enum Part {
    Literal(String),
    From(Pointer),
}

#[derive(Debug)]
struct Filter {
    pointer: Pointer,
    equals: Vec<Value>,
}

impl Mapping {
    /// Reads and checks a mapping; `Err` says what is wrong with it.
    pub(super) fn parse(text: &[u8]) -> Result<Mapping, String> {
        let form = r#"{"kind":…,"value":"/pointer",…}"#;
        let raw: Raw =
            serde_json::from_slice(text).map_err(|error| format!("the mapping is not {form}: {error}"))?;
        let kind = match raw.kind.parse::<Kind>() {
            Ok(kind) => KindFrom::Fixed(kind),
            Err(()) if raw.kind.starts_with('/') => KindFrom::Named(Pointer::parse(&raw.kind)?),
            Err(()) => return Err(format!("kind `{}` is neither a kind nor a pointer", one_line(&raw.kind))),
        };
        let values = raw.value.many();
        let filters = raw.filter.map_or_else(Vec::new, OneOrMany::many);
        if values.is_empty() || values.len() > PARTS_MAX || filters.len() > PARTS_MAX {
            return Err(format!("a mapping has 1 to {PARTS_MAX} values and at most {PARTS_MAX} filters"));
        }
        let filter = |filter: RawFilter| {
            Ok(Filter { pointer: Pointer::parse(&filter.pointer)?, equals: filter.equals.many() })
        };
        let mapping = Mapping {
            kind,
            values: values.iter().map(|text| Pointer::parse(text)).collect::<Result<_, _>>()?,
            comment: parts(raw.comment)?,
            source: parts(raw.source)?,
            tags: parts(raw.tags)?,
            ttl: match raw.ttl {
                None => None,
                Some(NumberOrText::Number(seconds)) => Some(Part::Literal(seconds.to_string())),
                Some(NumberOrText::Text(text)) => Some(Part::parse(&text)?),
            },
            filters: filters.into_iter().map(filter).collect::<Result<_, String>>()?,
        };
        mapping.check()?;
        Ok(mapping)
    }

    /// What is said of a value is found beside it: nothing may walk an array that no value walks.
    fn check(&self) -> Result<(), String> {
        if let Some(Part::Literal(text)) = &self.ttl
            && ttl(text).is_none()
        {
            return Err(format!("ttl `{}` is not a time such as 3600 or 7d", one_line(text)));
        }
        let walks = self.values.iter().map(Pointer::stars).min().unwrap_or(0);
        let parts = [&self.comment, &self.source, &self.tags].into_iter().flatten().chain(&self.ttl);
        let pointers =
            parts.filter_map(Part::pointer).chain(self.filters.iter().map(|filter| &filter.pointer));
        let kind = match &self.kind {
            KindFrom::Named(pointer) => Some(pointer),
            KindFrom::Fixed(_) => None,
        };
        match pointers.chain(kind).find(|pointer| pointer.stars() > walks) {
            Some(pointer) => Err(format!("`{pointer}` walks more arrays than the value")),
            None => Ok(()),
        }
    }

    /// The reports of a document, or why a line of them is none.
    pub(super) fn reports(&self, document: &Value, defaults: &Defaults) -> Vec<Result<Report, Refused>> {
        let places = self.values.iter().flat_map(|pointer| pointer.all(document)).take(VALUES_MAX);
        places.filter_map(|(walked, value)| self.report(document, &walked, value, defaults)).collect()
    }

    fn report(
        &self,
        document: &Value,
        walked: &[usize],
        value: &Value,
        defaults: &Defaults,
    ) -> Option<Result<Report, Refused>> {
        if !self.filters.iter().all(|filter| filter.passes(document, walked)) {
            return None;
        }
        let value = value.as_str().map(str::trim).filter(|value| !value.is_empty())?;
        let kind = match &self.kind {
            KindFrom::Fixed(kind) => *kind,
            KindFrom::Named(pointer) => kind_named(pointer.one(document, walked)?.as_str()?)?,
        };
        let read = || -> Result<Report, String> {
            let text = |parts: &[Part]| {
                let texts = parts.iter().flat_map(|part| part.texts(document, walked));
                texts.filter(|text| !text.is_empty()).collect::<Vec<_>>()
            };
            let comment = text(&self.comment).join(" ");
            let source = text(&self.source).join("/");
            let tags = text(&self.tags);
            let ttl = self.ttl.as_ref().and_then(|part| part.texts(document, walked).pop());
            Ok(Report {
                value: Observable::parse(kind, value).map_err(|malformed| malformed.to_string())?,
                comment: if comment.is_empty() {
                    defaults.comment.clone()
                } else {
                    one_line(&comment).into()
                },
                source: match source.is_empty() {
                    true => defaults.source.clone(),
                    false => label("source", &one_line(&source))?,
                },
                // A time that cannot be read is no reason to lose the report.
                ttl: ttl.as_deref().and_then(self::ttl).or(defaults.ttl),
                tags: match tags.is_empty() {
                    true => defaults.tags.clone(),
                    false => self::tags(&tags)?,
                },
                seen: None,
            })
        };
        Some(read().map_err(|reason| Refused { line: 0, value: one_line(value).into_owned(), reason }))
    }
}

impl Filter {
    fn passes(&self, document: &Value, walked: &[usize]) -> bool {
        let found = self.pointer.one(document, walked);
        // A list holds what is looked for; a single member is it.
        match found {
            Some(Value::Array(items)) => items.iter().any(|item| self.equals.contains(item)),
            Some(value) => self.equals.contains(value),
            None => false,
        }
    }
}

impl Part {
    fn parse(text: &str) -> Result<Part, String> {
        match text.starts_with('/') {
            true => Pointer::parse(text).map(Part::From),
            false => Ok(Part::Literal(text.to_owned())),
        }
    }

    fn pointer(&self) -> Option<&Pointer> {
        match self {
            Part::From(pointer) => Some(pointer),
            Part::Literal(_) => None,
        }
    }

    fn texts(&self, document: &Value, walked: &[usize]) -> Vec<String> {
        let pointer = match self {
            Part::Literal(text) => return vec![text.clone()],
            Part::From(pointer) => pointer,
        };
        match pointer.one(document, walked) {
            Some(Value::Array(items)) => items.iter().filter_map(text).collect(),
            Some(value) => text(value).into_iter().collect(),
            None => Vec::new(),
        }
    }
}

fn parts(raw: Option<OneOrMany<String>>) -> Result<Vec<Part>, String> {
    let texts = raw.map_or_else(Vec::new, OneOrMany::many);
    match texts.len() > PARTS_MAX {
        true => Err(format!("more than {PARTS_MAX} parts")),
        false => texts.iter().map(|text| Part::parse(text)).collect(),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Tags as the body has them: several texts, or one with commas.
fn tags(texts: &[String]) -> Result<BTreeSet<Arc<str>>, String> {
    labels(texts.iter().flat_map(|text| text.split(',')))
}

/// Kinds as other programs call them.
fn kind_named(word: &str) -> Option<Kind> {
    match word.to_ascii_lowercase().as_str() {
        "ip" | "ip-src" | "ip-dst" | "range" | "ipv4" | "ipv6" => Some(Kind::Ip),
        "fqdn" | "hostname" => Some(Kind::Domain),
        "mail" | "email-src" => Some(Kind::Email),
        "uri" => Some(Kind::Url),
        "md5" | "sha1" | "sha256" => Some(Kind::Hash),
        other => other.parse().ok(),
    }
}

/// Seconds of `3600`, `7d`, and of Go's `3h59m59.5s`.
fn ttl(text: &str) -> Option<i64> {
    let text = text.trim();
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let unit = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let next = rest[unit..].find(|c: char| !c.is_ascii_alphabetic()).map_or(rest.len(), |at| unit + at);
        seconds += duration(&rest[..next])?;
        rest = &rest[next..];
    }
    (!text.is_empty()).then_some(f64::ceil(seconds) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};
    use serde_json::json;

    use super::*;

    fn defaults() -> Defaults {
        Defaults { comment: "".into(), source: "10.0.0.7".into(), ttl: None, tags: BTreeSet::new() }
    }

    /// `kind value comment source ttl tags` of each report, or the value and why it is refused.
    fn told(mapping: &Value, document: &Value) -> Vec<String> {
        let mapping = Mapping::parse(mapping.to_string().as_bytes()).unwrap();
        let tell = |report: Result<Report, Refused>| match report {
            Ok(report) => {
                let tags: Vec<&str> = report.tags.iter().map(AsRef::as_ref).collect();
                let ttl = report.ttl.map_or("-".to_owned(), |ttl| ttl.to_string());
                let (kind, value) = (report.value.kind(), &report.value);
                format!("{kind} {value} |{}|{}|{ttl}|{}", report.comment, report.source, tags.join(","))
            }
            Err(refused) => format!("refused {}", refused.value),
        };
        mapping.reports(document, &defaults()).into_iter().map(tell).collect()
    }

    #[test]
    fn webhooks_of_known_programs() {
        let crowdsec = json!([{"scenario": "crowdsecurity/ssh-bf", "machine_id": "web01", "source": {"ip": "192.0.2.1"},
            "decisions": [{"duration": "3h59m59.5s", "scope": "Ip", "type": "ban", "value": "192.0.2.1"},
                {"duration": "4h", "scope": "Range", "type": "captcha", "value": "198.51.100.0/24"}]},
            {"scenario": "x", "decisions": null}]);
        let hive3 = json!({"operation": "Creation", "objectType": "case_artifact", "requestId": "r", "details": {
            "dataType": "ip", "data": "192.0.2.2", "ioc": true, "tags": ["c2", "apt"]}, "object": {"_id": "x"}});
        let hive5 = json!({"action": "create", "objectType": "Observable",
            "object": {"dataType": "fqdn", "data": "evil.example", "message": "seen in\na case"},
            "organisation": {"name": "soc"}});
        let alerts = json!({"version": "4", "status": "firing", "alerts": [
            {"status": "firing", "labels": {"ip": "192.0.2.3", "alertname": "ScanDetected"}, "annotations": {}},
            {"status": "resolved", "labels": {"ip": "192.0.2.4", "alertname": "ScanDetected"}},
            {"status": "firing", "labels": {"ip": "no address"}}]});
        let splunk = json!({"sid": "scheduler_1", "search_name": "ssh brute force", "result": {"src_ip": "192.0.2.5", "count": "12"}});
        let suricata = json!({"event_type": "alert", "src_ip": "192.0.2.6", "dest_ip": "10.0.0.1",
            "alert": {"signature_id": 2001, "signature": "ET SCAN", "severity": 1}});
        let cowrie = json!({"eventid": "cowrie.login.failed", "src_ip": "2001:DB8::7", "username": "root", "sensor": "pot1"});
        let rows = [
            (
                json!({"value": "/*/decisions/*/value", "comment": "/*/scenario", "source": ["crowdsec", "/*/machine_id"],
                    "ttl": "/*/decisions/*/duration", "filter": {"pointer": "/*/decisions/*/type", "equals": "ban"}}),
                crowdsec,
                vec!["ip 192.0.2.1 |crowdsecurity/ssh-bf|crowdsec/web01|14400|"],
            ),
            (
                json!({"value": "/details/data", "kind": "/details/dataType", "tags": "/details/tags", "filter": [
                    {"pointer": "/objectType", "equals": "case_artifact"}, {"pointer": "/details/ioc", "equals": true}]}),
                hive3,
                vec!["ip 192.0.2.2 ||10.0.0.7|-|apt,c2"],
            ),
            (
                json!({"value": "/object/data", "kind": "/object/dataType", "comment": ["TheHive:", "/object/message"],
                    "source": "/organisation/name", "filter": {"pointer": "/action", "equals": ["create", "update"]}}),
                hive5,
                vec!["domain evil.example |TheHive: seen in a case|soc|-|"],
            ),
            (
                json!({"value": "/alerts/*/labels/ip", "comment": "/alerts/*/labels/alertname", "ttl": "1d",
                    "filter": {"pointer": "/alerts/*/status", "equals": "firing"}}),
                alerts,
                vec!["ip 192.0.2.3 |ScanDetected|10.0.0.7|86400|", "refused no address"],
            ),
            (
                json!({"value": "/result/src_ip", "comment": ["/search_name", "/result/count"], "ttl": 600}),
                splunk,
                vec!["ip 192.0.2.5 |ssh brute force 12|10.0.0.7|600|"],
            ),
            (
                json!({"value": ["/src_ip", "/nowhere"], "comment": ["/alert/signature_id", "/alert/signature"], "tags": ["ids"],
                    "filter": {"pointer": "/alert/severity", "equals": [1, 2]}}),
                suricata,
                vec!["ip 192.0.2.6 |2001 ET SCAN|10.0.0.7|-|ids"],
            ),
            (
                json!({"value": "/src_ip", "comment": ["cowrie", "/eventid"], "source": ["cowrie", "/sensor"],
                    "filter": {"pointer": "/eventid", "equals": ["cowrie.login.failed", "cowrie.login.success"]}}),
                cowrie,
                vec!["ip 2001:db8::7 |cowrie cowrie.login.failed|cowrie/pot1|-|"],
            ),
            (
                json!({"value": ""}),
                json!(["192.0.2.8", 7, null, " 192.0.2.9 "]),
                vec!["ip 192.0.2.8 ||10.0.0.7|-|", "ip 192.0.2.9 ||10.0.0.7|-|"],
            ),
            (json!({"value": "/a"}), json!({"b": 1}), vec![]),
        ];
        for (mapping, document, expected) in rows {
            assert_eq!(told(&mapping, &document), expected, "{mapping}");
        }
    }

    #[test]
    fn what_is_no_mapping_is_refused_with_the_reason() {
        let rows = [
            (json!({}), "value"),
            (json!([]), "mapping"),
            (json!({"value": []}), "1 to 16"),
            (json!({"value": "src_ip"}), "begins with `/`"),
            (json!({"value": "/ip", "kind": "fruit"}), "neither a kind nor a pointer"),
            (json!({"value": "/ip", "coment": "/x"}), "coment"),
            (json!({"value": "/ip", "ttl": "soon"}), "soon"),
            (json!({"value": "/ip", "comment": "/alerts/*/x"}), "walks more arrays"),
            (json!({"value": "/ip", "filter": {"pointer": "/a"}}), "filter"),
            (json!({"value": "/ip", "filter": {"pointer": "/*/a", "equals": 1}}), "walks more arrays"),
        ];
        for (mapping, part) in rows {
            let error = Mapping::parse(mapping.to_string().as_bytes()).unwrap_err();
            assert!(error.contains(part), "{mapping}: {error}");
        }
    }

    #[test]
    fn times() {
        let rows = [
            ("3600", Some(3600)),
            ("7d", Some(604_800)),
            ("3h59m59.5s", Some(14_400)),
            ("", None),
            ("x", None),
            ("4h é", None),
        ];
        for (text, expected) in rows {
            assert_eq!(ttl(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_mapping_or_an_error(text in any::<String>(), pointer in "[/*~a0]{0,12}", ttl in "[0-9hms.é]{0,9}") {
            drop(Mapping::parse(text.as_bytes()));
            let mapping = json!({"value": pointer, "comment": pointer, "ttl": "/ttl"});
            if let Ok(mapping) = Mapping::parse(mapping.to_string().as_bytes()) {
                let document = json!({"a": [[{"a": text, "0": [text]}]], "ttl": ttl});
                drop(mapping.reports(&document, &defaults()));
            }
        }
    }
}
