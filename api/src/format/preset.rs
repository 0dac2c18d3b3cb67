//! Presets: a word for a firewall's make, and the parameters that its parser wants. What the client says itself
//! counts more.

use raft::blocklist::Kind;

/// A firewall that pulls a URL.
pub(crate) struct Preset {
    /// The word for `preset=` or `format=`.
    pub(crate) name: &'static str,
    /// The kinds that it takes from such a list.
    pub(crate) kinds: &'static [Kind],
    /// The parameters it stands for.
    pub(crate) options: &'static [(&'static str, &'static str)],
    /// Those for addresses alone.
    pub(crate) for_addresses: &'static [(&'static str, &'static str)],
    pub(crate) about: &'static str,
}

/// A list of values, with nothing else that a strict parser could take for one: no comment, as `txt` is anyway.
const VALUES: &[(&str, &str)] = &[("format", "txt"), ("fields", "value")];

pub(crate) static ALL: [Preset; 9] = [
    Preset {
        name: "pfsense",
        kinds: &[Kind::Ip],
        options: VALUES,
        for_addresses: &[],
        about: "URL table alias; an empty list is one LF, and empties the table",
    },
    Preset {
        name: "opnsense",
        kinds: &[Kind::Ip],
        options: VALUES,
        for_addresses: &[],
        about: "URL table alias",
    },
    Preset {
        name: "paloalto",
        kinds: &[Kind::Ip, Kind::Domain, Kind::Url],
        options: VALUES,
        for_addresses: &[],
        about: "external dynamic list; no line but entries",
    },
    Preset {
        name: "fortigate",
        kinds: &[Kind::Ip, Kind::Domain],
        options: &[("format", "txt"), ("fields", "value"), ("comments", "header"), ("max", "131072")],
        for_addresses: &[],
        about: "threat feed; the newest 131072",
    },
    Preset {
        name: "cisco",
        kinds: &[Kind::Ip],
        options: &[("format", "txt"), ("fields", "value"), ("comments", "header"), ("if_empty", "sentinel")],
        for_addresses: &[],
        about: "Security Intelligence feed; an empty list is 192.0.2.255, or the old one would stay",
    },
    Preset {
        name: "juniper",
        kinds: &[Kind::Ip],
        options: VALUES,
        for_addresses: &[],
        about: "SRX dynamic address feed",
    },
    Preset {
        name: "sophos",
        kinds: &[Kind::Ip, Kind::Domain, Kind::Url],
        options: VALUES,
        for_addresses: &[("family", "4"), ("expand", "24")],
        about: "third-party threat feed; hosts of IPv4 alone",
    },
    Preset {
        name: "sonicwall",
        kinds: &[Kind::Ip],
        options: &[("format", "txt"), ("fields", "value"), ("max", "25000")],
        for_addresses: &[],
        about: "dynamic external address group; the newest 25000",
    },
    Preset { name: "vyos", kinds: &[Kind::Ip], options: VALUES, for_addresses: &[], about: "remote group" },
];
