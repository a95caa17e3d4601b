//! Conditional requests: `If-Match` and the like (RFC 9110, section 13). S3 evaluates them in the same way.

use std::time::SystemTime;

use http::{HeaderMap, HeaderName, header};

/// The result of [`Validators::evaluate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precondition {
    Passed,
    /// 304: the client has this object already.
    NotModified,
    /// 412: the object is not the one that the client means.
    Failed,
}

/// What tells one state of an object from another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Validators<'a> {
    etag: Option<EntityTag<'a>>,
    modified: Option<SystemTime>,
}

impl<'a> Validators<'a> {
    /// The `ETag` and `Last-Modified` of a response.
    pub(crate) fn from_headers(headers: &'a HeaderMap) -> Self {
        Self {
            etag: header_text(headers, header::ETAG).and_then(EntityTag::split_first).map(|(tag, _)| tag),
            modified: parse_date(headers, header::LAST_MODIFIED),
        }
    }

    /// Evaluates a request's conditions in the order of section 13.2.2.
    pub(crate) fn evaluate(&self, request: &HeaderMap) -> Precondition {
        let is_modified_after = |name| Some(self.modified? > parse_date(request, name)?);
        // With a tag, the date of the same kind is ignored.
        let is_expected = match list_contains(request, header::IF_MATCH, |tag| self.is_same_strongly(tag)) {
            Some(is_expected) => is_expected,
            None => is_modified_after(header::IF_UNMODIFIED_SINCE) != Some(true),
        };
        let is_known = match list_contains(request, header::IF_NONE_MATCH, |tag| self.is_same_weakly(tag)) {
            Some(is_known) => is_known,
            None => is_modified_after(header::IF_MODIFIED_SINCE) == Some(false),
        };
        match (is_expected, is_known) {
            (false, _) => Precondition::Failed,
            (true, true) => Precondition::NotModified,
            (true, false) => Precondition::Passed,
        }
    }

    /// Whether `If-Range` lets `Range` count (section 13.1.5). Without a strong match the client has parts of another state,
    /// and a part of this one would not fit.
    pub(crate) fn allow_range(&self, request: &HeaderMap) -> bool {
        if !request.contains_key(header::IF_RANGE) {
            return true;
        }
        let Some(value) = header_text(request, header::IF_RANGE) else { return false };
        if value.starts_with(['"', 'W']) && !value.starts_with("Wed") {
            return EntityTag::split_first(value).is_some_and(|(tag, _)| self.is_same_strongly(tag));
        }
        let date = parse_date(request, header::IF_RANGE);
        date.is_some() && date == self.modified
    }

    fn is_same_strongly(&self, tag: EntityTag<'_>) -> bool {
        self.etag.is_some_and(|own| own.text == tag.text && !own.is_weak && !tag.is_weak)
    }

    fn is_same_weakly(&self, tag: EntityTag<'_>) -> bool {
        self.etag.is_some_and(|own| own.text == tag.text)
    }
}

/// An entity tag, without its quotes.
#[derive(Debug, Clone, Copy)]
struct EntityTag<'a> {
    text: &'a str,
    is_weak: bool,
}

impl<'a> EntityTag<'a> {
    /// The first tag of a list, and the rest. A tag may have commas between its quotes. Like S3, it takes a tag without
    /// quotes.
    fn split_first(list: &'a str) -> Option<(Self, &'a str)> {
        let list = list.trim_start_matches([' ', '\t', ',']);
        let (is_weak, list) = list.strip_prefix("W/").map_or((false, list), |rest| (true, rest));
        let (text, rest) = match list.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => list.split_once(',').unwrap_or((list, "")),
        };
        let text = if list.starts_with('"') { text } else { text.trim_end() };
        (!text.is_empty() || list.starts_with('"')).then_some((Self { text, is_weak }, rest))
    }
}

/// Whether a list of tags has one that matches, or is `*`: the object exists. `None` without the header.
fn list_contains(
    request: &HeaderMap,
    name: HeaderName,
    matches: impl Fn(EntityTag<'_>) -> bool,
) -> Option<bool> {
    let mut lines = request.get_all(name).iter().peekable();
    lines.peek()?;
    Some(lines.filter_map(|line| line.to_str().ok()).any(|line| {
        let tags =
            std::iter::successors(EntityTag::split_first(line), |(_, rest)| EntityTag::split_first(rest));
        line.trim() == "*" || tags.map(|(tag, _)| tag).any(&matches)
    }))
}

/// A date of a header. A recipient ignores an invalid one (section 13.1.3).
fn parse_date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(header_text(headers, name)?).ok()
}

