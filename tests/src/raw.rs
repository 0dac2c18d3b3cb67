//! Requests as bytes, for what no decent client would send.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ureq::http::{HeaderMap, HeaderName, HeaderValue};

use crate::client::Answer;
use crate::cluster::{ANALYST, PASSWORD};

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// The line of a head by which the analyst of a `TestCluster` is known.
pub fn analyst_header() -> String {
    format!("authorization: Basic {}\r\n", STANDARD.encode(format!("{ANALYST}:{PASSWORD}")))
}

/// Sends bytes over a connection of their own, and reads an answer until the node hangs up; none when it hung up
/// without a word.
#[track_caller]
pub fn send_raw(address: &str, bytes: &[u8]) -> Option<Answer> {
    exchange(address, bytes, false)
}

/// The same, and says that nothing follows.
#[track_caller]
pub fn send_raw_and_end(address: &str, bytes: &[u8]) -> Option<Answer> {
    exchange(address, bytes, true)
}

#[track_caller]
fn exchange(address: &str, bytes: &[u8], end: bool) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).expect("the node listens");
    stream.set_read_timeout(Some(ANSWER_WITHIN)).expect("a timeout can be set");
    // A node may answer and hang up while it is still being written to.
    let _ = stream.write_all(bytes);
    if end {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => {
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]);
            panic!("no end of the answer: {error}, after {} bytes, to {shown}", answer.len())
        }
        _ if answer.is_empty() => None,
        _ => Some(parse(&answer)),
    }
}

/// Reads one answer to the end of the connection; none when there was none. The story fails if it is no HTTP, or
/// if its body is not as long as it says.
#[track_caller]
pub fn read_answer(stream: &mut TcpStream) -> Option<Answer> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("no end of the answer: {error}"),
        _ if bytes.is_empty() => None,
        _ => Some(parse(&bytes)),
    }
}

#[track_caller]
fn parse(bytes: &[u8]) -> Answer {
    let shown = || String::from_utf8_lossy(&bytes[..bytes.len().min(600)]).into_owned();
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        panic!("no head: {}", shown())
    };
    let Ok(head) = std::str::from_utf8(&bytes[..end]) else { panic!("a head of odd bytes: {}", shown()) };
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    let status = status.and_then(|line| line.get(..3)).and_then(|status| status.parse().ok());
    let Some(status) = status else { panic!("no status: {}", shown()) };
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.parse::<HeaderName>().ok()?, value.trim().parse::<HeaderValue>().ok()?))
    };
    let headers: Option<HeaderMap> = lines.map(header).collect();
    let Some(headers) = headers else { panic!("odd headers: {}", shown()) };
    Answer { status, headers, body: bytes[end + 4..].to_vec() }
}
