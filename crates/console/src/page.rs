//! Which requests are for a page of the app.

use http::{HeaderMap, header::ACCEPT};

/// Beneath it are files of the app and data of the host, and no pages.
const DATA_PATH: &str = "/console";

/// Whether a path is `parent`, or beneath it. `/packagesets` is not beneath `/packages`.
pub(crate) fn is_at_or_beneath(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a `GET` of this path is for a page: `/`, or for a client that accepts HTML a path whose last segment has no dot.
/// A program that asks the API for a wrong path gets the API's 404, and not a page.
pub(crate) fn is_page(path: &str, headers: &HeaderMap) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    path == "/" || (!last.contains('.') && !is_at_or_beneath(path, DATA_PATH) && accepts_html(headers))
}

/// Whether `Accept` names HTML, as browsers do when a person opens a page (RFC 9110, section 12.5.1). `*/*` is not enough:
/// scripts and other programs send it.
fn accepts_html(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    let ranges = values.flat_map(|value| value.split(','));
    let names = ranges.map(|range| range.split(';').next().unwrap_or_default().trim());
    names.into_iter().any(|name| name.eq_ignore_ascii_case("text/html"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_page_is_what_a_person_opens() {
        const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (path, accept, expected) in [
            ("/", "*/*", true),
            ("/", "", true),
            ("/datasets/3", BROWSER, true),
            ("/dataset/N:dataset:1/file/N:package:2", BROWSER, true),
            ("/docs", "TEXT/HTML;q=0.5", true),
            ("/docs", "*/*", false),
            ("/docs", "application/json", false),
            ("/docs", "text/htmlx", false),
            ("/favicon.ico", BROWSER, false),
            ("/docs/app.js", BROWSER, false),
            ("/console", BROWSER, false),
            ("/console/users", BROWSER, false),
            ("/consoles", BROWSER, true),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(is_page(path, &headers), expected, "{path} {accept}");
        }
    }

    #[test]
    fn a_path_is_beneath_another_by_segments() {
        for (path, expected) in [
            ("/packages", true),
            ("/packages/", true),
            ("/packages/a", true),
            ("/packagesets", false),
            ("/", false),
        ] {
            assert_eq!(is_at_or_beneath(path, "/packages"), expected, "{path}");
        }
    }
}
