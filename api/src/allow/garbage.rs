//! Changes to the allow list that nobody meant, warning lists among them: an error or something to work with, never
//! a panic.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::sample::{Index, select};
use raft::blocklist::Kind;

use super::body::{Asked, Defaults, read};

const TYPES: [&str; 5] = ["application/json", "application/x-ndjson", "text/csv", "text/plain", ""];
const BODIES: [&str; 6] = [
    r#"{"name":"Public DNS","type":"cidr","version":7,"list":["8.8.8.8/32","2001:4860::/32","10.0.0.300"]}"#,
    r#"{"name":"Hosts","type":"hostname","list":[".example.com","bücher.example",7,null]}"#,
    r#"{"type":"string","list":["https://example.com/a","a@example.org","two words"]}"#,
    "8.8.8.8 # public resolver\n# no\nexample.com, ours\nd41d8cd98f00b204e9800998ecf8427e\n",
    r#"[{"value":"192.0.2.0/24","kind":"ip","comment":"office"},"example.org"]"#,
    "value,kind,comment\n192.0.2.1,ip,\"a, b\"\nexample.org,domain,\n",
];

fn work_with(kind: Option<Kind>, content_type: &str, body: &[u8]) {
    let mut headers = HeaderMap::new();
    if !content_type.is_empty() {
        headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
    }
    match read(&Defaults { kind, comment: "default".into() }, &headers, body) {
        Ok(Asked::One(allow)) => assert!(!allow.value.to_string().is_empty()),
        Ok(Asked::Many(items)) => assert!(items.iter().flatten().all(|(number, _)| *number > 0)),
        Err(error) => assert!(!error.message().is_empty()),
    }
}

proptest! {
    #[test]
    fn any_or_damaged_bytes_of_any_type(
        kind in prop_oneof![Just(None), select(Kind::ALL.to_vec()).prop_map(Some)],
        body in select(&BODIES[..]),
        changes in vec((any::<Index>(), any::<u8>()), 0..5),
        end in any::<Index>(),
        other in vec(any::<u8>(), 0..200),
        text in "\\PC{0,200}",
    ) {
        let mut bytes = body.as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        for content_type in TYPES {
            work_with(kind, content_type, &bytes);
            work_with(kind, content_type, &bytes[..end.index(bytes.len())]);
            work_with(kind, content_type, &other);
            work_with(kind, content_type, text.as_bytes());
        }
    }
}

#[test]
fn a_warning_list_of_brackets_does_not_exhaust_the_stack() {
    for open in ["{\"list\":[", "{\"list\":[{\"a\":", "[{\"kind\":[", "{\"name\":["] {
        work_with(None, "application/json", open.repeat(200_000).as_bytes());
    }
}
