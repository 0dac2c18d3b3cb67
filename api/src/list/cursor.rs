//! Where a page of a list ended. A cursor goes by what never changes of an entry while it is listed, so that
//! pages neither repeat nor drop one, whatever happens to others; and it holds all that is needed, so that any
//! node can go on. The client sees an opaque text.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use raft::blocklist::{Kind, Observable};

use super::order::{Order, Place};
use crate::error::ApiError;

/// The first word of the text within; another layout takes another one.
const VERSION: &str = "1";

/// The last row of a page.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cursor {
    /// The order of the pages.
    pub(crate) order: Order,
    /// The log index that a node must have applied to go on: one that is further behind may not know all that
    /// was listed when the paging began.
    pub(crate) index: u64,
    rank: i64,
    value: Observable,
}

impl Cursor {
    pub(crate) fn new(order: Order, index: u64, (rank, value): Place<'_>) -> Cursor {
        Cursor { order, index, rank, value: value.clone() }
    }

    pub(crate) fn place(&self) -> Place<'_> {
        (self.rank, &self.value)
    }

    /// The same place; a node needs no more than this index to go on from it.
    pub(crate) fn not_beyond(self, index: u64) -> Cursor {
        Cursor { index: self.index.min(index), ..self }
    }

    /// The opaque text.
    pub(crate) fn encode(&self) -> String {
        let Cursor { order, index, rank, value } = self;
        let kind = value.kind();
        // The value comes last: a user name may hold spaces.
        URL_SAFE_NO_PAD.encode(format!("{VERSION} {kind} {} {index} {rank} {value}", order.word()))
    }

    /// Reads `cursor=` of a request for a list of this kind in this order.
    pub(crate) fn read(text: &str, kind: Kind, order: Order) -> Result<Cursor, ApiError> {
        if !order.is_lasting() {
            return Err(ApiError::BadRequest(format!(
                "sort `{}` has no pages: an entry that is sighted between two of them changes its place, and \
                 would be repeated or missed; take pages by value or time_added, or the first ones with limit \
                 alone",
                order.word()
            )));
        }
        let unreadable = || ApiError::BadRequest(format!("cursor `{text}` is not one that a node gave out"));
        let cursor = Cursor::decode(text).ok_or_else(unreadable)?;
        let of_another = |what: &str, its: &str, asked: &str| {
            ApiError::BadRequest(format!(
                "cursor `{text}` belongs to the {what} `{its}`, and `{asked}` was asked for; go on with the \
                 same query"
            ))
        };
        let its_kind = cursor.value.kind();
        if its_kind != kind {
            return Err(of_another("kind", its_kind.name(), kind.name()));
        }
        if cursor.order != order {
            return Err(of_another("sort", &cursor.order.word(), &order.word()));
        }
        Ok(cursor)
    }

    fn decode(text: &str) -> Option<Cursor> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let parts: Vec<&str> = text.splitn(6, ' ').collect();
        let &[VERSION, kind, order, index, rank, value] = parts.as_slice() else { return None };
        let value = Observable::parse(kind.parse().ok()?, value).ok()?;
        let order = Order::parse(order)?;
        Some(Cursor { order, index: index.parse().ok()?, rank: rank.parse().ok()?, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(word: &str) -> Order {
        Order::read(Some(word)).unwrap()
    }

    #[test]
    fn a_cursor_is_read_back_as_it_was() {
        let rows = [
            (Kind::Ip, "192.0.2.1", "value", 0),
            (Kind::Ip, "198.51.100.0/25", "-value", 0),
            (Kind::Ip, "2001:db8::/32", "time_added", 1_795_499_882_500),
            (Kind::Domain, "xn--bcher-kva.example", "-time_added", -1),
            (Kind::Url, "https://example.org/a?b=c+d&e=%20#f", "value", 0),
            (Kind::Hash, "d41d8cd98f00b204e9800998ecf8427e", "value", i64::MAX),
            (Kind::Email, "a.b+c@example.org", "value", i64::MIN),
            (Kind::Username, "two words é", "value", 0),
        ];
        for (kind, value, word, rank) in rows {
            let value = Observable::parse(kind, value).unwrap();
            let cursor = Cursor::new(order(word), u64::MAX, (rank, &value));
            let text = cursor.encode();
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            assert!(text.bytes().all(plain), "{text} needs no care in a URL or a header");
            assert_eq!(Cursor::read(&text, kind, order(word)).unwrap(), cursor, "{value}");
        }
    }

    #[test]
    fn a_cursor_that_does_not_fit_is_refused_with_the_reason() {
        let good = "1 ip value 7 0 192.0.2.1";
        let unreadable = "is not one that a node gave out";
        let rows = [
            ("2 ip value 7 0 192.0.2.1", "value", unreadable),
            ("1 ip value 7 0", "value", unreadable),
            ("1 ip value 7 0 ", "value", unreadable),
            ("1 ip value 7 0 10.0.0.300", "value", unreadable),
            ("1 ip value 7 x 192.0.2.1", "value", unreadable),
            ("1 ip value -7 0 192.0.2.1", "value", unreadable),
            ("1 ip comment 7 0 192.0.2.1", "value", unreadable),
            ("1 address value 7 0 192.0.2.1", "value", unreadable),
            ("1  ip value 7 0 192.0.2.1", "value", unreadable),
            ("", "value", unreadable),
            (
                "1 domain value 7 0 example.org",
                "value",
                "belongs to the kind `domain`, and `ip` was asked for",
            ),
            (good, "-value", "belongs to the sort `value`, and `-value` was asked for"),
            (good, "time_added", "belongs to the sort `value`, and `time_added` was asked for"),
            (good, "sighting", "sort `sighting` has no pages"),
            (good, "-time_updated", "sort `-time_updated` has no pages"),
            ("1 ip sighting 7 0 192.0.2.1", "value", "belongs to the sort `sighting`"),
        ];
        let read = |text: &str, word: &str| Cursor::read(text, Kind::Ip, order(word));
        for (text, word, expected) in rows {
            let error = read(&URL_SAFE_NO_PAD.encode(text), word).unwrap_err();
            assert!(matches!(error, ApiError::BadRequest(_)), "{text}: {error:?}");
            assert!(error.message().contains(expected), "{text}: {error:?}");
        }
        for text in ["?", "MQ=", "_w", "192.0.2.1", " "] {
            assert!(read(text, "value").unwrap_err().message().contains(unreadable), "{text}");
        }
        assert!(read(&URL_SAFE_NO_PAD.encode(good), "value").is_ok());
    }
}
