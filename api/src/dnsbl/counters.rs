//! What was asked and answered so far, for `/metrics`.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use hickory_proto::op::{Message, ResponseCode};

/// Counts since the start.
#[derive(Default)]
pub(crate) struct Counters {
    over_udp: AtomicU64,
    over_tcp: AtomicU64,
    answers: [AtomicU64; ANSWERS.len()],
    dropped: AtomicU64,
    truncated: AtomicU64,
    delayed: AtomicU64,
}

/// The words for answers, as the label has them.
const ANSWERS: [&str; 7] =
    ["listed", "no_data", "no_such_name", "refused", "no_list_yet", "malformed", "other"];

impl Counters {
    pub(super) fn asked_over_udp(&self) {
        self.over_udp.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn asked_over_tcp(&self) {
        self.over_tcp.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn answered(&self, response: &Message) {
        let word = match response.metadata.response_code {
            ResponseCode::NoError if response.answers.is_empty() => "no_data",
            ResponseCode::NoError => "listed",
            ResponseCode::NXDomain => "no_such_name",
            ResponseCode::Refused => "refused",
            ResponseCode::ServFail => "no_list_yet",
            ResponseCode::FormErr => "malformed",
            _ => "other",
        };
        if let Some(place) = ANSWERS.iter().position(|known| *known == word) {
            self.answers[place].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn truncated(&self) {
        self.truncated.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn delayed(&self) {
        self.delayed.fetch_add(1, Ordering::Relaxed);
    }

    /// In the Prometheus text format.
    pub(crate) fn write(&self, text: &mut String) {
        let answers = ANSWERS.iter().zip(&self.answers).map(|(word, count)| (*word, count));
        let families = [
            (
                "questions",
                "Questions asked in DNS.",
                "transport",
                vec![("udp", &self.over_udp), ("tcp", &self.over_tcp)],
            ),
            ("answers", "Answers given in DNS.", "answer", answers.collect()),
            (
                "limited",
                "Questions beyond what one network of clients may ask.",
                "action",
                vec![("dropped", &self.dropped), ("truncated", &self.truncated), ("delayed", &self.delayed)],
            ),
        ];
        for (name, help, label, counts) in families {
            let name = format!("stockade_dnsbl_{name}_total");
            // A String takes every write.
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} counter\n");
            for (word, count) in counts {
                let count = count.load(Ordering::Relaxed);
                let _ = writeln!(text, "{name}{{{label}=\"{word}\"}} {count}");
            }
        }
    }
}
