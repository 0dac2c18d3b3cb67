//! JSON pointers (RFC 6901) that may walk arrays: `*` stands for every item.

use std::fmt;

use serde_json::Value;

/// The most steps of a pointer.
const STEPS_MAX: usize = 16;

/// Where in a document something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pointer(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// A member of an object, or an item of an array by its number.
    Named(String),
    /// Every item of an array.
    Each,
}

/// The items that the stars of a pointer stood for, in order.
pub(super) type Walked = Vec<usize>;

impl Pointer {
    /// Reads a pointer; the empty text is the whole document.
    pub(super) fn parse(text: &str) -> Result<Pointer, String> {
        let Some(steps) = text.strip_prefix('/') else {
            return match text.is_empty() {
                true => Ok(Pointer(Vec::new())),
                false => Err(format!("`{text}` is no JSON pointer: it begins with `/`")),
            };
        };
        let step = |text: &str| match text {
            "*" => Step::Each,
            _ => Step::Named(text.replace("~1", "/").replace("~0", "~")),
        };
        let steps: Vec<Step> = steps.split('/').map(step).collect();
        match steps.len() > STEPS_MAX {
            true => Err(format!("`{text}` has more than {STEPS_MAX} steps")),
            false => Ok(Pointer(steps)),
        }
    }

    /// How many arrays it walks.
    pub(super) fn stars(&self) -> usize {
        self.0.iter().filter(|step| **step == Step::Each).count()
    }

    /// Everything it points to, with the items walked on the way. An array at its end is walked too.
    pub(super) fn all<'d>(&self, document: &'d Value) -> Vec<(Walked, &'d Value)> {
        let mut found = vec![(Walked::new(), document)];
        for step in &self.0 {
            found = found.into_iter().flat_map(|place| step.walk(place)).collect();
        }
        let ends = |place: (Walked, &'d Value)| match place.1 {
            Value::Array(_) => Step::Each.walk(place),
            _ => vec![place],
        };
        found.into_iter().flat_map(ends).collect()
    }

    /// What it points to when its stars stand for these items.
    pub(super) fn one<'d>(&self, document: &'d Value, walked: &[usize]) -> Option<&'d Value> {
        let mut walked = walked.iter();
        self.0.iter().try_fold(document, |value, step| match step {
            Step::Named(name) => member(value, name),
            Step::Each => value.as_array()?.get(*walked.next()?),
        })
    }
}

impl Step {
    fn walk<'d>(&self, (walked, value): (Walked, &'d Value)) -> Vec<(Walked, &'d Value)> {
        match self {
            Step::Named(name) => member(value, name).map(|value| (walked, value)).into_iter().collect(),
            Step::Each => {
                let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
                let further = |(number, item)| ([walked.as_slice(), &[number]].concat(), item);
                items.iter().enumerate().map(further).collect()
            }
        }
    }
}

fn member<'d>(value: &'d Value, name: &str) -> Option<&'d Value> {
    match value {
        Value::Object(members) => members.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| match step {
            Step::Each => f.write_str("/*"),
            Step::Named(name) => write!(f, "/{}", name.replace('~', "~0").replace('/', "~1")),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pointers_find_what_they_name() {
        let document =
            json!({"a": {"b/c": 1, "*": 2}, "list": [{"ip": "x", "n": ["p", "q"]}, {"ip": "y"}, 7], "": 3});
        let rows: [(&str, &str); 12] = [
            ("/a/b~1c", "1"),
            ("/list/0/ip", "\"x\""),
            ("/list/*/ip", "\"x\" \"y\""),
            ("/list/*/n", "\"p\" \"q\""),
            ("/list/*/n/*", "\"p\" \"q\""),
            ("/list/*/n/1", "\"q\""),
            ("/list/9", ""),
            ("/list/ip", ""),
            ("/a/*", ""),
            ("/nothing/at/all", ""),
            ("/", "3"),
            ("/list/1", "{\"ip\":\"y\"}"),
        ];
        for (text, expected) in rows {
            let pointer = Pointer::parse(text).unwrap();
            assert_eq!(pointer.to_string(), text);
            let found: Vec<String> =
                pointer.all(&document).iter().map(|(_, value)| value.to_string()).collect();
            assert_eq!(found.join(" "), expected, "{text}");
            for (walked, value) in pointer.all(&document) {
                if walked.len() == pointer.stars() {
                    assert_eq!(pointer.one(&document, &walked), Some(value), "{text}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        for text in ["a", "$.a", " /a", &"/a".repeat(STEPS_MAX + 1)] {
            assert!(Pointer::parse(text).is_err(), "{text}");
        }
        assert_eq!(Pointer::parse("").unwrap().stars(), 0);
    }
}
