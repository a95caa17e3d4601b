//! Parses the `Range` header (RFC 9110, section 14).

/// The part of an object that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestedRange {
    /// The whole object: there is no range, or one that a server may ignore.
    Whole,
    /// The bytes from `first` to `last`, inclusive.
    Bytes {
        /// Position of the first byte.
        first: u64,
        /// Position of the last byte, below the object's length.
        last: u64,
    },
    /// A range without any byte of the object.
    Unsatisfiable,
}

impl RequestedRange {
    /// Parses the header's value for an object of `length` bytes. Only a single range of bytes is supported. Anything
    /// else, several ranges included, is ignored, which section 14.2 allows.
    pub(crate) fn from_header(range: Option<&str>, length: u64) -> Self {
        range
            .and_then(parse_range_spec)
            .map_or(Self::Whole, |(first, last)| Self::from_positions(first, last, length))
    }

    fn from_positions(first: Option<u64>, last: Option<u64>, length: u64) -> Self {
        let Some(end) = length.checked_sub(1) else { return Self::Unsatisfiable };
        match (first, last) {
            (Some(first), last) if first <= end => {
                Self::Bytes { first, last: last.map_or(end, |last| last.min(end)) }
            }
            // `bytes=-n`: the last n bytes.
            (None, Some(count)) if count > 0 => {
                Self::Bytes { first: length.saturating_sub(count), last: end }
            }
            _ => Self::Unsatisfiable,
        }
    }
}

/// Parses `bytes=a-b`, `bytes=a-` or `bytes=-n` into the numbers before and after the hyphen. At least one is present.
fn parse_range_spec(range: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, spec) = range.split_once('=')?;
    // Range units are case-insensitive (RFC 9110, section 14.1).
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = spec.trim().split_once('-')?;
    match (first, last) {
        ("", last) => Some((None, Some(parse_position(last)?))),
        (first, "") => Some((Some(parse_position(first)?), None)),
        (first, last) => {
            let (first, last) = (parse_position(first)?, parse_position(last)?);
            // Section 14.1.1: a range that ends before it begins is invalid, and an invalid range is ignored.
            (first <= last).then_some((Some(first), Some(last)))
        }
    }
}

/// Parses digits. A number beyond 64 bits counts as the largest one: no object is that long.
fn parse_position(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{RequestedRange::*, *};

    fn parse_header(range: &str) -> RequestedRange {
        RequestedRange::from_header(Some(range), 100)
    }

    #[test]
    fn parses_a_single_range() {
        for (range, first, last) in [
            ("bytes=0-", 0, 99),
            ("bytes=0-0", 0, 0),
            ("bytes=10-19", 10, 19),
            ("bytes=99-", 99, 99),
            ("bytes=50-1000", 50, 99),
            ("bytes=0-99999999999999999999999999", 0, 99),
            ("bytes=-1", 99, 99),
            ("bytes=-1000", 0, 99),
            ("Bytes= 5-6 ", 5, 6),
        ] {
            assert_eq!(parse_header(range), Bytes { first, last }, "{range}");
        }
    }

    #[test]
    fn a_range_beyond_the_end_is_unsatisfiable() {
        for range in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999999-"] {
            assert_eq!(parse_header(range), Unsatisfiable, "{range}");
        }
        for range in ["bytes=0-", "bytes=-5"] {
            assert_eq!(
                RequestedRange::from_header(Some(range), 0),
                Unsatisfiable,
                "an empty object has no byte"
            );
        }
    }

    #[test]
    fn ignores_anything_else() {
        assert_eq!(RequestedRange::from_header(None, 100), Whole);
        for range in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-4",
            "bytes=0-1,3-4",
            "items=0-1",
            "bytes=+1-2",
            "bytes=1-2-3",
        ] {
            assert_eq!(parse_header(range), Whole, "{range}");
        }
    }

    proptest! {
        #[test]
        fn a_range_lies_in_the_object(range in "bytes=[0-9]{0,21}-[0-9]{0,21}", length in any::<u64>()) {
            if let Bytes { first, last } = RequestedRange::from_header(Some(&range), length) {
                prop_assert!(first <= last && last < length);
            }
        }
    }
}
