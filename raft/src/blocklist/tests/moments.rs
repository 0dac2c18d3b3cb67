//! How moments are read and shown.

use proptest::prelude::{prop_assert_eq, proptest};

use crate::blocklist::Timestamp;

#[track_caller]
fn reads(text: &str, millis: i64, shown: &str) {
    let moment = Timestamp::parse(text).unwrap();
    assert_eq!((moment, moment.to_string().as_str()), (Timestamp(millis), shown));
}

#[test]
fn moments_are_read_as_sensors_send_them() {
    for (text, millis, shown) in [
        ("2021-07-03 06:11:13", 1_625_292_673_000, "2021-07-03 06:11:13"), // the talk's form
        ("2021-07-03T06:11:13Z", 1_625_292_673_000, "2021-07-03 06:11:13"), // RFC 3339
        ("2021-07-03T08:11:13.25+02:00", 1_625_292_673_250, "2021-07-03 06:11:13"), // with an offset
        ("1625292673", 1_625_292_673_000, "2021-07-03 06:11:13"),          // epoch
        ("1795499882.0", 1_795_499_882_000, "2026-11-24 05:58:02"),        // fail2ban's float
        ("1625292673.9999", 1_625_292_673_999, "2021-07-03 06:11:13"),     // cut, not rounded up
        ("1625292673.5", 1_625_292_673_500, "2021-07-03 06:11:13"),
        ("0", 0, "1970-01-01 00:00:00"),
        ("253402300799", 253_402_300_799_000, "9999-12-31 23:59:59"), // the last second
        (" 2000-02-29 00:00:00 ", 951_782_400_000, "2000-02-29 00:00:00"), // a leap day
    ] {
        reads(text, millis, shown);
    }
}

#[test]
fn what_is_no_moment_is_refused() {
    for text in [
        "",
        "yesterday",
        "-1",                   // before the epoch
        "1969-12-31 23:59:59",  // before the epoch
        "253402300800",         // the year 10000
        "1625292673000",        // epoch milliseconds are not seconds
        "99999999999999999999", // more than an integer holds
        "1e9",
        "NaN",
        "inf",
        ".5",
        "2021-02-29 00:00:00", // no leap year
        "2021-07-03",          // a day is no moment
        "2021-07-03 06:11",
    ] {
        assert_eq!(Timestamp::parse(text), None, "{text}");
    }
}

#[test]
fn a_moment_without_a_text_shows_as_the_nearest_that_has_one() {
    assert_eq!(Timestamp(i64::MIN).to_string(), "1970-01-01 00:00:00");
    assert_eq!(Timestamp(i64::MAX).to_string(), "9999-12-31 23:59:59");
    assert_eq!(Timestamp(0).plus_seconds(i64::MAX), Timestamp(i64::MAX));
}

proptest! {
    #[test]
    fn whole_seconds_are_read_back_as_shown(second in 0..=253_402_300_799i64) {
        let moment = Timestamp(second * 1000);
        prop_assert_eq!(Timestamp::parse(&moment.to_string()), Some(moment));
    }
}
