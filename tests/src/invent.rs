//! Requests that are nearly right: to every route, with every parameter and field it knows, of the right type and of
//! wrong ones, in bodies of every type, with lengths that lie. All of a request comes from its seed.

use crate::chance::Chance;
use crate::raw::analyst_header;
use crate::routes::{Field, ROUTES, Route, Word};

/// Methods, those that a route does not take included.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
/// What a number may be that is none, or none that fits.
const NUMBERS: [&str; 18] = [
    "0",
    "-0",
    "-1",
    "1.5",
    "1e3",
    "1e999",
    "007",
    "+1",
    "0x10",
    " 5",
    "5 ",
    "NaN",
    "٣",
    "255",
    "256",
    "4294967296",
    "9223372036854775808",
    "18446744073709551616",
];
/// What a text may hold, each a trouble to somebody.
const TEXTS: [&str; 19] = [
    "",
    " ",
    "\t",
    "\u{0}",
    "\u{7f}",
    "a\nb",
    "a\r\nset-cookie: x",
    "\u{202e}evil",
    "e\u{301}\u{301}\u{301}",
    "💩",
    "\u{feff}x",
    "\u{fffd}",
    "ＦＵＬＬ",
    "İI",
    "'\"`<>&;--",
    "$(id)",
    "%00%ff",
    "../../etc/passwd",
    "=1+1",
];
const DURATIONS: [&str; 9] = ["1s", "-1s", "1e9s", "10ms", "7d", "0", "1parsec", "99999999999w", "."];
const TIMES: [&str; 8] = [
    "2026-01-01T00:00:00Z",
    "2026-13-45T99:99:99Z",
    "1767225600",
    "1767225600.5",
    "-1",
    "99999999999999999999",
    "yesterday",
    "0000-00-00T00:00:00Z",
];
const VALUES: [&str; 16] = [
    "192.0.2.7",
    "192.0.2.0/28",
    "10.0.0.300",
    "0.0.0.0/0",
    "::",
    "2001:db8::1",
    "2001:db8::/129",
    "a.example",
    "-.example",
    "https://a.example/%zz",
    "http://[::1",
    "d41d8cd98f00b204e9800998ecf8427e",
    "a@example.org",
    "@@",
    "root",
    "xn--a",
];
const TYPES: [&str; 9] = [
    "application/json",
    "application/x-ndjson",
    "text/csv",
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/xml",
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-16",
    "",
];
/// Members of an object nested in each other, or elements.
const DEPTH_MAX: u64 = 3;

/// A request in bytes.
pub struct Invented {
    /// All of it.
    pub bytes: Vec<u8>,
    /// It may say that more comes than does: whoever sends it has to hang up, and is owed no answer.
    pub ends_early: bool,
}

/// The request of a seed.
pub fn invent(seed: u64, token: &str) -> Invented {
    let mut chance = Chance::seeded(seed);
    let route = &ROUTES[chance.below(ROUTES.len() as u64) as usize];
    let method = match chance.percent(85) {
        true => pick(&mut chance, route.methods),
        false => pick(&mut chance, &METHODS),
    };
    let mut target = path(&mut chance, route);
    let query: Vec<String> = (0..chance.below(5)).map(|_| parameter(&mut chance, route)).collect();
    if !query.is_empty() {
        target = format!("{target}?{}", query.join("&"));
    }
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n");
    let operators = ["/admin", "/user"].iter().any(|start| route.path.starts_with(start));
    match chance.below(20) {
        0 => {}
        1 => head += "authorization: Basic eDp5\r\n",
        2..4 => head += &credentials(!operators, token),
        _ => head += &credentials(operators, token),
    }
    if chance.percent(15) {
        let text = strange_text(&mut chance);
        head += &format!("idempotency-key: {}\r\n", text.replace(['\r', '\n', '\0', '\u{7f}'], "?"));
    }
    if chance.percent(10) {
        head += &format!(
            "accept: {}\r\n",
            pick(&mut chance, &["text/csv", "*/*;q=x", ",,,", "image/png", "text/xml"])
        );
    }
    let has_body = !matches!(method, "GET" | "HEAD" | "OPTIONS") || chance.percent(10);
    let body = if has_body { body(&mut chance, route, &mut head) } else { Vec::new() };
    framed(&mut chance, head, body, has_body)
}

fn credentials(of_operators: bool, token: &str) -> String {
    if of_operators { format!("x-authentication: {token}\r\n") } else { analyst_header() }
}

