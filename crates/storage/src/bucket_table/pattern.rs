//! Names of buckets, and patterns of names.

use signing::s3::Bucket;

/// The least number of characters of a pattern beside its `*`. With fewer, an entry would be for nearly every bucket.
const MIN_PATTERN_CHARS: usize = 3;

/// The buckets of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BucketPattern {
    Exact(Bucket),
    /// All names that begin and end so.
    Wildcard {
        start: String,
        end: String,
    },
}

impl BucketPattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let malformed = || "bucket: expected a bucket's name, or a pattern with one `*`".to_owned();
        let Some((start, end)) = text.split_once('*') else {
            return Bucket::new(text).map(Self::Exact).map_err(|_| malformed());
        };
        let is_allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
        if !start.bytes().chain(end.bytes()).all(is_allowed) {
            return Err(malformed());
        }
        if start.len() + end.len() < MIN_PATTERN_CHARS {
            return Err(format!(
                "bucket: a pattern needs at least {MIN_PATTERN_CHARS} characters beside its `*`"
            ));
        }
        Ok(Self::Wildcard { start: start.to_owned(), end: end.to_owned() })
    }

    /// Whether the whole name matches. The `*` stands for any text, also for none.
    pub(super) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(bucket) => bucket.as_str() == name,
            // The two may not overlap.
            Self::Wildcard { start, end } => {
                name.strip_prefix(start.as_str()).is_some_and(|rest| rest.ends_with(end.as_str()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_names() {
        for (pattern, name, expected) in [
            ("published-*", "published-1", true),
            ("published-*", "published-", true),
            ("published-*", "my-published-1", false),
            ("*-use1", "files-use1", true),
            ("*-use1", "files-use1-copy", false),
            ("pub*-use1", "pub-x-use1", true),
            ("abc*cde", "abcde", false),
            ("abc*cde", "abccde", true),
            ("a.b*", "a-b1", false),
            ("exact", "exact", true),
            ("exact", "exactly", false),
        ] {
            assert_eq!(BucketPattern::parse(pattern).unwrap().matches(name), expected, "{pattern} {name}");
        }
    }
}
