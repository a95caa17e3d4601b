//! Conditional requests: RFC 9110, section 13.

use http::{HeaderMap, HeaderName, header};
use s3s::dto::{Timestamp, TimestampFormat};
use time::OffsetDateTime;

/// The conditional headers of a request. Dates are in seconds since the Unix epoch.
#[derive(Debug, Default)]
#[expect(clippy::struct_field_names, reason = "the names of the headers")]
pub(crate) struct Conditions {
    if_match: Option<String>,
    if_none_match: Option<String>,
    if_unmodified_since: Option<i64>,
    if_modified_since: Option<i64>,
}

/// The result of [`Conditions::evaluate`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Precondition {
    Passed,
    NotModified,
    Failed,
}

impl Conditions {
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            if_match: text(header::IF_MATCH).map(str::to_owned),
            if_none_match: text(header::IF_NONE_MATCH).map(str::to_owned),
            if_unmodified_since: text(header::IF_UNMODIFIED_SINCE).and_then(parse_http_date),
            if_modified_since: text(header::IF_MODIFIED_SINCE).and_then(parse_http_date),
        }
    }

    /// Evaluates the conditions for an entity tag (without quotes) and a modification time in seconds.
    pub(crate) fn evaluate(&self, etag: &str, modified: i64) -> Precondition {
        // RFC 9110, section 13.2.2: with a tag, the date of the same kind is ignored.
        let is_expected = match (&self.if_match, self.if_unmodified_since) {
            (Some(tags), _) => matches_etag(tags, etag),
            (None, Some(since)) => modified <= since,
            (None, None) => true,
        };
        let is_known = match (&self.if_none_match, self.if_modified_since) {
            (Some(tags), _) => matches_etag(tags, etag),
            (None, Some(since)) => modified <= since,
            (None, None) => false,
        };
        match (is_expected, is_known) {
            (false, _) => Precondition::Failed,
            (true, true) => Precondition::NotModified,
            (true, false) => Precondition::Passed,
        }
    }
}

/// Whether `If-Range` allows a partial response: RFC 9110, section 13.1.5. Without a strong match the client has another
/// version, and a part of this one would not fit.
pub(crate) fn matches_if_range(headers: &HeaderMap, etag: &str, modified: i64) -> bool {
    let Some(value) = headers.get(header::IF_RANGE) else { return true };
    let Ok(value) = value.to_str() else { return false };
    match value.strip_prefix('"') {
        Some(tag) => tag.strip_suffix('"') == Some(etag),
        None => parse_http_date(value) == Some(modified),
    }
}

/// Whether a list of entity tags, or `*`, contains this tag.
pub(crate) fn matches_etag(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| {
        // All tags of the store are strong, so a weak one can be compared like a strong one.
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || tag.trim_matches('"') == etag
    })
}

/// An HTTP date in seconds since the Unix epoch. RFC 9110 tells servers to ignore an invalid date.
fn parse_http_date(date: &str) -> Option<i64> {
    let date = Timestamp::parse(TimestampFormat::HttpDate, date).ok()?;
    Some(OffsetDateTime::from(date).unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluate(headers: &[(HeaderName, &str)]) -> Precondition {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        Conditions::from_headers(&headers).evaluate("abc", 1_000)
    }

    #[test]
    fn evaluates_tags() {
        assert_eq!(evaluate(&[]), Precondition::Passed);
        assert_eq!(evaluate(&[(header::IF_MATCH, "\"abc\"")]), Precondition::Passed);
        assert_eq!(evaluate(&[(header::IF_MATCH, "\"xyz\"")]), Precondition::Failed);
        assert_eq!(evaluate(&[(header::IF_NONE_MATCH, "\"x\", W/\"abc\"")]), Precondition::NotModified);
        assert_eq!(evaluate(&[(header::IF_NONE_MATCH, "*")]), Precondition::NotModified);
        assert_eq!(evaluate(&[(header::IF_NONE_MATCH, "\"x\"")]), Precondition::Passed);
    }

    #[test]
    fn evaluates_dates() {
        let (at, before) = ("Thu, 01 Jan 1970 00:16:40 GMT", "Thu, 01 Jan 1970 00:16:39 GMT");
        assert_eq!(evaluate(&[(header::IF_MODIFIED_SINCE, at)]), Precondition::NotModified);
        assert_eq!(evaluate(&[(header::IF_MODIFIED_SINCE, before)]), Precondition::Passed);
        assert_eq!(evaluate(&[(header::IF_UNMODIFIED_SINCE, at)]), Precondition::Passed);
        assert_eq!(evaluate(&[(header::IF_UNMODIFIED_SINCE, before)]), Precondition::Failed);
        assert_eq!(evaluate(&[(header::IF_MODIFIED_SINCE, "yesterday")]), Precondition::Passed);
    }

    #[test]
    fn a_tag_takes_precedence_over_a_date() {
        let at = "Thu, 01 Jan 1970 00:16:40 GMT";
        let headers = [(header::IF_NONE_MATCH, "\"x\""), (header::IF_MODIFIED_SINCE, at)];
        assert_eq!(evaluate(&headers), Precondition::Passed);
    }
}