/// The length that is said is mostly right.
fn framed(chance: &mut Chance, mut head: String, body: Vec<u8>, has_body: bool) -> Invented {
    let mut ends_early = false;
    let length = body.len() as u64;
    match chance.below(20) {
        _ if !has_body => {}
        0 => head += &format!("content-length: {}\r\n", length / 2),
        1 => {
            head += &format!("content-length: {}\r\n", length + 1 + chance.below(5000));
            ends_early = true;
        }
        2 => head += &format!("content-length: {length}\r\ncontent-length: {}\r\n", length + 1),
        3 => {
            head += &format!("content-length: {}\r\n", pick(chance, &NUMBERS));
            ends_early = true;
        }
        4 => {
            head += "transfer-encoding: chunked\r\n\r\n";
            let size = if chance.percent(50) { format!("{length:x}") } else { pick(chance, &NUMBERS).into() };
            let bytes = [head.as_bytes(), size.as_bytes(), b"\r\n", &body, b"\r\n0\r\n\r\n"].concat();
            return Invented { bytes, ends_early: true };
        }
        _ => head += &format!("content-length: {length}\r\n"),
    }
    Invented { bytes: [head.as_bytes(), b"\r\n", &body].concat(), ends_early }
}

fn pick<T: Copy>(chance: &mut Chance, of: &[T]) -> T {
    of[chance.below(of.len() as u64) as usize]
}

fn path(chance: &mut Chance, route: &Route) -> String {
    let mut path = String::new();
    for segment in route.path.split_inclusive('/') {
        match segment.trim_end_matches('/') {
            "{kind}" => {
                path += pick(chance, &["ip", "domain", "url", "hash", "email", "username", "IP", "%00"])
            }
            // Nobody is to be removed, and no account that is asked with.
            "{id}" => {
                path += pick(chance, &["0", "99", "-1", "x", "1-1-1", "18446744073709551616", "%F0%9F%92%A9"])
            }
            word if word.starts_with('{') => {
                let text =
                    if chance.percent(50) { pick(chance, &VALUES).into() } else { strange_text(chance) };
                path += &encoded(chance, &text);
            }
            word => path += word,
        }
        if segment.ends_with('/') {
            path.push('/');
        }
    }
    path
}

/// A parameter that the route knows, or one that it does not; at times one of those before once more.
fn parameter(chance: &mut Chance, route: &Route) -> String {
    if route.query.is_empty() || chance.percent(10) {
        let name = strange_text(chance);
        return format!("{}={}", encoded(chance, &name), pick(chance, &NUMBERS).replace(' ', "+"));
    }
    let Field(name, word) = route.query[chance.below(route.query.len() as u64) as usize];
    let value = text_of(chance, word);
    let value = encoded(chance, &value);
    match chance.below(8) {
        0 => format!("{name}={value}&{name}={value}"),
        1 => name.to_owned(),
        _ => format!("{name}={value}"),
    }
}

/// What may stand in a URL, decently encoded or not.
fn encoded(chance: &mut Chance, text: &str) -> String {
    let decent = !chance.percent(5);
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        b'/' | b':' | b',' | b'%' | b'=' if !decent => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// A value for a word of this kind: mostly of its type, at times right.
fn text_of(chance: &mut Chance, word: Word) -> String {
    if chance.percent(15) {
        return strange_text(chance);
    }
    match word {
        // A wait that is right would last.
        Word::Wait => pick(chance, &["0", "-1s", "10ms", "x", "1e9s", ""]).to_owned(),
        // An index that will never come is waited for.
        Word::Index => pick(chance, &["0", "1", "-1", "x", "1.5", "18446744073709551616", ""]).to_owned(),
        Word::Number => pick(chance, &NUMBERS).to_owned(),
        Word::Text => strange_text(chance),
        Word::Duration => pick(chance, &DURATIONS).to_owned(),
        Word::Time => pick(chance, &TIMES).to_owned(),
        Word::Value if chance.percent(30) => format!("198.51.100.{}", chance.below(300)),
        Word::Value => pick(chance, &VALUES).to_owned(),
        Word::Switch => pick(chance, &["0", "1", "true", "yes", "2", ""]).to_owned(),
        Word::OneOf(words) => {
            let count = 1 + chance.below(3);
            (0..count).map(|_| pick(chance, words)).collect::<Vec<_>>().join(",")
        }
    }
}

fn strange_text(chance: &mut Chance) -> String {
    match chance.below(12) {
        0 => "x".repeat(chance.between(200, 5000) as usize),
        1 => pick(chance, &TEXTS).repeat(chance.between(2, 300) as usize),
        2 => pick(chance, &NUMBERS).to_owned(),
        _ => pick(chance, &TEXTS).to_owned(),
    }
}

/// A body of some type, which mostly is what it says.
fn body(chance: &mut Chance, route: &Route, head: &mut String) -> Vec<u8> {
    let content_type = if chance.percent(60) { TYPES[0] } else { pick(chance, &TYPES) };
    if !content_type.is_empty() {
        *head += &format!("content-type: {content_type}\r\n");
    }
    let written = if chance.percent(90) { content_type } else { pick(chance, &TYPES) };
    let mut body = match written {
        "application/x-ndjson" => {
            (0..chance.below(6)).map(|_| object(chance, route) + "\n").collect::<String>().into_bytes()
        }
        "text/csv" => lines(chance, route, ",").into_bytes(),
        "text/plain" => lines(chance, route, " # ").into_bytes(),
        "application/x-www-form-urlencoded" => {
            let pairs: Vec<String> = fields(chance, route)
                .map(|Field(name, word)| {
                    let value = text_of(chance, word);
                    format!("{name}={}", encoded(chance, &value))
                })
                .collect();
            pairs.join("&").into_bytes()
        }
        "application/json; charset=utf-16" => {
            object(chance, route).encode_utf16().flat_map(u16::to_le_bytes).collect()
        }
        "application/xml" => format!("<a>{}</a>", strange_text(chance)).into_bytes(),
        _ if chance.percent(25) => {
            let count = chance.below(5);
            let objects: Vec<String> = (0..count).map(|_| object(chance, route)).collect();
            format!("[{}]", objects.join(",")).into_bytes()
        }
        _ => object(chance, route).into_bytes(),
    };
    match chance.below(12) {
        0 => body.truncate(body.len() / 2),
        1 => body.extend([0xff, 0xfe, 0]),
        2 if !body.is_empty() => {
            let at = chance.below(body.len() as u64) as usize;
            body[at] = chance.number() as u8;
        }
        _ => {}
    }
    body
}

/// Some of the fields that the route knows, one of them perhaps twice.
fn fields<'r>(chance: &mut Chance, route: &'r Route) -> impl Iterator<Item = Field> + use<'r> {
    let count = if route.body.is_empty() { 0 } else { chance.below(route.body.len() as u64 + 2) };
    let first = chance.number() as usize;
    (0..count as usize).map(move |number| route.body[(first.wrapping_add(number)) % route.body.len()])
}

