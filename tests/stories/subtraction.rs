//! Allowed addresses are cut out of every export, told by somebody else: Debian's `iprange` computes the same set.

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use stockade_tests::{Client, Home, TestCluster};

/// Networks and hosts that are listed, and that are allowed.
const LISTED: usize = 600;
const ALLOWED: usize = 300;
/// Chooses the addresses; a number in this variable repeats a run that failed.
const SEED: &str = "STOCKADE_SEED";

/// Addresses of one network as first and last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Net {
    first: u32,
    length: u32,
}

impl Net {
    fn last(self) -> u32 {
        self.first | u32::MAX.checked_shr(self.length).unwrap_or(0)
    }

    fn parse(text: &str) -> Net {
        let (address, length) = text.split_once('/').unwrap_or((text, "32"));
        Net { first: address.parse::<Ipv4Addr>().unwrap().to_bits(), length: length.parse().unwrap() }
    }

    fn overlaps(self, other: Net) -> bool {
        self.first <= other.last() && other.first <= self.last()
    }

    fn text(self) -> String {
        let address = Ipv4Addr::from_bits(self.first);
        if self.length == 32 { address.to_string() } else { format!("{address}/{}", self.length) }
    }
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % u64::from(bound)) as u32
    }

    /// Networks of all widths that are taken, and hosts, close enough together to meet: in 45.7.0.0/16, in the
    /// first addresses of 45.8.0.0/13, and anywhere in 45.0.0.0/8.
    fn nets(&mut self, count: usize) -> Vec<Net> {
        let mut nets = BTreeSet::new();
        while nets.len() < count {
            let length = [16, 20, 22, 24, 26, 28, 30, 31, 32, 32, 32][self.below(11) as usize];
            let room = match self.below(4) {
                0 => self.below(1 << 24),
                1 => (8 << 16) + self.below(1 << 10),
                _ => (7 << 16) + self.below(1 << 16),
            };
            let address = (45 << 24) | room;
            // A /16 in the crowded room would hide or forbid all the others there.
            if length == 16 && (7..=8).contains(&(room >> 16)) {
                continue;
            }
            nets.insert(Net {
                first: address & u32::MAX.checked_shl(32 - length).unwrap_or(u32::MAX),
                length,
            });
        }
        nets.into_iter().collect()
    }
}

fn seed() -> u64 {
    match std::env::var(SEED) {
        Ok(text) => text.parse().unwrap(),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into(),
    }
}

fn lines(nets: &[Net]) -> String {
    nets.iter().map(|net| format!("{}\n", net.text())).collect()
}

#[track_caller]
fn send(client: &Client, path: &str, nets: &[Net]) -> u64 {
    let answer = client.request("POST", path).body("text/plain", lines(nets)).send().expect(200);
    let told = answer.json();
    assert_eq!((&told["added"], &told["refused"]), (&json!(nets.len()), &json!([])), "{path}: {told}");
    answer.index()
}

/// What `iprange` prints; missing, it fails the story: `apt-get install iprange`.
#[track_caller]
fn iprange(arguments: &[&str], files: [&Path; 2], between: &str) -> String {
    let mut command = Command::new("iprange");
    command.args(arguments).arg(files[0]).arg(between).arg(files[1]);
    let ran =
        command.output().unwrap_or_else(|error| panic!("the Debian package iprange is needed: {error}"));
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{command:?}: {errors}\n{}", String::from_utf8_lossy(&ran.stdout));
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn an_export_covers_what_is_listed_without_what_is_allowed() {
    let seed = seed();
    eprintln!("{SEED}={seed}");
    let mut numbers = Numbers(seed);
    let (listed, allowed) = (numbers.nets(LISTED), numbers.nets(ALLOWED));
    let home = Home::new();
    let file = |name: &str, text: &str| -> PathBuf {
        let path = home.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let listed_file = file("listed", &lines(&listed));
    let allowed_file = file("allowed", &lines(&allowed));

    let cluster = TestCluster::start(1);
    let client = cluster.analyst(0);
    send(&client, "/ip/add", &listed);
    let whole = file("whole", client.get("/ip/all?format=txt").expect(200).text());
    iprange(&[], [&whole, &listed_file], "--diff");

    // The export is the set that somebody else subtracts.
    send(&client, "/allow/add", &allowed);
    let export = client.get("/ip/all?format=txt").expect(200).text().to_owned();
    let exported = file("exported", &export);
    let left = iprange(&[], [&listed_file, &allowed_file], "--except");
    let left_file = file("left", &left);
    let differences = iprange(&["--print-ranges"], [&exported, &left_file], "--diff");
    assert_eq!(differences.trim(), "", "between the export and {}", left_file.display());
    assert!(!left.trim().is_empty() && left != fs::read_to_string(&whole).unwrap(), "something was cut");

    // Merged without loss, as somebody else merges it.
    let merged = client.get("/ip/all?format=txt&aggregate=1").expect(200).text().to_owned();
    let theirs: BTreeSet<Net> = left.lines().map(Net::parse).collect();
    assert_eq!(merged.lines().map(Net::parse).collect::<BTreeSet<_>>(), theirs);
    assert!(merged.lines().count() < export.lines().count(), "something was merged");
    client.get("/ip/all?aggregate=1").expect(400).message();
    client.get("/domain/all?format=txt&aggregate=1").expect(400).message();

    // No line touches an allowed address, none stands twice, and the allow list is what was sent.
    let exported: Vec<Net> = export.lines().map(Net::parse).collect();
    for line in &exported {
        let touched = allowed.iter().find(|allow| line.overlaps(**allow));
        assert!(touched.is_none(), "{} overlaps {}", line.text(), touched.unwrap().text());
    }
    assert_eq!(exported.iter().collect::<BTreeSet<_>>().len(), exported.len(), "a line stands twice");
    let told: BTreeSet<Net> =
        client.get("/allow/all?format=txt").expect(200).text().lines().map(Net::parse).collect();
    assert!(told.iter().eq(&allowed));

    // Allowed no longer, all of it is back.
    let deleted =
        client.request("POST", "/allow/delete").body("text/plain", lines(&allowed)).send().expect(200);
    assert_eq!(deleted.json()["deleted"], json!(allowed.len()));
    let again = client.get("/ip/all?format=txt").expect(200);
    assert_eq!(again.text(), fs::read_to_string(&whole).unwrap());
}
