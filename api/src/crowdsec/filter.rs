//! What a bouncer asks for. Other than elsewhere an unknown parameter is no error: bouncers of every age send their
//! own. An empty one is none at all: some send all they know, empty.

use ipnet::IpNet;
use raft::blocklist::{Entry, Kind, Network, Observable};

use super::decision::{ORIGIN, TYPE, scenario};
use crate::error::ApiError;
use crate::parameters::pairs;

/// The parameters of one request that are not empty.
pub(super) struct Asked(Vec<(String, String)>);

impl Asked {
    pub(super) fn read(query: Option<&str>) -> Result<Asked, ApiError> {
        let mut pairs = pairs(query.unwrap_or_default())
            .ok_or_else(|| ApiError::BadRequest("the query is not valid UTF-8".into()))?;
        pairs.retain(|(_, value)| !value.trim().is_empty());
        Ok(Asked(pairs))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.trim())
    }

    /// The words of a list, folded to lower case.
    fn words(&self, name: &str) -> Option<Vec<String>> {
        let words = |text: &str| text.split(',').map(|word| word.trim().to_lowercase()).collect();
        self.get(name).map(words)
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let parse = |text: &str| {
            let wrong = || ApiError::BadRequest(format!("{name} `{text}` is not a whole number"));
            text.parse().map_err(|_| wrong())
        };
        self.get(name).map(parse).transpose()
    }

    fn network(&self, name: &str) -> Result<Option<Network>, ApiError> {
        let parse = |text: &str| match Observable::parse(Kind::Ip, text) {
            Ok(Observable::Ip(network)) => Ok(network),
            Ok(_) => Err(ApiError::BadRequest(format!("{name} `{text}` is not an address"))),
            Err(malformed) => Err(ApiError::BadRequest(malformed.to_string())),
        };
        self.get(name).map(parse).transpose()
    }
}

/// Which decisions a bouncer wants.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Filter {
    /// Of a type, an origin or scopes that nothing here has.
    nothing: bool,
    hosts: bool,
    ranges: bool,
    containing: Option<Vec<String>>,
    not_containing: Option<Vec<String>>,
    value: Option<String>,
    network: Option<Network>,
    /// The network has to lie within the decision; else the decision within the network.
    around: bool,
}

impl Filter {
    pub(super) fn read(asked: &Asked) -> Result<Filter, ApiError> {
        let scopes = asked.words("scopes").or_else(|| asked.words("scope"));
        let has = |word: &str| scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|scope| scope == word));
        let other_type = asked.get("type").is_some_and(|word| !word.eq_ignore_ascii_case(TYPE));
        let origins = asked.words("origins");
        let other_origin = origins.is_some_and(|origins| !origins.iter().any(|origin| origin == ORIGIN));
        let (hosts, ranges) = (has("ip"), has("range"));
        Ok(Filter {
            nothing: other_type || other_origin || !(hosts || ranges),
            hosts,
            ranges,
            containing: asked.words("scenarios_containing"),
            not_containing: asked.words("scenarios_not_containing"),
            value: asked.get("value").map(str::to_owned),
            network: asked.network("ip")?.or(asked.network("range")?),
            around: asked.get("contains") != Some("false"),
        })
    }

    /// Nothing can match.
    pub(super) fn is_nothing(&self) -> bool {
        self.nothing
    }

    /// What every decision has to lie around; there are few of these, and they are found without a look at the rest.
    pub(super) fn inner(&self) -> Option<Network> {
        self.network.filter(|_| self.around)
    }

    /// Whether what is said about an entry is asked for.
    pub(super) fn wants(&self, entry: &Entry) -> bool {
        if self.containing.is_none() && self.not_containing.is_none() {
            return !self.nothing;
        }
        let text = scenario(entry).to_lowercase();
        let any = |words: &Vec<String>| words.iter().any(|word| text.contains(word.as_str()));
        !self.nothing
            && self.containing.as_ref().is_none_or(any)
            && !self.not_containing.as_ref().is_some_and(any)
    }

    /// Whether this line of an export is asked for.
    pub(super) fn wants_line(&self, line: Network) -> bool {
        let scope = if line.is_host() { self.hosts } else { self.ranges };
        let inside = |outer: IpNet, inner: IpNet| outer.contains(&inner);
        let net = self.network.is_none_or(|network| match self.around {
            true => inside(line.net(), network.net()),
            false => inside(network.net(), line.net()),
        });
        scope && net && self.value.as_ref().is_none_or(|value| line.to_string() == *value)
    }
}