fn header_text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::{Precondition::*, *};

    const AT: &str = "Sat, 24 Oct 2026 10:00:00 GMT";
    const BEFORE: &str = "Sat, 24 Oct 2026 09:59:59 GMT";
    const AFTER: &str = "Sat, 24 Oct 2026 10:00:01 GMT";

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    fn object() -> HeaderMap {
        headers(&[(header::ETAG, "\"abc-2\""), (header::LAST_MODIFIED, AT)])
    }

    fn evaluate(request: &[(HeaderName, &'static str)]) -> Precondition {
        Validators::from_headers(&object()).evaluate(&headers(request))
    }

    #[test]
    fn evaluates_tags() {
        for (name, list, expected) in [
            (header::IF_MATCH, "\"abc-2\"", Passed),
            (header::IF_MATCH, "*", Passed),
            (header::IF_MATCH, "\"x\", \"abc-2\"", Passed),
            (header::IF_MATCH, "abc-2", Passed),
            (header::IF_MATCH, "\"x\"", Failed),
            // The comparison is strong.
            (header::IF_MATCH, "W/\"abc-2\"", Failed),
            (header::IF_MATCH, "", Failed),
            (header::IF_MATCH, "\"x,abc-2\"", Failed),
            (header::IF_NONE_MATCH, "\"abc-2\"", NotModified),
            (header::IF_NONE_MATCH, "*", NotModified),
            (header::IF_NONE_MATCH, "\"x,\" ,W/\"abc-2\"", NotModified),
            (header::IF_NONE_MATCH, "\"x\"", Passed),
            (header::IF_NONE_MATCH, "\"\"", Passed),
            (header::IF_NONE_MATCH, "\"abc-2", Passed),
        ] {
            assert_eq!(evaluate(&[(name.clone(), list)]), expected, "{name}: {list}");
        }
    }

    #[test]
    fn evaluates_dates() {
        for (name, date, expected) in [
            (header::IF_MODIFIED_SINCE, AT, NotModified),
            (header::IF_MODIFIED_SINCE, AFTER, NotModified),
            (header::IF_MODIFIED_SINCE, BEFORE, Passed),
            (header::IF_MODIFIED_SINCE, "Saturday, 24-Oct-26 10:00:00 GMT", NotModified),
            (header::IF_MODIFIED_SINCE, "yesterday", Passed),
            (header::IF_UNMODIFIED_SINCE, AT, Passed),
            (header::IF_UNMODIFIED_SINCE, AFTER, Passed),
            (header::IF_UNMODIFIED_SINCE, BEFORE, Failed),
            (header::IF_UNMODIFIED_SINCE, "yesterday", Passed),
        ] {
            assert_eq!(evaluate(&[(name.clone(), date)]), expected, "{name}: {date}");
        }
    }

    #[test]
    fn a_tag_counts_before_a_date_and_a_failure_before_a_match() {
        let match_tag = (header::IF_MATCH, "\"abc-2\"");
        let other_tag = (header::IF_NONE_MATCH, "\"x\"");
        let same_tag = (header::IF_NONE_MATCH, "\"abc-2\"");
        assert_eq!(evaluate(&[match_tag.clone(), (header::IF_UNMODIFIED_SINCE, BEFORE)]), Passed);
        assert_eq!(evaluate(&[other_tag, (header::IF_MODIFIED_SINCE, AT)]), Passed);
        assert_eq!(evaluate(&[same_tag.clone(), (header::IF_MODIFIED_SINCE, BEFORE)]), NotModified);
        assert_eq!(evaluate(&[same_tag.clone(), match_tag]), NotModified);
        assert_eq!(evaluate(&[same_tag, (header::IF_MATCH, "\"x\"")]), Failed);
    }

    #[test]
    fn several_lines_are_one_list() {
        let mut request = headers(&[(header::IF_NONE_MATCH, "\"x\"")]);
        request.append(header::IF_NONE_MATCH, HeaderValue::from_static("\"abc-2\""));
        assert_eq!(Validators::from_headers(&object()).evaluate(&request), NotModified);
    }

    #[test]
    fn an_object_without_validators_exists() {
        let nothing = HeaderMap::new();
        let evaluate = |name, value| Validators::from_headers(&nothing).evaluate(&headers(&[(name, value)]));
        assert_eq!(evaluate(header::IF_MATCH, "*"), Passed);
        assert_eq!(evaluate(header::IF_MATCH, "\"abc-2\""), Failed);
        assert_eq!(evaluate(header::IF_MODIFIED_SINCE, AT), Passed);
        assert_eq!(evaluate(header::IF_UNMODIFIED_SINCE, BEFORE), Passed);
    }

    #[test]
    fn if_range_needs_exactly_this_object() {
        let object = object();
        let allows =
            |value| Validators::from_headers(&object).allow_range(&headers(&[(header::IF_RANGE, value)]));
        assert!(Validators::from_headers(&object).allow_range(&HeaderMap::new()));
        for value in ["\"abc-2\"", AT] {
            assert!(allows(value), "{value}");
        }
        for value in ["\"x\"", "W/\"abc-2\"", BEFORE, AFTER, "Wed, 21 Oct 2026 10:00:00 GMT", "", "abc-2"] {
            assert!(!allows(value), "{value}");
        }
    }
}