fn object(chance: &mut Chance, route: &Route) -> String {
    let mut members: Vec<String> = Vec::new();
    let chosen: Vec<Field> = fields(chance, route).collect();
    for Field(name, word) in chosen {
        let value = match chance.below(10) {
            0..3 => json(chance, DEPTH_MAX),
            3 => pick(chance, &NUMBERS).to_owned(),
            _ => {
                let text = text_of(chance, word);
                if matches!(word, Word::Number | Word::Index) && text.parse::<f64>().is_ok() {
                    text.trim().to_owned()
                } else {
                    quoted(chance, &text)
                }
            }
        };
        members.push(format!("\"{name}\":{value}"));
    }
    if chance.percent(8) {
        members.push(format!(
            "\"{}\":{}",
            pick(chance, &["", "value", "ip", "__proto__", "Ip"]),
            json(chance, 1)
        ));
    }
    format!("{{{}}}", members.join(","))
}

/// A text in JSON; at times with what no text may hold.
fn quoted(chance: &mut Chance, text: &str) -> String {
    match chance.below(25) {
        0 => "\"\\ud800\"".to_owned(),
        1 => format!("\"{text}\""),
        _ => serde_json::Value::from(text).to_string(),
    }
}

/// Any JSON, and some that is nearly so.
fn json(chance: &mut Chance, depth: u64) -> String {
    match chance.below(if depth == 0 { 7 } else { 10 }) {
        0 => "null".into(),
        1 => "true".into(),
        2 => pick(chance, &NUMBERS).into(),
        3..6 => {
            let text = strange_text(chance);
            quoted(chance, &text)
        }
        6 => pick(chance, &["[]", "{}", "\"\"", "{\"a\":1,\"a\":2}", "[[[[[[[[[[]]]]]]]]]]"]).into(),
        7 if chance.percent(10) => {
            let deep = chance.between(50, 3000) as usize;
            "[".repeat(deep) + &"]".repeat(deep)
        }
        7 | 8 => {
            let items: Vec<String> = (0..chance.below(4)).map(|_| json(chance, depth - 1)).collect();
            format!("[{}]", items.join(","))
        }
        _ => {
            let value = json(chance, depth - 1);
            format!("{{{}:{value}}}", serde_json::Value::from(pick(chance, &TEXTS)))
        }
    }
}

fn lines(chance: &mut Chance, route: &Route, between: &str) -> String {
    let mut text = String::new();
    if chance.percent(60) {
        text = fields(chance, route).map(|field| field.0).collect::<Vec<_>>().join(between) + "\n";
    }
    for _ in 0..chance.below(6) {
        let cells: Vec<String> = (0..chance.below(5)).map(|_| text_of(chance, Word::Value)).collect();
        text += &(cells.join(between) + pick(chance, &["\n", "\r\n", "\"\n", ""]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::invent;

    #[test]
    fn a_seed_is_the_same_request_again() {
        for seed in 0..200 {
            let (one, two) = (invent(seed, "t"), invent(seed, "t"));
            assert!(one.bytes == two.bytes && one.ends_early == two.ends_early, "seed {seed}");
        }
    }
}
