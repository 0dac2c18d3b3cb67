//! A server of a public feed, which says what a story wants it to say, and remembers how it was asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// What the server answers from now on.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// The body.
    pub body: String,
    /// The status; 0 is 200, or 304 to who knows the `ETag`.
    pub status: u16,
    /// The `ETag`; without one there is none.
    pub etag: Option<String>,
    /// The target of a redirect.
    pub location: Option<String>,
    /// The connection ends in the middle of the body.
    pub broken: bool,
}

#[derive(Default)]
struct State {
    served: Served,
    answered: Vec<u16>,
}

/// The server; it ends with the story.
pub struct FeedServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FeedServer {
    /// Begins to serve on a free port of the loopback.
    #[track_caller]
    pub fn start() -> FeedServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (state, closing) = (Arc::<Mutex<State>>::default(), Arc::<AtomicBool>::default());
        let (known, ending) = (state.clone(), closing.clone());
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if ending.load(Ordering::Relaxed) {
                    return;
                }
                // Who hangs up is of no interest.
                drop(stream.and_then(|stream| answer(stream, &known)));
            }
        });
        FeedServer { address, state, closing, thread: Some(thread) }
    }

    /// The URL of the feed.
    pub fn url(&self) -> String {
        format!("http://{}/feed", self.address)
    }

    /// Says this from now on.
    pub fn serve(&self, served: Served) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).served = served;
    }

    /// The statuses of all answers so far.
    pub fn answered(&self) -> Vec<u16> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).answered.clone()
    }
}

impl Drop for FeedServer {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut known = None;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or_default();
        if name.eq_ignore_ascii_case("if-none-match") {
            known = Some(value.to_owned());
        }
    }
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let Served { body, status, etag, location, broken } = state.served.clone();
    let status = match status {
        0 if etag.is_some() && known == etag => 304,
        0 => 200,
        status => status,
    };
    state.answered.push(status);
    drop(state);
    let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n");
    for (name, value) in [("etag", etag), ("location", location)] {
        if let Some(value) = value {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    if status != 304 {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    let body = match (status, broken) {
        (304, _) => "",
        (_, true) => &body[..body.len() / 2],
        (_, false) => &body,
    };
    write!(stream, "{head}\r\n{body}")
}
