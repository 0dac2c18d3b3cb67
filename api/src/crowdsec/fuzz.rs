//! What bouncers ask and tell, as the fuzzers make it.

use raft::Picture;
use raft::blocklist::{Kind, Observable};
use serde_json::Value;

use super::filter::{Asked, Filter};
use super::live::{Part, write};
use super::usage::read;
use crate::fuzzing::chosen;
use crate::list::samples::{NOW, sample};

/// The most figures of a bouncer, and the longest name of one.
const FIGURES_MAX: usize = 64;
const NAME_CHARS_MAX: usize = 64;

/// The query of `/v1/decisions`: what it gets is of the list, and the same without a word that nobody knows.
pub(crate) fn query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut picture = Picture::default();
    picture.list = sample();
    let answer = |query: &str| {
        let asked = Asked::read(Some(query)).ok()?;
        let (filter, part) = (Filter::read(&asked).ok()?, Part::read(&asked).ok()?);
        write(&picture, &filter, &part, NOW).ok()
    };
    let answered = answer(text);
    assert_eq!(answer(&format!("unknown=1&{text}")), answered);
    let Some(bytes) = answered else { return };
    match serde_json::from_slice(&bytes).expect("it is JSON") {
        Value::Null => assert_eq!(bytes, b"null"),
        Value::Array(decisions) => {
            assert!(!decisions.is_empty());
            for decision in decisions {
                let value = decision["value"].as_str().unwrap_or_default();
                let network = Observable::parse(Kind::Ip, value).expect("it is an address");
                assert!(picture.list.get(&network).is_some(), "{network} is not listed");
                let scope = if is_host(&network) { "Ip" } else { "Range" };
                assert_eq!(decision["scope"], scope);
            }
        }
        other => panic!("{other} is no list of decisions"),
    }
}

fn is_host(value: &Observable) -> bool {
    matches!(value, Observable::Ip(network) if network.is_host())
}

/// A digit that is odd where the body is packed, then the body of `/v1/usage-metrics`.
pub(crate) fn usage(data: &[u8]) {
    let Some((packed, body)) = chosen(data) else { return };
    match read(body, packed % 2 == 1) {
        Ok(Some(enforced)) => {
            assert!(enforced.figures.len() <= FIGURES_MAX);
            let names = enforced.figures.iter().flat_map(|figure| [&figure.name, &figure.unit]);
            let fits =
                |name: &String| name.chars().count() <= NAME_CHARS_MAX && !name.contains(char::is_control);
            assert!(names.chain([&enforced.component, &enforced.version]).all(fits));
        }
        Ok(None) => {}
        Err(error) => assert!(!error.message().is_empty()),
    }
}
