//! The keys of records, all built here: a class byte, then the key's own order, integers big-endian. Classes from
//! `f0` on, and `00`, are those of sled's layout.

use crate::blocklist::{Class, Kind, Observable, RecordKey};

/// The key a record is stored under.
pub(crate) fn record(key: &RecordKey) -> Vec<u8> {
    match key {
        RecordKey::Cluster => vec![1],
        RecordKey::LastChanged(kind) => vec![2, kind_byte(*kind)],
        RecordKey::Origin(node) => [&[3], node.to_be_bytes().as_slice()].concat(),
        RecordKey::Account(name) => [&[4], name.as_bytes()].concat(),
        RecordKey::Entry(value) => observable(5, value),
        RecordKey::Settings => vec![6],
        RecordKey::Allow(value) => observable(8, value),
        RecordKey::Tombstone(value) => observable(9, value),
        RecordKey::FeedFloor(kind) => vec![10, kind_byte(*kind)],
        RecordKey::Growth(account) => [&[11], account.as_bytes()].concat(),
        RecordKey::Audit(class, index, part) => {
            [&[12, class_byte(*class)], index.to_be_bytes().as_slice(), &part.to_be_bytes()].concat()
        }
        RecordKey::AuditForgotten(class) => vec![13, class_byte(*class)],
        RecordKey::Answer(key) => {
            [&[14], key.key.as_slice(), &key.part.to_be_bytes(), key.account.as_bytes()].concat()
        }
        RecordKey::Feed(name) => [&[15], name.as_bytes()].concat(),
        RecordKey::Hook(name) => [&[16], name.as_bytes()].concat(),
        RecordKey::Import(name) => [&[17], name.as_bytes()].concat(),
        RecordKey::Modified(kind) => vec![18, kind_byte(*kind)],
        RecordKey::NodeAddresses(node) => [&[7], node.to_be_bytes().as_slice()].concat(),
    }
}

fn observable(class: u8, value: &Observable) -> Vec<u8> {
    let mut key = Vec::with_capacity(2 + key_bytes(value));
    key.extend([class, kind_byte(value.kind())]);
    match value {
        Observable::Ip(network) => {
            key.push(u8::from(network.is_host()));
            match network.net() {
                ipnet::IpNet::V4(net) => {
                    key.push(4);
                    key.extend(net.addr().octets());
                }
                ipnet::IpNet::V6(net) => {
                    key.push(6);
                    key.extend(net.addr().octets());
                }
            }
            key.push(network.net().prefix_len());
        }
        Observable::Domain(text)
        | Observable::Url(text)
        | Observable::Hash(text)
        | Observable::Email(text)
        | Observable::Username(text) => key.extend(text.as_bytes()),
    }
    key
}

/// Bytes of an observable in a key, behind its kind.
fn key_bytes(value: &Observable) -> usize {
    match value {
        Observable::Ip(network) => match network.net() {
            ipnet::IpNet::V4(_) => 3 + 4,
            ipnet::IpNet::V6(_) => 3 + 16,
        },
        Observable::Domain(text)
        | Observable::Url(text)
        | Observable::Hash(text)
        | Observable::Email(text)
        | Observable::Username(text) => text.len(),
    }
}

fn kind_byte(kind: Kind) -> u8 {
    match kind {
        Kind::Ip => 0,
        Kind::Domain => 1,
        Kind::Url => 2,
        Kind::Hash => 3,
        Kind::Email => 4,
        Kind::Username => 5,
    }
}

fn class_byte(class: Class) -> u8 {
    match class {
        Class::Reports => 0,
        Class::Decisions => 1,
    }
}
