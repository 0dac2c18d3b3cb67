//! How many answers one network of clients gets in a second. Asked with a forged sender, a server without a limit
//! would send its answers to somebody who never asked.
//!
//! A network's tokens are in the slot that a keyed hash gives it, which a few networks may share: the memory is fixed,
//! and nobody can find out which others to ask in the name of. UDP and TCP have slots of their own, so that a flood
//! under a forged sender leaves that sender a way to ask.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::client_network;

/// Slots, of 16 bytes each.
const SLOTS: usize = 1 << 16;
/// What a slot holds at most, in seconds of its rate: a mail server that starts asks much at once.
const BURST_SECONDS: f64 = 2.0;

/// How a question came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Transport {
    Udp,
    Tcp,
}

/// What becomes of a question over UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Answer,
    /// Over the limit: an empty answer that says to come over TCP. No larger than the question, it is no gain for
    /// a forger, and who really asks gets through.
    Truncate,
    /// Over the limit, every other time.
    Drop,
}

pub(super) struct Limit {
    rate: f64,
    started: Instant,
    hash: RandomState,
    slots: Mutex<Vec<Slot>>,
}

#[derive(Clone, Copy)]
struct Slot {
    tokens: f64,
    /// Milliseconds since the start.
    filled_at: u32,
    over: u32,
}

impl Limit {
    /// So many answers a second; zero: no limit.
    pub(super) fn new(rate: u32) -> Limit {
        let rate = f64::from(rate);
        let full = Slot { tokens: rate * BURST_SECONDS, filled_at: 0, over: 0 };
        let slots = if rate > 0.0 { vec![full; SLOTS] } else { Vec::new() };
        Limit { rate, started: Instant::now(), hash: RandomState::new(), slots: Mutex::new(slots) }
    }

    /// A question over UDP.
    pub(super) fn turn(&self, client: IpAddr) -> Turn {
        self.turn_at(client, self.started.elapsed())
    }

    /// A question over TCP, where the sender is no forgery: how long its answer has to wait.
    pub(super) fn wait(&self, client: IpAddr) -> Duration {
        let wait = self.with_slot(client, Transport::Tcp, self.started.elapsed(), |slot, rate| {
            slot.tokens -= 1.0;
            Duration::from_secs_f64((-slot.tokens / rate).max(0.0))
        });
        wait.unwrap_or_default()
    }

    fn turn_at(&self, client: IpAddr, now: Duration) -> Turn {
        let turn = self.with_slot(client, Transport::Udp, now, |slot, _| {
            if slot.tokens >= 1.0 {
                slot.tokens -= 1.0;
                return Turn::Answer;
            }
            slot.over = slot.over.wrapping_add(1);
            if slot.over.is_multiple_of(2) { Turn::Truncate } else { Turn::Drop }
        });
        turn.unwrap_or(Turn::Answer)
    }

    /// Nothing when there is no limit.
    fn with_slot<T>(
        &self,
        client: IpAddr,
        transport: Transport,
        now: Duration,
        take: impl FnOnce(&mut Slot, f64) -> T,
    ) -> Option<T> {
        let hash = self.hash.hash_one((client_network(client), client.is_ipv4(), transport));
        let mut slots = self.slots.lock();
        let slot = slots.get_mut(hash as usize % SLOTS)?;
        // After 49 days it begins again: a slot that was last used then is filled a little early.
        let now = now.as_millis() as u32;
        let passed = f64::from(now.wrapping_sub(slot.filled_at)) / 1000.0;
        slot.tokens = (slot.tokens + passed * self.rate).min(self.rate * BURST_SECONDS);
        slot.filled_at = now;
        Some(take(slot, self.rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_gets_its_rate_and_a_burst_and_others_are_not_touched() {
        let limit = Limit::new(10);
        let start = Duration::from_secs(1);
        let turns = |client: &str, at, count: usize| {
            (0..count).map(|_| limit.turn_at(address(client), at)).collect::<Vec<_>>()
        };
        assert_eq!(turns("192.0.2.1", start, 20), [Turn::Answer; 20]);
        // Of the same network, whichever address asks.
        assert_eq!(turns("192.0.2.99", start, 4), [Turn::Drop, Turn::Truncate, Turn::Drop, Turn::Truncate]);
        // Of all others, hardly any shares a slot with it.
        let others = (0..50).filter(|third| turns(&format!("198.51.{third}.1"), start, 1) == [Turn::Answer]);
        assert!(others.count() >= 49);
        let later = start + Duration::from_millis(500);
        let back = turns("192.0.2.1", later, 6);
        assert_eq!(back[..5], [Turn::Answer; 5]);
        assert_ne!(back[5], Turn::Answer);
    }

    #[test]
    fn without_a_rate_there_is_no_limit() {
        let limit = Limit::new(0);
        assert!((0..10_000).all(|_| limit.turn(address("192.0.2.1")) == Turn::Answer));
        assert_eq!(limit.wait(address("192.0.2.1")), Duration::ZERO);
    }

    #[test]
    fn over_tcp_an_answer_waits_for_its_turn_however_much_was_asked_over_udp() {
        let limit = Limit::new(10);
        let client = address("2001:db8::1");
        assert!((0..100).filter(|_| limit.turn(client) == Turn::Answer).count() < 30);
        let waits: Vec<Duration> = (0..30).map(|_| limit.wait(client)).collect();
        assert_eq!(waits[..20], [Duration::ZERO; 20]);
        assert!(waits[29] > Duration::from_millis(500), "{waits:?}");
    }
}
