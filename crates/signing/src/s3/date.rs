//! The format of `X-Amz-Date`: `20261123T193000Z`, always UTC.

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

const SECONDS_PER_DAY: u64 = 86_400;

/// The last second of the year 9999, the last one that the format can hold.
const MAX_UNIX_SECONDS: u64 = 253_402_300_799;

/// A time between 1970 and 9999, in Unix seconds and as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AmzDate {
    unix: u64,
    text: [u8; 16],
}

impl AmzDate {
    /// `None` after the year 9999.
    pub(super) fn from_unix(unix: u64) -> Option<Self> {
        if unix > MAX_UNIX_SECONDS {
            return None;
        }
        let time = OffsetDateTime::from_unix_timestamp(i64::try_from(unix).ok()?).ok()?;
        let (year, month, day) = time.to_calendar_date();
        let year = u16::try_from(year).ok()?;
        let (hour, minute, second) = time.to_hms();
        // Not by `time`'s formatter, which takes four times as long as this whole function.
        let [y1, y2] = two_digits(u8::try_from(year / 100).ok()?);
        let [y3, y4] = two_digits(u8::try_from(year % 100).ok()?);
        let ([m1, m2], [d1, d2]) = (two_digits(month.into()), two_digits(day));
        let ([h1, h2], [n1, n2], [s1, s2]) = (two_digits(hour), two_digits(minute), two_digits(second));
        let text = [y1, y2, y3, y4, m1, m2, d1, d2, b'T', h1, h2, n1, n2, s1, s2, b'Z'];
        Some(Self { unix, text })
    }

    /// Parses exactly `YYYYMMDDTHHMMSSZ`. `None` if the time does not exist, also for a leap second.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 16] = text.as_bytes().try_into().ok()?;
        let [y1, y2, y3, y4, m1, m2, d1, d2, b'T', h1, h2, n1, n2, s1, s2, b'Z'] = bytes else { return None };
        let year = i32::from(parse_digits([y1, y2])?) * 100 + i32::from(parse_digits([y3, y4])?);
        let month = Month::try_from(parse_digits([m1, m2])?).ok()?;
        let date = Date::from_calendar_date(year, month, parse_digits([d1, d2])?).ok()?;
        let (hour, minute) = (parse_digits([h1, h2])?, parse_digits([n1, n2])?);
        let time = Time::from_hms(hour, minute, parse_digits([s1, s2])?).ok()?;
        let unix = PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp();
        // The conversion fails before 1970.
        Some(Self { unix: u64::try_from(unix).ok()?, text: bytes })
    }

    pub(super) fn as_str(&self) -> &str {
        str::from_utf8(&self.text).unwrap_or_default()
    }

    /// The date alone: `20261123`.
    pub(super) fn day(&self) -> &str {
        self.as_str().split_at_checked(8).map_or("", |(day, _)| day)
    }

    pub(super) fn unix(&self) -> u64 {
        self.unix
    }

    pub(super) fn days_since_1970(&self) -> u64 {
        self.unix / SECONDS_PER_DAY
    }
}

/// The last two decimal digits of `number`.
fn two_digits(number: u8) -> [u8; 2] {
    [b'0' + number / 10 % 10, b'0' + number % 10]
}

/// Parses two decimal digits. `str::parse` would accept `+1`.
fn parse_digits(digits: [u8; 2]) -> Option<u8> {
    let [tens, ones] = digits;
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| (tens - b'0') * 10 + (ones - b'0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formats_and_parses_known_times() {
        for (unix, text) in [
            (0, "19700101T000000Z"),
            (951_782_400, "20000229T000000Z"),
            (1_369_353_600, "20130524T000000Z"),
            (1_709_251_199, "20240229T235959Z"),
            (1_795_462_200, "20261123T193000Z"),
            (4_107_542_400, "21000301T000000Z"),
            (MAX_UNIX_SECONDS, "99991231T235959Z"),
        ] {
            assert_eq!(AmzDate::from_unix(unix).unwrap().as_str(), text);
            assert_eq!(AmzDate::parse(text).unwrap().unix(), unix);
        }
        assert_eq!(AmzDate::from_unix(MAX_UNIX_SECONDS + 1), None);
        assert_eq!(AmzDate::from_unix(u64::MAX), None);
    }

    #[test]
    fn rejects_times_that_do_not_exist() {
        for text in [
            "",
            "20261123",
            "20261123T193000",
            "20261123t193000z",
            "2026-11-23T19:30:00Z",
            "20260431T000000Z",
            "20230229T000000Z",
            "20260001T000000Z",
            "20261301T000000Z",
            "20260100T000000Z",
            "20261123T240000Z",
            "20261123T196000Z",
            "20261123T193060Z",
            "19691231T235959Z",
            "+2026123T193000Z",
            "020261123T193000Z",
            "20261123T0193000Z",
            "99999999T999999Z",
        ] {
            assert_eq!(AmzDate::parse(text), None, "{text}");
        }
    }

    /// By the rule and not by `time`. Zero for a month that does not exist.
    fn days_in_month(year: u64, month: u64) -> u64 {
        let is_leap_year = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if is_leap_year => 29,
            2 => 28,
            _ => 0,
        }
    }

    proptest! {
        #[test]
        fn parse_inverts_format(unix in 0..=MAX_UNIX_SECONDS) {
            let date = AmzDate::from_unix(unix).unwrap();
            prop_assert_eq!(AmzDate::parse(date.as_str()), Some(date));
        }

        #[test]
        fn later_times_have_later_texts(unix in 0..MAX_UNIX_SECONDS) {
            let (date, next) = (AmzDate::from_unix(unix).unwrap(), AmzDate::from_unix(unix + 1).unwrap());
            prop_assert!(date.as_str() < next.as_str());
        }

        #[test]
        fn accepts_exactly_the_times_that_exist(
            (year, month, day) in (0..=9999_u64, 0..=13_u64, 0..=32_u64),
            (hour, minute, second) in (0..=24_u64, 0..=60_u64, 0..=60_u64),
        ) {
            let text = format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z");
            let exists = year >= 1970 && (1..=days_in_month(year, month)).contains(&day);
            let parsed = AmzDate::parse(&text);
            prop_assert_eq!(parsed.is_some(), exists && hour < 24 && minute < 60 && second < 60, "{}", text);
            if let Some(date) = parsed {
                prop_assert_eq!(AmzDate::from_unix(date.unix()), Some(date));
            }
        }
    }
}
