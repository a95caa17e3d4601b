//! Which part of an object a `Range` header asks for (RFC 9110, section 14).

/// What to answer about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The whole: no range, or one that may be ignored.
    Whole,
    /// The bytes from `first` to `last`, both included.
    Bytes {
        /// Position of the first byte.
        first: u64,
        /// Position of the last byte, below the object's length.
        last: u64,
    },
    /// A range in which the object has no byte.
    Unsatisfiable,
}

impl Part {
    /// Reads the header for an object of `length` bytes. One range of bytes is understood; anything else, several
    /// ranges too, is ignored, as a server may.
    pub(crate) fn asked(range: Option<&str>, length: u64) -> Self {
        range.and_then(spec).map_or(Self::Whole, |(first, last)| resolve(first, last, length))
    }
}

/// `bytes=a-b`, `bytes=a-` or `bytes=-n`, as the two texts around the hyphen; at least one of them is a number.
fn spec(range: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, spec) = range.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = spec.trim().split_once('-')?;
    match (first, last) {
        ("", last) => Some((None, Some(number(last)?))),
        (first, "") => Some((Some(number(first)?), None)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some((Some(first), Some(last)))
        }
    }
}

/// Digits. A number that is too large for us is larger than any object.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

fn resolve(first: Option<u64>, last: Option<u64>, length: u64) -> Part {
    let Some(end) = length.checked_sub(1) else { return Part::Unsatisfiable };
    match (first, last) {
        (Some(first), last) if first <= end => {
            Part::Bytes { first, last: last.map_or(end, |last| last.min(end)) }
        }
        (None, Some(count)) if count > 0 => Part::Bytes { first: length.saturating_sub(count), last: end },
        _ => Part::Unsatisfiable,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Part::*, *};

    fn asked(range: &str) -> Part {
        Part::asked(Some(range), 100)
    }

    #[test]
    fn one_range_of_bytes_is_understood() {
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
            assert_eq!(asked(range), Bytes { first, last }, "{range}");
        }
    }

    #[test]
    fn a_range_behind_the_end_is_unsatisfiable() {
        for range in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999999-"] {
            assert_eq!(asked(range), Unsatisfiable, "{range}");
        }
        for range in ["bytes=0-", "bytes=-5"] {
            assert_eq!(Part::asked(Some(range), 0), Unsatisfiable, "an empty object has no byte");
        }
    }

    #[test]
    fn anything_else_is_ignored() {
        assert_eq!(Part::asked(None, 100), Whole);
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
            assert_eq!(asked(range), Whole, "{range}");
        }
    }

    proptest! {
        #[test]
        fn a_part_lies_in_the_object(range in "bytes=[0-9]{0,21}-[0-9]{0,21}", length in any::<u64>()) {
            if let Bytes { first, last } = Part::asked(Some(&range), length) {
                prop_assert!(first <= last && last < length);
            }
        }
    }
}
