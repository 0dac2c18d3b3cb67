//! The zone that the list is asked under: its name, its servers, and how long answers may be kept.

use std::net::IpAddr;

use hickory_proto::rr::rdata::{A, AAAA, NS, SOA};
use hickory_proto::rr::{Name, RData, Record};

use super::DnsblSettings;

/// A name under the zone has to leave room for an IPv6 address, which takes 64 of the 255 bytes of a name.
const ZONE_BYTES_MAX: usize = 255 - 64;
/// What secondary servers would go by, in seconds; there are none, since every node answers for itself.
const REFRESH: i32 = 3600;
const RETRY: i32 = 600;
const EXPIRE: i32 = 86_400;

/// The zone, whole and checked.
pub(super) struct Zone {
    pub(super) name: Name,
    /// The names of its servers; never empty.
    nameservers: Vec<Name>,
    /// The name `ns` of the zone, when that is its server: it then has these addresses.
    pub(super) own_server: Option<Name>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) ttl: u32,
    pub(super) negative_ttl: u32,
}

impl Zone {
    pub(super) fn new(settings: &DnsblSettings) -> Result<Zone, String> {
        let name = name(&settings.zone)?;
        if name.is_root() || name.len() > ZONE_BYTES_MAX {
            let zone = &settings.zone;
            return Err(format!("zone `{zone}` is not valid: it has 1 to {ZONE_BYTES_MAX} bytes"));
        }
        let mut nameservers =
            settings.nameservers.iter().map(|name| self::name(name)).collect::<Result<Vec<_>, _>>()?;
        let mut own_server = None;
        if nameservers.is_empty() {
            let own =
                name.prepend_label("ns").map_err(|error| format!("zone `{name}` is not valid: {error}"))?;
            own_server = Some(own.clone());
            nameservers.push(own);
        }
        let DnsblSettings { ttl, negative_ttl, .. } = *settings;
        Ok(Zone { name, nameservers, own_server, addresses: Vec::new(), ttl, negative_ttl })
    }

    /// What stands beside a name or a type that does not exist, and says for how long that may be believed. The serial
    /// is the index, as in the zone file for response policies.
    pub(super) fn soa(&self, index: u64) -> Record {
        let rname = self.name.prepend_label("hostmaster").unwrap_or_else(|_| self.name.clone());
        // Serial numbers wrap (RFC 1982).
        let serial = index as u32;
        let soa =
            SOA::new(self.nameservers[0].clone(), rname, serial, REFRESH, RETRY, EXPIRE, self.negative_ttl);
        Record::from_rdata(self.name.clone(), self.negative_ttl, RData::SOA(soa))
    }

    /// The servers of the zone.
    pub(super) fn ns(&self) -> impl Iterator<Item = Record> {
        let record =
            |name: &Name| Record::from_rdata(self.name.clone(), self.ttl, RData::NS(NS(name.clone())));
        self.nameservers.iter().map(record)
    }

    /// The addresses of its own server name.
    pub(super) fn glue(&self) -> impl Iterator<Item = Record> {
        let name = self.own_server.iter();
        name.flat_map(|name| {
            self.addresses.iter().map(|address| {
                let data = match address {
                    IpAddr::V4(address) => RData::A(A(*address)),
                    IpAddr::V6(address) => RData::AAAA(AAAA(*address)),
                };
                Record::from_rdata(name.clone(), self.ttl, data)
            })
        })
    }
}

/// A name of a host or a zone.
fn name(text: &str) -> Result<Name, String> {
    let label = |label: &str| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.bytes().all(letter)
    };
    let text = text.strip_suffix('.').unwrap_or(text);
    if !text.split('.').all(label) {
        return Err(format!("`{text}` is not a name such as bl.example.org"));
    }
    let mut name = Name::from_ascii(text).map_err(|error| format!("`{text}` is not a name: {error}"))?;
    name.set_fqdn(true);
    Ok(name.to_lowercase())
}
