//! The forms in which public feeds come: a row of `FORMATS` each, read by the schedule and by `stockade import` alike. A
//! feed is a text that others wrote: nothing in it makes a reader fail, and what is no value is told by its line.

mod csv;
mod json;
mod lines;
mod reading;
#[cfg(test)]
mod tests;

use raft::blocklist::Kind;

pub use reading::{Malformed, Reading};

/// A value as a feed has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The line it is on, from 1; in one JSON document, which value of it.
    pub line: usize,
    /// Its text, not looked at yet.
    pub value: String,
    /// What the feed says about it; may be empty.
    pub comment: String,
}

/// What is to be known besides the text.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// What the values are.
    pub kind: Kind,
    /// The column of `csv` that holds them: its name, or its number from 1.
    pub column: Option<&'a str>,
}

/// One form of a feed.
pub struct Format {
    /// Its name in `format`.
    pub name: &'static str,
    /// Which feeds have it.
    pub about: &'static str,
    read: fn(&str, Wanted<'_>) -> Result<Vec<Named>, String>,
}

/// All forms.
pub static FORMATS: [Format; 10] = [
    Format {
        name: "plain",
        about: "a value a line, then what is said of it; `#`, `;` and `//` begin comments: blocklist.de, Emerging \
                Threats, FireHOL's netset and ipset, Spamhaus DROP as text, the exits of Tor",
        read: lines::plain,
    },
    Format { name: "hosts", about: "a file for /etc/hosts: the names are the values", read: lines::hosts },
    Format {
        name: "dshield",
        about: "DShield's block.txt: first and last address and prefix length, between tabs",
        read: lines::dshield,
    },
    Format {
        name: "drop-json",
        about: "Spamhaus drop_v4.json and drop_v6.json: a JSON object a line, `cidr`",
        read: json::drop,
    },
    Format { name: "csv", about: "CSV; `column` says which one holds the values", read: csv::column },
    Format { name: "feodo", about: "abuse.ch Feodo Tracker, CSV", read: csv::feodo },
    Format {
        name: "threatfox",
        about: "abuse.ch ThreatFox, CSV: the values of one kind",
        read: csv::threatfox,
    },
    Format { name: "urlhaus", about: "abuse.ch URLhaus, CSV", read: csv::urlhaus },
    Format {
        name: "misp",
        about: "events and attributes of MISP, JSON: the values of one kind",
        read: json::misp,
    },
    Format { name: "misp-warninglist", about: "a warning list of MISP, JSON", read: json::warning_list },
];

/// The form of this name; the error names all.
pub fn by_name(name: &str) -> Result<&'static Format, String> {
    FORMATS.iter().find(|format| format.name == name).ok_or_else(|| {
        let known = FORMATS.each_ref().map(|format| format.name).join(", ");
        format!("format `{}` is not known; allowed: {known}", name.escape_default())
    })
}

/// The form that a text is certainly in; `None` where it might be several, and `plain` is the one to try.
pub fn recognise(text: &str, kind: Kind) -> Option<&'static Format> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let name = if text.starts_with("{\"cidr\"") {
        "drop-json"
    } else if text.starts_with('{') {
        json::recognise(text)?
    } else {
        csv::recognise(text).or_else(|| lines::recognise(text, kind))?
    };
    by_name(name).ok()
}

impl Format {
    /// The values that a feed names, as texts.
    pub fn named(&self, text: &str, wanted: Wanted<'_>) -> Result<Vec<Named>, String> {
        let text = text.trim_start_matches('\u{feff}');
        // An error page, or the door of a hotel's network, that came with status 200.
        if text.trim_start().starts_with('<') {
            return Err(format!("this is a page or XML, and not the format `{}`", self.name));
        }
        (self.read)(text, wanted)
    }
}
