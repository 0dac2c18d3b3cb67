//! Lists as they are in the field: hosts scattered over the address space, a few thousand texts of 30 to 60
//! bytes as comments, two hundred sources.

use std::net::{IpAddr, Ipv4Addr};

use raft::blocklist::{Actor, Batch, Command, List, Observable, Operation, Origin, Report, Role, Timestamp};

/// Different comments.
const COMMENTS: u32 = 4_000;
/// Different sources.
const SOURCES: u32 = 200;
/// Reports of one batch while a list is filled.
const FILL: u32 = 512;
/// All hosts are in 64.0.0.0/3: nothing that must not be listed is there.
const HOSTS_FROM: u32 = 64 << 24;
const HOSTS_MASK: u32 = (1 << 29) - 1;
/// Odd and large: it visits every address once before any twice.
const STEP: u32 = 0x9E37_79B1;

/// The host of this number; numbers that differ give hosts that differ.
pub(crate) fn host(number: u32) -> Observable {
    let address = HOSTS_FROM + (number.wrapping_mul(STEP) & HOSTS_MASK);
    Observable::host(IpAddr::V4(Ipv4Addr::from(address)))
}

/// One report. Its texts are allocated anew, as those that come out of the log are.
pub(crate) fn report(value: Observable, number: u32, source: u32) -> Report {
    let comment = number.wrapping_mul(2_654_435_761) % COMMENTS;
    let reason = ["ssh brute force", "wordpress login scan", "smtp spam to many recipients"];
    let reason = reason[comment as usize % reason.len()];
    Report {
        value,
        comment: format!("{reason}, campaign {comment:04} of this year").into(),
        source: format!("sensor-{:03}.segment.example", source % SOURCES).into(),
        ttl: None,
        tags: [].into(),
        seen: None,
    }
}

/// A list with the index and the sequence of its last batch.
#[derive(Clone, Default)]
pub(crate) struct Filled {
    pub(crate) list: List,
    pub(crate) applied: u64,
}

impl Filled {
    /// The batch that comes next, of one command with these reports.
    pub(crate) fn next_batch(&self, reports: Vec<Report>) -> Batch {
        let actor = Actor { account: "sensors".into(), role: Role::Analyst, address: "203.0.113.250".into() };
        let time = Timestamp(1_700_000_000_000 + i64::try_from(self.applied).unwrap_or(0));
        let command = Command::new(time, actor, Operation::Add(reports));
        let origin = Origin { node: 1, incarnation: 1 };
        Batch { origin, first_sequence: self.applied + 1, commands: vec![command] }
    }

    /// Adds reports as one batch.
    pub(crate) fn add(&mut self, reports: Vec<Report>) {
        let batch = self.next_batch(reports);
        self.applied += 1;
        self.list.apply(self.applied, &batch);
    }

    /// Adds the hosts of these numbers, each by so many sources.
    pub(crate) fn add_hosts(&mut self, count: u32, sources: u32) {
        for source in 0..sources {
            for from in (0..count).step_by(FILL as usize) {
                let numbers = from..count.min(from + FILL);
                let reports =
                    numbers.map(|number| report(host(number), number, number.wrapping_add(source * 67)));
                self.add(reports.collect());
            }
        }
    }
}
