//! In which form a client wants a link.

use http::{HeaderMap, header};

use crate::{Problem, query::Query};

/// The form of a response with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkFormat {
    /// A redirect to the object.
    Redirect,
    /// JSON with the link and what is known of the file.
    Json,
    /// The link alone, as text.
    Text,
}

impl LinkFormat {
    /// The parameter `redirect` decides between a redirect and a document, and `Accept` between JSON and text. Without the
    /// parameter, only a client that accepts nothing but these documents gets one: any other media range, and `*/*`, which
    /// most clients send, accepts the file itself.
    pub(crate) fn from_request(query: &Query, headers: &HeaderMap) -> Result<Self, Problem> {
        let document = accepted_document(headers);
        Ok(match query.parse_optional_flag("redirect")? {
            Some(true) => Self::Redirect,
            Some(false) => document.unwrap_or(Self::Json),
            None => document.filter(|_| accepts_only_documents(headers)).unwrap_or(Self::Redirect),
        })
    }
}

/// The document that a client prefers; `None` if it names neither.
fn accepted_document(headers: &HeaderMap) -> Option<LinkFormat> {
    let (json, text) =
        (accepted_quality(headers, "application/json"), accepted_quality(headers, "text/plain"));
    match (json, text) {
        (None, None) => None,
        (json, text) if json >= text => Some(LinkFormat::Json),
        _ => Some(LinkFormat::Text),
    }
}

/// Whether a client names no media range that could be the file's own.
fn accepts_only_documents(headers: &HeaderMap) -> bool {
    const DOCUMENTS: [&str; 3] = ["application/json", "application/problem+json", "text/plain"];
    let mut names = accepted_ranges(headers).map(|range| range.split(';').next().unwrap_or_default().trim());
    names.all(|name| name.is_empty() || DOCUMENTS.iter().any(|document| name.eq_ignore_ascii_case(document)))
}

fn accepted_ranges(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(','))
}

/// The quality of a media range that the client names, in thousandths (RFC 9110, section 12.4.2). `None` if it does not name
/// it, or refuses it with 0.
pub(crate) fn accepted_quality(headers: &HeaderMap, media_range: &str) -> Option<u16> {
    let qualities = accepted_ranges(headers).filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let matches = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(media_range));
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        matches.then(|| quality.map_or(1000, parse_quality))
    });
    qualities.max().filter(|quality| *quality > 0)
}

/// A quality of 0 to 1 in thousandths. An invalid one counts as 0.
fn parse_quality(text: &str) -> u16 {
    // `str::parse` would accept `+1`, `1e0` and `inf`.
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let quality = text.parse::<f32>().ok().filter(|quality| is_plain && (0.0..=1.0).contains(quality));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
    quality.map_or(0, |quality| (quality * 1000.0) as u16)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn format(query: &str, accept: &str) -> Result<LinkFormat, u16> {
        let request = Request::get(format!("/?{query}")).header(header::ACCEPT, accept).body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        let query = Query::from_parts(&mut parts).unwrap();
        LinkFormat::from_request(&query, &parts.headers).map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn the_parameter_decides_whether_to_redirect() {
        for accept in ["", "*/*", "application/json", "text/html,*/*;q=0.8"] {
            for query in ["redirect=true", "redirect=1", "redirect=TRUE"] {
                assert_eq!(format(query, accept), Ok(LinkFormat::Redirect), "{query} {accept}");
            }
            for query in ["redirect=false", "redirect=0", "redirect=False"] {
                assert_eq!(format(query, accept), Ok(LinkFormat::Json), "{query} {accept}");
            }
        }
        assert_eq!(format("redirect=false", "text/plain"), Ok(LinkFormat::Text));
        for query in ["redirect=yes", "redirect=2", "redirect=null"] {
            assert_eq!(format(query, "*/*"), Err(400), "{query}");
        }
    }

    #[test]
    fn without_the_parameter_accept_decides() {
        for (accept, expected) in [
            ("", LinkFormat::Redirect),
            ("*/*", LinkFormat::Redirect),
            // Browsers, axios and httr: they accept the file itself.
            ("text/html,application/xhtml+xml,*/*;q=0.8", LinkFormat::Redirect),
            ("application/json, text/plain, */*", LinkFormat::Redirect),
            ("application/octet-stream", LinkFormat::Redirect),
            ("text/csv", LinkFormat::Redirect),
            ("text/csv, text/plain", LinkFormat::Redirect),
            ("application/octet-stream, application/json", LinkFormat::Redirect),
            ("application/json, application/problem+json", LinkFormat::Json),
            ("application/json", LinkFormat::Json),
            ("Application/JSON; charset=utf-8", LinkFormat::Json),
            ("text/plain", LinkFormat::Text),
            ("text/plain, application/json", LinkFormat::Json),
            ("text/plain, application/json;q=0.5", LinkFormat::Text),
            ("application/json;q=0, text/plain;q=0.001", LinkFormat::Text),
            ("application/json;q=0", LinkFormat::Redirect),
            ("application/json;q=2", LinkFormat::Redirect),
        ] {
            assert_eq!(format("", accept), Ok(expected), "{accept}");
        }
    }
}
