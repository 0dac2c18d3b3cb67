//! Whole lists, written down: kept while they are asked for, and brought up to date at the cost of the change.
//!
//! A list in one form (`Recipe`: a query, a format and its knobs) is an `Export`: chunks of rows, and frames around
//! them. Where a chunk begins is said by the values alone (`chunk`), so that every node cuts the same list into the
//! same chunks, however it came to be; so the ETag, a digest of the digests of frames and of groups of chunks
//! (`chunks`), and the compressed bytes are the same everywhere too. After a change, the chunks that hold a line that
//! was touched are written anew, and all others are those of before. What is not a matter of single rows (`limit`,
//! `sort` and `cursor`, `aggregate`, `expand`, `max` and `skip`; numbered lines, and formats where one row silences
//! another) is written as one chunk, whole, after each change.
//!
//! An answer is made of the kept bytes themselves: all clients share them. A client never gets what is older than
//! the list that it asks: whoever comes first after a change waits for it to be written, and the others with it.

mod answer;
mod body;
mod chunk;
mod chunks;
mod coding;
mod kept;
mod recipe;
mod refreshing;
#[cfg(test)]
mod tests;
mod whole;

pub(crate) use answer::answer;
pub(crate) use body::Run;
pub(crate) use kept::{Exports, Moment};
pub(crate) use recipe::Recipe;
pub(crate) use refreshing::run as refresh;
pub(crate) use whole::Export;
