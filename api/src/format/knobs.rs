//! The knobs of the formats: names, limits and manners that a firewall's administrator sets in the query. Each is
//! checked strictly, because it stands in a script that somebody's firewall runs.

use std::fmt;

use super::Format;
use crate::error::ApiError;
use crate::parameters::{Parameters, duration};

/// The longest name taken. The kernel holds 31 bytes of a set's name, and the set that is swapped in has two more.
const NAME_BYTES_MAX: usize = 29;
/// The longest host or zone name.
const HOST_BYTES_MAX: usize = 128;
/// The largest set that can be asked for.
const MAXELEM_MAX: u64 = 16_777_216;
/// The longest timeout, in seconds: that of an ipset.
const TIMEOUT_SECONDS_MAX: f64 = 2_147_483.0;

/// One parameter that some formats know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knob {
    Table,
    Set4,
    Set6,
    Maxelem,
    Timeout,
    Label,
    Zone,
    Host,
    Action,
    Category,
    Score,
    Comments,
    IfEmpty,
}

impl Knob {
    pub(crate) const ALL: [Knob; 13] = [
        Knob::Table,
        Knob::Set4,
        Knob::Set6,
        Knob::Maxelem,
        Knob::Timeout,
        Knob::Label,
        Knob::Zone,
        Knob::Host,
        Knob::Action,
        Knob::Category,
        Knob::Score,
        Knob::Comments,
        Knob::IfEmpty,
    ];

    /// The words of all, as parameters.
    pub(crate) const WORDS: [&str; 13] = {
        let mut words = [""; 13];
        let mut at = 0;
        while at < words.len() {
            words[at] = Knob::ALL[at].word();
            at += 1;
        }
        words
    };

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Knob::Table => "table",
            Knob::Set4 => "set4",
            Knob::Set6 => "set6",
            Knob::Maxelem => "maxelem",
            Knob::Timeout => "timeout",
            Knob::Label => "label",
            Knob::Zone => "zone",
            Knob::Host => "host",
            Knob::Action => "action",
            Knob::Category => "category",
            Knob::Score => "score",
            Knob::Comments => "comments",
            Knob::IfEmpty => "if_empty",
        }
    }

    /// What it sets, for the documentation.
    pub(crate) const fn about(self) -> &'static str {
        match self {
            Knob::Table => "the nftables table (blocklist); no word of the nft language, as of the sets",
            Knob::Set4 => "the set of IPv4 (bl4)",
            Knob::Set6 => "the set of IPv6 (bl6)",
            Knob::Maxelem => "how many elements a set may hold (131072); an existing set must have the same",
            Knob::Timeout => "how long an element stays without a renewal, such as 12h",
            Knob::Label => "the name of the list, or the value of each line (blocklist)",
            Knob::Zone => "the zone's name (bl.local)",
            Knob::Host => "the name of this API in what the zone says",
            Knob::Action => "nxdomain (default), nodata, drop or passthru",
            Knob::Category => "the number of the category, 0 to 59 (1)",
            Knob::Score => "the score, 1 to 127 (100)",
            Knob::Comments => "none, header, or inline: each entry's comment",
            Knob::IfEmpty => "of an empty list: lf, comment, sentinel (192.0.2.255) or 503",
        }
    }
}

/// Where comments may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Comments {
    /// Nowhere.
    None,
    /// On a line of their own, first.
    Header,
    /// There, and behind each value.
    Inline,
}

/// What an empty list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum IfEmpty {
    /// One LF.
    Lf,
    /// A comment line.
    Comment,
    /// One address of the documentation, for a firewall that takes no empty list for a list (Cisco FMC).
    Sentinel,
    /// No list: the firewall keeps its old one.
    Unavailable,
}

/// What a response policy zone answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Nxdomain,
    Nodata,
    Drop,
    Passthru,
}

/// The families that a file speaks of: a file of one must leave the other's set alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Families {
    #[default]
    Both,
    V4,
    V6,
}

/// A name that is safe in every script: letters, digits, `_`, `-` and `.`, and a letter first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name(String);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The knobs of one request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Knobs {
    pub(crate) families: Families,
    pub(crate) table: Name,
    pub(crate) set4: Name,
    pub(crate) set6: Name,
    pub(crate) maxelem: u64,
    /// In seconds.
    pub(crate) timeout: Option<u64>,
    pub(crate) label: Name,
    pub(crate) zone: Name,
    pub(crate) host: Option<Name>,
    pub(crate) action: Action,
    pub(crate) category: u64,
    pub(crate) score: u64,
    pub(crate) comments: Option<Comments>,
    pub(crate) if_empty: Option<IfEmpty>,
}

impl Default for Knobs {
    fn default() -> Knobs {
        let name = |text: &str| Name(text.to_owned());
        Knobs {
            families: Families::Both,
            table: name("blocklist"),
            set4: name("bl4"),
            set6: name("bl6"),
            maxelem: 131_072,
            timeout: None,
            label: name("blocklist"),
            zone: name("bl.local"),
            host: None,
            action: Action::Nxdomain,
            category: 1,
            score: 100,
            comments: None,
            if_empty: None,
        }
    }
}

