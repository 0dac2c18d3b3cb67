//! What one direction of a wire does to what is sent over it, as a sender by TCP sees it.

use std::time::Duration;

use crate::chance::Chance;

/// How long TCP waits at least before it sends a lost packet again (Linux; RFC 6298 says a second).
const RETRANSMISSION: Duration = Duration::from_millis(200);
/// Losses in a row after which the wait is not doubled any more.
const DOUBLINGS_MAX: u32 = 4;

/// One direction of a wire. The default passes everything at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Everything arrives later by this.
    pub delay: Duration,
    /// And by a random time up to this.
    pub jitter: Duration,
    /// So many chunks of a hundred are lost, and come when they are sent again; what follows waits for them.
    pub loss_percent: u64,
    /// So many chunks of a thousand break the connection.
    pub reset_permille: u64,
    /// No more than this passes in a second.
    pub bytes_per_second: Option<u64>,
    /// Nothing passes, and nobody is told. The other direction goes on: worse than packets that are lost, for then
    /// no acknowledgement comes either, and TCP stops sending.
    pub held: bool,
}

impl Line {
    /// The trouble of both.
    pub fn and(self, other: Line) -> Line {
        let least = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
        Line {
            delay: self.delay + other.delay,
            jitter: self.jitter + other.jitter,
            loss_percent: self.loss_percent.max(other.loss_percent),
            reset_permille: self.reset_permille.max(other.reset_permille),
            bytes_per_second: least(self.bytes_per_second, other.bytes_per_second),
            held: self.held || other.held,
        }
    }

    /// How long after the ones before it a chunk of so many bytes arrives.
    pub(crate) fn latency(&self, chance: &mut Chance) -> Duration {
        let jitter = u64::try_from(self.jitter.as_micros()).unwrap_or(u64::MAX - 1);
        let mut late = self.delay + Duration::from_micros(chance.between(0, jitter));
        let mut losses = 0;
        while losses <= DOUBLINGS_MAX && chance.percent(self.loss_percent) {
            late += RETRANSMISSION * 2_u32.pow(losses);
            losses += 1;
        }
        late
    }

    /// How long the wire is busy with a chunk.
    pub(crate) fn busy(&self, bytes: usize) -> Duration {
        match self.bytes_per_second {
            Some(rate) => Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64),
            None => Duration::ZERO,
        }
    }

    /// Whether a chunk breaks the connection.
    pub(crate) fn breaks(&self, chance: &mut Chance) -> bool {
        chance.below(1000) < self.reset_permille
    }
}
