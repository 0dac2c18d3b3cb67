//! What makes a list fit a device: hosts alone, networks as hosts, a share of the values, a largest size. It is
//! about rows, not entries; what a device cannot have for that is counted, and said.

use std::cell::Cell;
use std::collections::BTreeMap;

use raft::blocklist::{Kind, Network, Observable};

use super::order::Order;
use crate::error::ApiError;
use crate::format::Row;
use crate::parameters::Parameters;

/// How many hosts networks may become in one list; those that do not fit are skipped and counted.
const EXPANDED_HOSTS_MAX: u64 = 1 << 20;
/// The widest networks that can be taken apart, as a prefix of IPv4; of IPv6, networks of as many addresses.
const EXPAND_MIN: u64 = 16;
/// The shares of a list.
const SHARDS_MAX: u64 = 1024;

/// The parameters that are read here, and what they do, for the documentation.
pub(crate) const NARROWING: [(&str, &str); 5] = [
    ("hosts_only", "1 leaves networks out, and counts them in `Stockade-Skipped`"),
    (
        "expand",
        "such as 24: networks no wider than that as hosts, IPv6 by size; wider ones are left out and counted",
    ),
    ("shard", "such as 1/4: that share of the values; a value stays in its share"),
    ("max", "keeps the most recently updated, and counts the others in `Stockade-Truncated`"),
    ("skip", "leaves out so many from the start"),
];

/// How a list is made to fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Narrow {
    hosts_only: bool,
    expand: Option<u8>,
    /// Which share, from 0, of how many.
    shard: Option<(u64, u64)>,
    pub(super) max: Option<usize>,
    pub(super) skip: usize,
}

impl Narrow {
    pub(crate) const WORDS: [&str; 5] = {
        let mut words = [""; 5];
        let mut at = 0;
        while at < words.len() {
            words[at] = NARROWING[at].0;
            at += 1;
        }
        words
    };

    pub(super) fn read(kind: Kind, parameters: &Parameters) -> Result<Narrow, ApiError> {
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let narrow = Narrow {
            hosts_only: parameters.switch("hosts_only")?.unwrap_or(false),
            expand: parameters.number("expand")?.map(expand).transpose()?,
            shard: parameters.get("shard").map(shard).transpose()?,
            max: parameters.number("max")?.map(count),
            skip: parameters.number("skip")?.map_or(0, count),
        };
        if kind != Kind::Ip && (narrow.hosts_only || narrow.expand.is_some()) {
            let sentence = "hosts_only= and expand= are for addresses";
            return Err(ApiError::BadRequest(sentence.into()));
        }
        Ok(narrow)
    }

    /// Whether networks are taken apart, which merging would undo.
    pub(super) fn wants_hosts(&self) -> bool {
        self.hosts_only || self.expand.is_some()
    }

    /// Whether rows may become many more.
    pub(crate) fn expands(&self) -> bool {
        self.expand.is_some()
    }

    /// Whether what becomes of a row follows from that row alone.
    pub(super) fn is_by_row(&self) -> bool {
        self.expand.is_none() && self.max.is_none() && self.skip == 0
    }

    /// Whether a row stays; a network that is left out is counted.
    pub(crate) fn keeps(&self, row: &Row<'_>, skipped: &Cell<usize>) -> bool {
        if self.hosts_only && matches!(row.value, Observable::Ip(network) if !network.is_host()) {
            skipped.set(skipped.get() + 1);
            return false;
        }
        self.shard.is_none_or(|(share, of)| digest(&row.value) % of == share)
    }

    /// The same with networks as hosts, in order and without a duplicate; a listed host speaks for itself.
    pub(super) fn expanded<'l>(
        &self,
        rows: impl Iterator<Item = Row<'l>>,
        skipped: &Cell<usize>,
    ) -> Vec<Row<'l>> {
        let Some(expand) = self.expand else { return rows.collect() };
        let mut hosts: BTreeMap<Network, Row<'l>> = BTreeMap::new();
        let mut room = EXPANDED_HOSTS_MAX;
        for row in rows {
            let Observable::Ip(network) = row.value else { continue };
            let net = network.net();
            let bits = net.max_prefix_len() - net.prefix_len();
            if bits == 0 {
                hosts.insert(network, row);
                continue;
            }
            if bits > 32 - expand || (1 << bits) > room {
                skipped.set(skipped.get() + 1);
                continue;
            }
            room -= 1 << bits;
            for host in net.subnets(net.max_prefix_len()).into_iter().flatten() {
                let host = Network::new(host);
                hosts.entry(host).or_insert_with(|| Row { value: Observable::Ip(host), entry: row.entry });
            }
        }
        hosts.into_values().collect()
    }

    /// The most recently updated ones, in their order, and how many others there were.
    pub(super) fn newest<'l>(&self, mut rows: Vec<Row<'l>>) -> (Vec<Row<'l>>, usize) {
        let Some(max) = self.max.filter(|max| *max < rows.len()) else { return (rows, 0) };
        let newest = Order::parse("-time_updated").unwrap_or_default();
        let dropped = newest.first(&mut rows, max);
        rows.sort_unstable_by(|a, b| a.value.cmp(&b.value));
        (rows, dropped)
    }
}

fn expand(number: u64) -> Result<u8, ApiError> {
    let taken = (EXPAND_MIN..=32).contains(&number).then(|| u8::try_from(number).ok()).flatten();
    taken.ok_or_else(|| ApiError::BadRequest(format!("expand `{number}` is not from {EXPAND_MIN} to 32")))
}