impl Knobs {
    /// Reads the knobs of a format; one that it does not know is refused.
    pub(crate) fn read(parameters: &Parameters, format: &dyn Format) -> Result<Knobs, ApiError> {
        for knob in Knob::ALL {
            if parameters.get(knob.word()).is_some() && !format.knobs().contains(&knob) {
                let allowed: Vec<&str> = format.knobs().iter().map(|knob| knob.word()).collect();
                let allowed = if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") };
                let (word, format) = (knob.word(), format.name());
                let message = format!("{word} means nothing to format `{format}`; allowed: {allowed}");
                return Err(ApiError::BadRequest(message));
            }
        }
        let otherwise = Knobs::default();
        let name = |knob, default| name(parameters, knob, NAME_BYTES_MAX).map(|name| name.unwrap_or(default));
        let host = |knob| self::name(parameters, knob, HOST_BYTES_MAX);
        let knobs = Knobs {
            families: match parameters.get("family") {
                Some("4") => Families::V4,
                Some("6") => Families::V6,
                _ => Families::Both,
            },
            table: name(Knob::Table, otherwise.table)?,
            set4: name(Knob::Set4, otherwise.set4)?,
            set6: name(Knob::Set6, otherwise.set6)?,
            maxelem: number(parameters, Knob::Maxelem, 1, MAXELEM_MAX)?.unwrap_or(otherwise.maxelem),
            timeout: parameters.get(Knob::Timeout.word()).map(timeout).transpose()?,
            label: name(Knob::Label, otherwise.label)?,
            zone: host(Knob::Zone)?.unwrap_or(otherwise.zone),
            host: host(Knob::Host)?,
            action: word(parameters, Knob::Action, &ACTIONS)?.unwrap_or(otherwise.action),
            category: number(parameters, Knob::Category, 0, 59)?.unwrap_or(otherwise.category),
            score: number(parameters, Knob::Score, 1, 127)?.unwrap_or(otherwise.score),
            comments: comments(parameters, format)?,
            if_empty: word(parameters, Knob::IfEmpty, &IF_EMPTY)?,
        };
        let (set4, set6) = (&knobs.set4.0, &knobs.set6.0);
        // A list is prepared in a set with this ending.
        if set4 == set6 || *set4 == format!("{set6}_n") || *set6 == format!("{set4}_n") {
            let message = format!("set4 `{set4}` and set6 `{set6}` must be sets of their own");
            return Err(ApiError::BadRequest(message));
        }
        Ok(knobs)
    }
}

const ACTIONS: [(&str, Action); 4] = [
    ("nxdomain", Action::Nxdomain),
    ("nodata", Action::Nodata),
    ("drop", Action::Drop),
    ("passthru", Action::Passthru),
];
const COMMENTS: [(&str, Comments); 3] =
    [("none", Comments::None), ("header", Comments::Header), ("inline", Comments::Inline)];
const IF_EMPTY: [(&str, IfEmpty); 4] = [
    ("lf", IfEmpty::Lf),
    ("comment", IfEmpty::Comment),
    ("sentinel", IfEmpty::Sentinel),
    ("503", IfEmpty::Unavailable),
];

fn comments(parameters: &Parameters, format: &dyn Format) -> Result<Option<Comments>, ApiError> {
    let comments = word(parameters, Knob::Comments, &COMMENTS)?;
    if comments == Some(Comments::Inline) && !format.takes_inline_comments() {
        let message = format!(
            "comments `inline` would be an error in format `{}`; allowed: none, header",
            format.name()
        );
        return Err(ApiError::BadRequest(message));
    }
    Ok(comments)
}

fn name(parameters: &Parameters, knob: Knob, bytes_max: usize) -> Result<Option<Name>, ApiError> {
    let Some(text) = parameters.get(knob.word()) else { return Ok(None) };
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let lettered = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    if !lettered || text.len() > bytes_max || !text.bytes().all(safe) {
        let word = knob.word();
        let message = format!(
            "{word} `{}` is not a name: a letter, then letters, digits, _ - or ., at most {bytes_max} in all",
            text.escape_debug()
        );
        return Err(ApiError::BadRequest(message));
    }
    Ok(Some(Name(text.to_owned())))
}

fn number(parameters: &Parameters, knob: Knob, least: u64, most: u64) -> Result<Option<u64>, ApiError> {
    let word = knob.word();
    match parameters.number(word)? {
        Some(number) if !(least..=most).contains(&number) => {
            Err(ApiError::BadRequest(format!("{word} `{number}` is not from {least} to {most}")))
        }
        given => Ok(given),
    }
}

fn timeout(text: &str) -> Result<u64, ApiError> {
    let whole = |seconds: &f64| *seconds >= 1.0 && *seconds <= TIMEOUT_SECONDS_MAX && seconds.fract() == 0.0;
    // Whole, positive and small: exact as an integer.
    duration(text).filter(whole).map(|seconds| seconds as u64).ok_or_else(|| {
        let most = TIMEOUT_SECONDS_MAX;
        ApiError::BadRequest(format!("timeout `{text}` is not 1 to {most} seconds, such as 3600, 12h or 7d"))
    })
}

fn word<T: Copy>(parameters: &Parameters, knob: Knob, words: &[(&str, T)]) -> Result<Option<T>, ApiError> {
    let Some(text) = parameters.get(knob.word()) else { return Ok(None) };
    match words.iter().find(|(word, _)| *word == text) {
        Some((_, value)) => Ok(Some(*value)),
        None => {
            let allowed: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let (word, allowed) = (knob.word(), allowed.join(", "));
            Err(ApiError::BadRequest(format!("{word} `{text}` is not known; allowed: {allowed}")))
        }
    }
}
