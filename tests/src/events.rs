//! Server-sent events as a reader sees them (WHATWG HTML, section 9.2), one after the other, as they come.

use std::io::{BufRead, BufReader, Read};

use serde_json::Value;

/// One event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// Its `event:`.
    pub name: String,
    /// Its `id:`; empty when it has none.
    pub id: String,
    /// Its `data:`.
    pub data: String,
}

impl Event {
    /// The data as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.data) {
            Ok(value) => value,
            Err(error) => panic!("{error} in {self:?}"),
        }
    }
}

/// The events of one answer; the end of the answer ends them.
pub struct Events {
    lines: BufReader<Box<dyn Read + Send>>,
}

impl Events {
    pub(crate) fn new(body: impl Read + Send + 'static) -> Events {
        Events { lines: BufReader::new(Box::new(body)) }
    }
}

impl Iterator for Events {
    type Item = Event;

    #[track_caller]
    fn next(&mut self) -> Option<Event> {
        let mut event = Event::default();
        loop {
            let mut line = String::new();
            match self.lines.read_line(&mut line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => panic!("the events broke off: {error}"),
            }
            let line = line.trim_end_matches('\n');
            match line.split_once(": ") {
                // An empty line ends an event; one behind a comment ends nothing.
                None if line.is_empty() && event == Event::default() => {}
                None if line.is_empty() => return Some(event),
                Some(("event", text)) => event.name = text.to_owned(),
                Some(("id", text)) => event.id = text.to_owned(),
                Some(("data", text)) => event.data.push_str(text),
                _ => assert!(line.starts_with(':'), "`{line}` is no line of an event"),
            }
        }
    }
}
