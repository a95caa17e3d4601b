//! The format of `X-Amz-Date`: `20261123T193000Z`, always UTC.

const SECONDS_PER_DAY: u64 = 86_400;

/// Days from 0000-03-01 to 1970-01-01. Years are counted from March, so that a leap day comes last.
const DAYS_TO_1970: u64 = 719_468;

/// The last second that fits four digits of a year.
const LAST: u64 = 253_402_300_799;

/// A moment between 1970 and 9999, in both spellings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AmzDate {
    unix: u64,
    text: [u8; 16],
}

impl AmzDate {
    /// `None` after the year 9999.
    pub(super) fn from_unix(unix: u64) -> Option<Self> {
        let (days, second) = (unix / SECONDS_PER_DAY, unix % SECONDS_PER_DAY);
        let (year, month, day) = date_of(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        #[rustfmt::skip]
        let text = [
            digit(year / 1000), digit(year / 100), digit(year / 10), digit(year),
            digit(month / 10), digit(month), digit(day / 10), digit(day), b'T',
            digit(hour / 10), digit(hour), digit(minute / 10), digit(minute), digit(second / 10), digit(second), b'Z',
        ];
        (unix <= LAST).then_some(Self { unix, text })
    }

    /// Accepts the one spelling of a moment that exists.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
        let (year, month_and_day) = number(date)?.div_rem(10_000);
        let (month, day) = month_and_day.div_rem(100);
        let (hour, minute_and_second) = number(time)?.div_rem(10_000);
        let (minute, second) = minute_and_second.div_rem(100);
        if year < 1970 || !(1..=12).contains(&month) {
            return None;
        }
        let second_of_day = hour * 3600 + minute * 60 + second;
        let unix = days_since_1970(year, month, day)? * SECONDS_PER_DAY + second_of_day;
        // A 31st of April or a 25th hour became another moment, with another spelling.
        Self::from_unix(unix).filter(|date| date.as_str() == text)
    }

    pub(super) fn as_str(&self) -> &str {
        str::from_utf8(&self.text).unwrap_or_default()
    }

    /// `20261123`.
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

trait DivRem: Sized {
    fn div_rem(self, by: Self) -> (Self, Self);
}

impl DivRem for u64 {
    fn div_rem(self, by: Self) -> (Self, Self) {
        (self / by, self % by)
    }
}

/// Up to eight decimal digits and nothing else.
fn number(text: &str) -> Option<u64> {
    let plain = text.len() <= 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

fn digit(number: u64) -> u8 {
    // A remainder of ten always fits.
    b'0' + u8::try_from(number % 10).unwrap_or_default()
}

/// Year, month and day of the Gregorian calendar.
fn date_of(days_since_1970: u64) -> (u64, u64, u64) {
    let days = days_since_1970 + DAYS_TO_1970;
    let (era, day_of_era) = days.div_rem(146_097);
    // Take the leap days out before dividing: one in 4 years, none in 100, one in 400.
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // From March on, five months have 153 days.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let january_or_february = month_from_march >= 10;
    let month = if january_or_february { month_from_march - 9 } else { month_from_march + 3 };
    (400 * era + year_of_era + u64::from(january_or_february), month, day)
}

/// The inverse of [`date_of`]. `None` before 1970 and for a day zero.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let january_or_february = month <= 2;
    let year = year.checked_sub(u64::from(january_or_february))?;
    let month_from_march = if january_or_february { month + 9 } else { month.checked_sub(3)? };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month_from_march + 2) / 5;
    (days + day).checked_sub(DAYS_TO_1970 + 1)
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
            (LAST, "99991231T235959Z"),
        ] {
            assert_eq!(AmzDate::from_unix(unix).unwrap().as_str(), text);
            assert_eq!(AmzDate::parse(text).unwrap().unix(), unix);
        }
        assert_eq!(AmzDate::from_unix(LAST + 1), None);
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

    proptest! {
        #[test]
        fn parse_inverts_format(unix in 0..=LAST) {
            let date = AmzDate::from_unix(unix).unwrap();
            prop_assert_eq!(AmzDate::parse(date.as_str()), Some(date));
        }

        #[test]
        fn days_follow_one_another(day in 0..2_900_000_u64) {
            let (year, month, of_month) = date_of(day);
            prop_assert_eq!(days_since_1970(year, month, of_month), Some(day));
            prop_assert!(date_of(day) < date_of(day + 1));
        }
    }
}
