//! The last part of a feed's URL: `<name>`, `<name>.<ext>`, and either with `.md5` or `.sha256`.
//!
//! The extension is for the device, which may insist on one: it must be the word of a format or a usual one, and
//! chooses nothing. What the feed looks like is said by its profile alone.

use std::sync::Arc;

use raft::blocklist::{List, NamedFeed};

use super::checksum::Checksum;
use crate::error::ApiError;
use crate::format::{self, Format};

/// Extensions that devices and their admins like, besides the words of the formats.
const USUAL: [&str; 19] = [
    "acl", "cfg", "conf", "dat", "htaccess", "intel", "ip4", "ip6", "ipset", "jsonl", "list", "lst", "map",
    "netset", "rsc", "rules", "sh", "text", "zone",
];

/// What a URL asks for.
pub(super) struct Asked<'f> {
    pub(super) feed: Arc<NamedFeed>,
    /// The file's name, without that of a checksum.
    pub(super) file: &'f str,
    pub(super) checksum: Option<Checksum>,
}

impl<'f> Asked<'f> {
    pub(super) fn read(file: &'f str, list: &List) -> Result<Asked<'f>, ApiError> {
        let checksum = Checksum::ALL.into_iter().find(|checksum| file.ends_with(checksum.suffix()));
        let file = checksum.and_then(|checksum| file.strip_suffix(checksum.suffix())).unwrap_or(file);
        let feed = list.feed(file).or_else(|| match file.rsplit_once('.') {
            Some((name, extension)) if is_extension(extension) => list.feed(name),
            _ => None,
        });
        let unknown = || ApiError::NotFound(format!("there is no feed `{file}`"));
        Ok(Asked { feed: feed.cloned().ok_or_else(unknown)?, file, checksum })
    }
}

fn is_extension(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let of_formats = |format: &&dyn Format| format.name() == text || format.extension() == text;
    format::ALL.iter().any(of_formats) || USUAL.contains(&text.as_str())
}

#[cfg(test)]
mod tests {
    use raft::blocklist::{Actor, Batch, Command, Kind, Operation, Origin, Profile, Role, Timestamp};

    use super::*;

    #[test]
    fn an_extension_names_the_file_and_chooses_nothing() {
        let mut list = List::default();
        let actor = Actor { account: "".into(), role: Role::Admin, address: "".into() };
        for (name, sequence) in ["office", "fw.eu", "fw.txt"].into_iter().zip(1..) {
            let feed = Profile {
                kind: Kind::Ip,
                query: "".into(),
                format: "csv".into(),
                description: "".into(),
                freeze_percent: None,
            };
            let operation = Operation::PutFeed { name: name.into(), feed };
            let commands = vec![Command::new(Timestamp(0), actor.clone(), operation)];
            let origin = Origin { node: 1, incarnation: 1 };
            list.apply(sequence, &Batch { origin, first_sequence: sequence, commands });
        }
        let rows = [
            ("office", Some(("office", "office", None))),
            ("office.txt", Some(("office", "office.txt", None))),
            ("office.CSV", Some(("office", "office.CSV", None))),
            ("office.zone", Some(("office", "office.zone", None))),
            ("office.md5", Some(("office", "office", Some(".md5")))),
            ("office.txt.sha256", Some(("office", "office.txt", Some(".sha256")))),
            ("fw.eu", Some(("fw.eu", "fw.eu", None))),
            ("fw.eu.json", Some(("fw.eu", "fw.eu.json", None))),
            ("fw.txt", Some(("fw.txt", "fw.txt", None))),
            ("office.exe", None),
            ("office.", None),
            ("office.txt.md5.md5", None),
            ("Office", None),
            ("fw", None),
            (".md5", None),
            ("", None),
        ];
        for (path, expected) in rows {
            let asked = Asked::read(path, &list).ok();
            let found = asked
                .as_ref()
                .map(|asked| (&*asked.feed.name, asked.file, asked.checksum.map(Checksum::suffix)));
            assert_eq!(found, expected, "{path}");
        }
    }
}