fn shard(text: &str) -> Result<(u64, u64), ApiError> {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let read = || {
        let (share, of) = text.split_once('/').filter(|(share, of)| digits(share) && digits(of))?;
        let (share, of): (u64, u64) = (share.parse().ok()?, of.parse().ok()?);
        (of <= SHARDS_MAX && (1..=of).contains(&share)).then(|| (share - 1, of))
    };
    read().ok_or_else(|| {
        ApiError::BadRequest(format!("shard `{text}` is not a share such as 1/4, of at most {SHARDS_MAX}"))
    })
}

/// FNV-1a of the text, its upper half folded in: the same on every node and in every version.
fn digest(value: &Observable) -> u64 {
    let mut digest: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in value.to_string().bytes() {
        digest = (digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    digest ^ (digest >> 32)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::list::filter::Filter;
    use crate::list::query::Query;
    use crate::list::samples::{Desk, NOW, sample};

    fn query(text: &str) -> Result<Query, String> {
        let words = [&Query::WORDS[..], &Filter::WORDS, &Narrow::WORDS];
        let parameters = Parameters::parse(Some(text), &words).unwrap();
        Query::read(Kind::Ip, &parameters, NOW).map_err(|error| error.message().to_owned())
    }

    #[track_caller]
    fn check(desk: &Desk, text: &str, expected: &[&str], skipped: usize, truncated: usize) {
        let query = query(text).unwrap();
        let page = query.page(&desk.list);
        let found: Vec<String> = page.rows.iter().map(|row| row.value.to_string()).collect();
        assert_eq!(found, expected, "{text}");
        assert_eq!((page.skipped, page.truncated), (skipped, truncated), "{text}");
    }

    #[test]
    fn networks_become_hosts_or_are_counted() {
        let mut desk = Desk::default();
        for value in ["203.0.112.0/23", "198.51.100.4/31", "198.51.100.5", "2001:db8::2/127", "192.0.2.1"] {
            desk.add(9, "anna", value, "ids-1", &[]);
        }
        let hosts = ["192.0.2.1", "198.51.100.4", "198.51.100.5", "2001:db8::2", "2001:db8::3"];
        check(&desk, "expand=24", &hosts, 1, 0);
        check(&desk, "expand=24&family=4", &hosts[..3], 1, 0);
        check(&desk, "expand=24&limit=2", &hosts[..2], 1, 3);
        check(&desk, "expand=32", &["192.0.2.1", "198.51.100.5"], 3, 0);
        check(&desk, "hosts_only=1", &["192.0.2.1", "198.51.100.5"], 3, 0);
        assert_eq!(query("expand=23").unwrap().page(&desk.list).rows.len(), hosts.len() + 512);
    }

    #[test]
    fn networks_that_do_not_fit_together_are_counted() {
        let mut desk = Desk::default();
        (0..17).for_each(|at| desk.add(9, "anna", &format!("45.{at}.0.0/16"), "ids-1", &[]));
        desk.add(9, "anna", "192.0.2.1", "ids-1", &[]);
        let page = query("expand=16").unwrap();
        let page = page.page(&desk.list);
        assert_eq!((page.rows.len(), page.skipped), ((1 << 20) + 1, 1), "hosts have their place anyway");
    }

    #[test]
    fn the_newest_stay_in_the_order_of_the_values() {
        let mut desk = Desk::default();
        desk.list = sample();
        let all = ["198.51.100.0/24", "192.0.2.1", "192.0.2.2", "2001:db8::1"];
        check(&desk, "max=4", &all, 0, 0);
        check(&desk, "max=2", &all[1..3], 0, 2);
        check(&desk, "max=1", &all[2..3], 0, 3);
        check(&desk, "skip=1", &all[1..], 0, 0);
        check(&desk, "skip=1&limit=1", &all[1..2], 0, 2);
        check(&desk, "skip=1&limit=1&sort=-value", &all[2..3], 0, 2);
        check(&desk, "skip=9", &[], 0, 0);
    }

    #[test]
    fn shares_hold_each_value_once() {
        let mut desk = Desk::default();
        (0..200).for_each(|at| desk.add(9, "anna", &format!("45.7.0.{at}"), "ids-1", &[]));
        let mut seen = BTreeSet::new();
        for share in 1..=4 {
            let query = query(&format!("shard={share}/4")).unwrap();
            let page = query.page(&desk.list);
            assert!((20..=80).contains(&page.rows.len()), "{}", page.rows.len());
            assert!(page.rows.iter().all(|row| seen.insert(row.value.clone())), "a value in two shares");
        }
        assert_eq!(seen.len(), 200);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, expected) in [
            ("expand=15", "expand `15` is not from 16 to 32"),
            ("expand=33", "is not from"),
            ("expand=24&aggregate=1", "choose one"),
            ("hosts_only=1&aggregate=1", "choose one"),
            ("expand=24&sort=-value", "in the order of the values"),
            ("max=1&limit=1", "without limit"),
            ("shard=0/4", "shard `0/4` is not a share"),
            ("shard=5/4", "is not a share"),
            ("shard=1/0", "is not a share"),
            ("shard=+1/4", "is not a share"),
            ("shard=1", "is not a share"),
            ("shard=1/1025", "is not a share"),
        ] {
            let message = query(text).err().unwrap_or_default();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }
}
