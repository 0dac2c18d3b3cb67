//! What of a list is asked for, as it is read from the parameters; all of it, but what a rendering looks like.

use raft::blocklist::{Kind, Timestamp};

use super::cursor::Cursor;
use super::filter::Filter;
use super::narrow::Narrow;
use super::order::Order;
use crate::error::ApiError;
use crate::parameters::Parameters;

/// A question about the list of one kind. It is made of parameters and answered by `page`, both without a clock
/// or a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Query {
    pub(crate) kind: Kind,
    pub(crate) filter: Filter,
    pub(crate) order: Order,
    pub(crate) limit: Option<usize>,
    /// Only what comes after this.
    pub(crate) after: Option<Cursor>,
    /// The fewest networks that hold the same addresses, in place of the entries.
    pub(crate) aggregate: bool,
    /// What makes it fit a device.
    pub(crate) narrow: Narrow,
}

impl Query {
    /// The parameters that are read here, besides those of the filter.
    pub(crate) const WORDS: [&str; 4] = ["sort", "limit", "cursor", "aggregate"];

    pub(crate) fn read(kind: Kind, parameters: &Parameters, now: Timestamp) -> Result<Query, ApiError> {
        let order = Order::read(parameters.get("sort"))?;
        let limit = parameters.number("limit")?.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let after = parameters.get("cursor").map(|text| Cursor::read(text, kind, order)).transpose()?;
        let aggregate = parameters.switch("aggregate")?.unwrap_or(false);
        if aggregate && (kind != Kind::Ip || !order.is_export_order() || after.is_some()) {
            let sentence = "aggregate=1 is for addresses, in the order of their values and without a cursor";
            return Err(ApiError::BadRequest(sentence.into()));
        }
        let narrow = Narrow::read(kind, parameters)?;
        let plain = order.is_export_order() && after.is_none();
        if narrow.expands() && !plain {
            let sentence = "expand= is in the order of the values and without a cursor";
            return Err(ApiError::BadRequest(sentence.into()));
        }
        if aggregate && narrow.wants_hosts() {
            let sentence = "aggregate=1 merges networks, and hosts_only= or expand= want none: choose one";
            return Err(ApiError::BadRequest(sentence.into()));
        }
        if narrow.max.is_some() && (limit.is_some() || !plain) {
            let sentence = "max= is in the order of the values, and without limit and cursor";
            return Err(ApiError::BadRequest(sentence.into()));
        }
        Ok(Query { kind, filter: Filter::read(parameters, now)?, order, limit, after, aggregate, narrow })
    }

    /// The log index that the list must reflect for the answer to be right.
    pub(crate) fn min_index(&self) -> Option<u64> {
        self.after.as_ref().map(|cursor| cursor.index)
    }

    /// The same question about what comes after a page.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn after(self, cursor: Cursor) -> Query {
        Query { after: Some(cursor), ..self }
    }

    /// Whether each row follows from its own entry, so that a change of some entries changes their rows alone.
    pub(crate) fn is_by_row(&self) -> bool {
        let whole = self.order.is_export_order() && self.limit.is_none() && self.after.is_none();
        whole && !self.aggregate && self.narrow.is_by_row()
    }

    /// Whether others will ask the same before the list changes. Not so when the clock is part of the question:
    /// what is rendered for one moment is wrong in the next. And pages are for one client, once: they would
    /// push out the lists that every firewall polls.
    pub(crate) fn is_worth_keeping(&self) -> bool {
        !self.filter.follows_the_clock() && self.after.is_none()
    }
}
