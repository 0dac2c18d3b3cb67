//! What the targets of `tests/fuzz` call, a function each: they read any bytes as a handler does, and say what must be
//! true of what comes out. There for the fuzzers and for tests alone, which read the seeds with them.

#[cfg(test)]
mod seeds;

use raft::blocklist::Kind;

use crate::{allow, crowdsec, dnsbl, format, hook, import, list};

/// Bodies of reports, of corrections, of the allow list and of bouncers' figures: a digit for which, then as they say.
pub fn bodies(data: &[u8]) {
    let Some((body, data)) = chosen(data) else { return };
    match body % 4 {
        0 => list::fuzz::reports(data),
        1 => allow::fuzz::allows(data),
        2 => list::fuzz::correction(data),
        _ => crowdsec::fuzz::usage(data),
    }
}

/// Queries of lists, of bouncers, and the `Accept` header: a digit for which, then as they say.
pub fn queries(data: &[u8]) {
    let Some((query, data)) = chosen(data) else { return };
    match query % 4 {
        0 => list::fuzz::query(data),
        1 => list::fuzz::cursor(data),
        2 => crowdsec::fuzz::query(data),
        _ => format::fuzz::accept(data),
    }
}

/// Lists with any words in them, in every format.
pub fn exports(data: &[u8]) {
    format::fuzz::exports(data);
}

/// Public feeds in every form, and the profiles of imports.
pub fn feeds(data: &[u8]) {
    import::fuzz::feeds(data);
}

/// Webhooks: a line with the mapping, then the body.
pub fn hooks(data: &[u8]) {
    hook::fuzz::hooks(data);
}

/// Messages of DNS.
pub fn dns(data: &[u8]) {
    dnsbl::fuzz::dns(data);
}

/// The first byte of an input, by which it says what the others are, and those. Seeds have a digit or a letter there.
pub(crate) fn chosen(data: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = data.split_first()?;
    Some((usize::from(first.wrapping_sub(b'0')), rest))
}

/// A kind by its number.
pub(crate) fn kind(number: usize) -> Kind {
    Kind::ALL[number % Kind::ALL.len()]
}
