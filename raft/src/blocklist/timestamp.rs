//! A moment, in milliseconds since 1970 UTC. It enters with a command; nothing here reads a clock.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// The talk's form.
const TALK: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

/// Milliseconds since the Unix epoch. `Display` is the talk's form, `2021-07-03 06:11:13` (UTC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The last moment that has a text: the end of the year 9999.
    pub const MAX: Timestamp = Timestamp(253_402_300_799_999);

    /// Parses RFC 3339, the talk's form, or epoch seconds (floats too), as sensors send them. Nothing before
    /// 1970 or after `MAX`: epoch milliseconds are no seconds, and are refused rather than misread.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let text = text.trim();
        let millis = parse_epoch(text).or_else(|| {
            let moment = OffsetDateTime::parse(text, &Rfc3339)
                .or_else(|_| PrimitiveDateTime::parse(text, TALK).map(PrimitiveDateTime::assume_utc))
                .ok()?;
            i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
        })?;
        (0..=Timestamp::MAX.0).contains(&millis).then_some(Timestamp(millis))
    }

    /// This moment moved by so many seconds; saturates.
    pub fn plus_seconds(self, seconds: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(seconds.saturating_mul(1000)))
    }
}

/// Epoch seconds to milliseconds, digit by digit: a float of 64 bits would do, an exact reading is as short.
fn parse_epoch(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|digit| digit.is_ascii_digit());
    if seconds.is_empty() || !digits(seconds) || !digits(fraction) {
        return None;
    }
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    seconds.parse::<i64>().ok()?.checked_mul(1000)?.checked_add(millis.parse().ok()?)
}

/// A moment without a text shows as the nearest one that has one.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.clamp(0, Timestamp::MAX.0) / 1000;
        let moment = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| fmt::Error)?;
        let (date, time) = (moment.date(), moment.time());
        // Every row of an answer has two of them: digits by hand take a tenth of what `write!` does.
        let mut text = *b"0000-00-00 00:00:00";
        let parts = [
            (0..4, date.year().unsigned_abs()),
            (5..7, u8::from(date.month()).into()),
            (8..10, date.day().into()),
            (11..13, time.hour().into()),
            (14..16, time.minute().into()),
            (17..19, time.second().into()),
        ];
        for (place, mut number) in parts {
            for digit in text[place].iter_mut().rev() {
                *digit += (number % 10) as u8;
                number /= 10;
            }
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}
