//! The keys of records, all built here: a class byte, then the key's own order, integers big-endian. Classes from
//! `f0` on, and `00`, are those of sled's layout.

use crate::blocklist::{Class, Kind, Observable, RecordKey};

/// The key a record is stored under.
pub(crate) fn record(key: &RecordKey) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(key, &mut bytes);
    bytes
}

/// Writes the key a record is stored under, behind what the buffer holds.
pub(crate) fn write(key: &RecordKey, bytes: &mut Vec<u8>) {
    match key {
        RecordKey::Cluster => bytes.push(1),
        RecordKey::LastChanged(kind) => bytes.extend([2, kind_byte(*kind)]),
        RecordKey::Origin(node) => join(bytes, [&[3], &node.to_be_bytes()]),
        RecordKey::Account(name) => join(bytes, [&[4], name.as_bytes()]),
        RecordKey::Entry(value) => observable(bytes, 5, value),
        RecordKey::Settings => bytes.push(6),
        RecordKey::NodeAddresses(node) => join(bytes, [&[7], &node.to_be_bytes()]),
        RecordKey::Allow(value) => observable(bytes, 8, value),
        RecordKey::Tombstone(value) => observable(bytes, 9, value),
        RecordKey::FeedFloor(kind) => bytes.extend([10, kind_byte(*kind)]),
        RecordKey::Growth(account) => join(bytes, [&[11], account.as_bytes()]),
        RecordKey::Audit(class, index, part) => {
            join(bytes, [&[12, class_byte(*class)], &index.to_be_bytes(), &part.to_be_bytes()]);
        }
        RecordKey::AuditForgotten(class) => bytes.extend([13, class_byte(*class)]),
        RecordKey::Answer(key) => {
            join(bytes, [&[14], &key.key, &key.part.to_be_bytes(), key.account.as_bytes()]);
        }
        RecordKey::Feed(name) => join(bytes, [&[15], name.as_bytes()]),
        RecordKey::Hook(name) => join(bytes, [&[16], name.as_bytes()]),
        RecordKey::Import(name) => join(bytes, [&[17], name.as_bytes()]),
        RecordKey::Modified(kind) => bytes.extend([18, kind_byte(*kind)]),
    }
}

fn join<const PARTS: usize>(bytes: &mut Vec<u8>, parts: [&[u8]; PARTS]) {
    parts.into_iter().for_each(|part| bytes.extend_from_slice(part));
}

fn observable(bytes: &mut Vec<u8>, class: u8, value: &Observable) {
    bytes.extend([class, kind_byte(value.kind())]);
    match value {
        Observable::Ip(network) => {
            bytes.push(u8::from(network.is_host()));
            match network.net() {
                ipnet::IpNet::V4(net) => join(bytes, [&[4], &net.addr().octets()]),
                ipnet::IpNet::V6(net) => join(bytes, [&[6], &net.addr().octets()]),
            }
            bytes.push(network.net().prefix_len());
        }
        Observable::Domain(text)
        | Observable::Url(text)
        | Observable::Hash(text)
        | Observable::Email(text)
        | Observable::Username(text) => bytes.extend_from_slice(text.as_bytes()),
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
