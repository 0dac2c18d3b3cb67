//! What can happen to a cluster, each fault by itself; they are combined by suffering several at once.

use std::time::Duration;

use crate::chance::Chance;
use crate::cluster::TestCluster;
use crate::line::Line;

/// A fault of some nodes, by their numbers, or of the wires between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGSTOP, then SIGCONT.
    Freeze(usize),
    /// `kill -9`, then a new start.
    Kill(usize),
    /// `kill -9` of all at once.
    KillAll,
    /// SIGTERM, then a new start.
    Restart(usize),
    /// No byte from or to these nodes, except among themselves.
    Apart(Vec<usize>),
    /// Nothing from one node reaches another; the way back is open.
    OneWay {
        /// Who sends.
        from: usize,
        /// Who hears nothing.
        to: usize,
    },
    /// Nothing reaches this node; what it sends arrives.
    Deaf(usize),
    /// Nothing that this node sends arrives; it hears all.
    Mute(usize),
    /// Only this node sees the others, which do not see each other.
    Bridge(usize),
    /// The wires of this node come and go.
    Flapping(usize),
    /// Every wire loses so many chunks of a hundred, and breaks a connection now and then.
    Loss(u64),
    /// Every wire is slow, in milliseconds, and up to half as much again.
    Latency(u64),
    /// Every wire is narrow, in bytes a second.
    Narrow(u64),
}

impl Fault {
    /// One of them, at random.
    pub fn draw(chance: &mut Chance, nodes: usize) -> Fault {
        let node = chance.below(nodes as u64) as usize;
        let other = (node + 1 + chance.below(nodes as u64 - 1) as usize) % nodes;
        match chance.below(13) {
            0 => Fault::Freeze(node),
            1 => Fault::Kill(node),
            2 => Fault::KillAll,
            3 => Fault::Restart(node),
            // A minority: one, or two of five.
            4 if nodes > 3 => Fault::Apart(vec![node, other]),
            4 | 5 => Fault::Apart(vec![node]),
            6 => Fault::OneWay { from: node, to: other },
            7 => Fault::Deaf(node),
            8 => Fault::Mute(node),
            9 => Fault::Bridge(node),
            10 => Fault::Flapping(node),
            11 => Fault::Loss(chance.between(5, 20)),
            12 if chance.percent(50) => Fault::Narrow(chance.between(50_000, 500_000)),
            _ => Fault::Latency(chance.between(50, 200)),
        }
    }

    /// It is a fault of processes: at most one of those at a time.
    pub fn is_of_processes(&self) -> bool {
        matches!(self, Fault::Freeze(_) | Fault::Kill(_) | Fault::KillAll | Fault::Restart(_))
    }

    /// Its name, without its numbers.
    pub fn name(&self) -> String {
        let text = format!("{self:?}");
        text.split(['(', ' ']).next().unwrap_or_default().to_lowercase()
    }

    /// What happens to the processes.
    #[track_caller]
    pub(crate) fn strike(&self, cluster: &mut TestCluster) {
        match self {
            Fault::Freeze(node) => cluster.nodes[*node].freeze(),
            Fault::Kill(node) => cluster.nodes[*node].kill(),
            Fault::KillAll => cluster.nodes.iter_mut().for_each(|node| node.kill()),
            Fault::Restart(node) => {
                let ended = cluster.nodes[*node].terminate();
                assert!(
                    ended.success(),
                    "{} ends with 0 on SIGTERM, not {ended}",
                    cluster.nodes[*node].name()
                );
            }
            _ => {}
        }
    }

    /// The end of that.
    #[track_caller]
    pub(crate) fn lift(&self, cluster: &mut TestCluster) {
        match self {
            Fault::Freeze(node) => cluster.nodes[*node].thaw(),
            Fault::Kill(node) | Fault::Restart(node) => cluster.nodes[*node].start(),
            Fault::KillAll => cluster.nodes.iter_mut().for_each(|node| node.start()),
            _ => {}
        }
    }

    /// What it does to what one node sends to another.
    pub(crate) fn line(&self, from: usize, to: usize, turn: u64) -> Line {
        let held = |held| Line { held, ..Line::default() };
        match self {
            Fault::Freeze(_) | Fault::Kill(_) | Fault::KillAll | Fault::Restart(_) => Line::default(),
            Fault::Apart(nodes) => held(nodes.contains(&from) != nodes.contains(&to)),
            Fault::OneWay { from: mute, to: deaf } => held(from == *mute && to == *deaf),
            Fault::Deaf(node) => held(to == *node),
            Fault::Mute(node) => held(from == *node),
            Fault::Bridge(node) => held(from != *node && to != *node),
            Fault::Flapping(node) => held(turn.is_multiple_of(2) && (from == *node || to == *node)),
            Fault::Loss(percent) => Line { loss_percent: *percent, reset_permille: 2, ..Line::default() },
            Fault::Latency(ms) => Line {
                delay: Duration::from_millis(*ms),
                jitter: Duration::from_millis(*ms / 2),
                ..Line::default()
            },
            Fault::Narrow(rate) => Line { bytes_per_second: Some(*rate), ..Line::default() },
        }
    }
}
