//! Conditional requests: RFC 9110, section 13.

use http::{HeaderMap, HeaderName, header};
use s3s::dto::{Timestamp, TimestampFormat};
use time::OffsetDateTime;

/// What the client knows or expects, from its headers.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    /// `If-Match`.
    expected_tags: Option<String>,
    /// `If-None-Match`.
    known_tags: Option<String>,
    /// `If-Unmodified-Since`, in seconds since the Unix epoch.
    expected_since: Option<i64>,
    /// `If-Modified-Since`, likewise.
    known_since: Option<i64>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Send,
    NotModified,
    Failed,
}

impl Conditions {
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            expected_tags: text(header::IF_MATCH).map(str::to_owned),
            known_tags: text(header::IF_NONE_MATCH).map(str::to_owned),
            known_since: text(header::IF_MODIFIED_SINCE).and_then(seconds),
            expected_since: text(header::IF_UNMODIFIED_SINCE).and_then(seconds),
        }
    }

    /// For an object with this entity tag (no quotes), last modified at this second.
    ///
    /// A tag says more than a date: where one is given, the date of the same kind is not looked at.
    pub(crate) fn check(&self, etag: &str, modified: i64) -> Verdict {
        let as_expected = match (&self.expected_tags, self.expected_since) {
            (Some(tags), _) => names(tags, etag),
            (None, Some(since)) => modified <= since,
            (None, None) => true,
        };
        let known = match (&self.known_tags, self.known_since) {
            (Some(tags), _) => names(tags, etag),
            (None, Some(since)) => modified <= since,
            (None, None) => false,
        };
        match (as_expected, known) {
            (false, _) => Verdict::Failed,
            (true, true) => Verdict::NotModified,
            (true, false) => Verdict::Send,
        }
    }
}

/// Whether a range may be sent, as far as `If-Range` is concerned: RFC 9110, section 13.1.5. Without a strong match
/// the client has another version, and a part of this one would not fit it.
pub(crate) fn range_holds(headers: &HeaderMap, etag: &str, modified: i64) -> bool {
    let Some(value) = headers.get(header::IF_RANGE) else { return true };
    let Ok(value) = value.to_str() else { return false };
    match value.strip_prefix('"') {
        Some(tag) => tag.strip_suffix('"') == Some(etag),
        None => seconds(value) == Some(modified),
    }
}

/// Whether a list of entity tags, or `*`, covers this one.
pub(crate) fn names(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || tag.trim_matches('"') == etag
    })
}

/// An HTTP date in seconds since the Unix epoch; RFC 9110 ignores what is not a date.
fn seconds(date: &str) -> Option<i64> {
    let date = Timestamp::parse(TimestampFormat::HttpDate, date).ok()?;
    Some(OffsetDateTime::from(date).unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(headers: &[(HeaderName, &str)]) -> Verdict {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        Conditions::from_headers(&headers).check("abc", 1_000)
    }

    #[test]
    fn tags() {
        assert_eq!(verdict(&[]), Verdict::Send);
        assert_eq!(verdict(&[(header::IF_MATCH, "\"abc\"")]), Verdict::Send);
        assert_eq!(verdict(&[(header::IF_MATCH, "\"xyz\"")]), Verdict::Failed);
        assert_eq!(verdict(&[(header::IF_NONE_MATCH, "\"x\", W/\"abc\"")]), Verdict::NotModified);
        assert_eq!(verdict(&[(header::IF_NONE_MATCH, "*")]), Verdict::NotModified);
        assert_eq!(verdict(&[(header::IF_NONE_MATCH, "\"x\"")]), Verdict::Send);
    }

    #[test]
    fn dates() {
        let (at, before) = ("Thu, 01 Jan 1970 00:16:40 GMT", "Thu, 01 Jan 1970 00:16:39 GMT");
        assert_eq!(verdict(&[(header::IF_MODIFIED_SINCE, at)]), Verdict::NotModified);
        assert_eq!(verdict(&[(header::IF_MODIFIED_SINCE, before)]), Verdict::Send);
        assert_eq!(verdict(&[(header::IF_UNMODIFIED_SINCE, at)]), Verdict::Send);
        assert_eq!(verdict(&[(header::IF_UNMODIFIED_SINCE, before)]), Verdict::Failed);
        assert_eq!(verdict(&[(header::IF_MODIFIED_SINCE, "yesterday")]), Verdict::Send);
    }

    #[test]
    fn a_tag_overrules_a_date() {
        let at = "Thu, 01 Jan 1970 00:16:40 GMT";
        assert_eq!(
            verdict(&[(header::IF_NONE_MATCH, "\"x\""), (header::IF_MODIFIED_SINCE, at)]),
            Verdict::Send
        );
    }
}
