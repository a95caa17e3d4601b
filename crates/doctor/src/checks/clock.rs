//! Our clock compared with AWS's: AWS refuses requests signed at a wrong time, and links expire at a wrong time.

use std::time::Duration;

use aws::HttpClient;
use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body_util::Full;
use time::{PrimitiveDateTime, macros::format_description};

use crate::report::Check;

/// How long a response may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// The differences at which to warn, and at which AWS refuses signatures (five minutes; IAM User Guide, "Elements of an AWS
/// API request signature").
const WARN_SECONDS: u64 = 30;
const FAIL_SECONDS: u64 = 300;

/// Compares with the first of these URLs that answers.
pub(crate) async fn check_clock(http: &HttpClient, urls: &[String], now: impl Fn() -> u64) -> Check {
    for url in urls {
        if let Some(reference) = fetch_date(http, url).await {
            return compare_clocks(now(), reference);
        }
    }
    Check::skipped("clock", "no reachable service returned the time")
}

fn compare_clocks(ours: u64, reference: u64) -> Check {
    let seconds = ours.abs_diff(reference);
    let direction = if ours > reference { "ahead of" } else { "behind" };
    let found = format!("{seconds} s {direction} AWS's clock");
    let advice = "synchronize the clock by NTP: AWS refuses signatures that are five minutes off, and links expire at a \
                  wrong time";
    if seconds > FAIL_SECONDS {
        Check::failure("clock", found, advice)
    } else if seconds > WARN_SECONDS {
        Check::warning("clock", found, advice)
    } else {
        Check::ok("clock", format!("agrees within {} s", seconds.max(1)))
    }
}

async fn fetch_date(http: &HttpClient, url: &str) -> Option<u64> {
    let request = Request::head(url).body(Full::<Bytes>::default()).ok()?;
    let response = tokio::time::timeout(REQUEST_TIMEOUT, http.send(request)).await.ok()?.ok()?;
    parse_date(response.headers())
}

/// Parses the `Date` of a response, in seconds since the Unix epoch (RFC 9110, section 5.6.7: `Sun, 06 Nov 1994 08:49:37
/// GMT`).
fn parse_date(headers: &HeaderMap) -> Option<u64> {
    let date = headers.get(header::DATE)?.to_str().ok()?;
    let format = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let date = PrimitiveDateTime::parse(date, format).ok()?;
    u64::try_from(date.assume_utc().unix_timestamp()).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::report::Status;

    #[test]
    fn parses_dates() {
        let date = |text: &'static str| {
            parse_date(&HeaderMap::from_iter([(header::DATE, HeaderValue::from_static(text))]))
        };
        assert_eq!(date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(date("yesterday"), None);
    }

    #[test]
    fn reports_a_wrong_clock() {
        let status = |ours| compare_clocks(ours, 1000).status;
        assert_eq!(
            [status(1000), status(970), status(1031), status(700), status(1301)],
            [Status::Ok, Status::Ok, Status::Warning, Status::Warning, Status::Failure,]
        );
        assert!(compare_clocks(1301, 1000).found.starts_with("301 s ahead"));
    }
}
