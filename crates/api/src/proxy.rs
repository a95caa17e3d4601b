//! `/packages/proxy/s3`: redirects to a presigned URL that the client already has.
//!
//! The endpoint needs no token and grants no access: S3 checks the URL's own signature. Two rules keep it safe. It
//! redirects to S3 only, never to another site. It never signs a request for the URL's object with the service's own
//! credentials.

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, State},
    response::Response,
};
use http::{HeaderMap, HeaderName, header, request::Parts};
use signing::{percent, s3::PresignedUrl};

use crate::{
    App, Problem, head::head_response, links::PresignResponse, openapi, query::Query, redirect::redirect_to,
};

/// The scheme of the client's request, from the gateway or load balancer.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The URL at which a client reaches the API's routes, as far as its request says. Only this client's own answer depends on
/// it.
pub(crate) struct ApiUrl(Option<String>);

impl<S: Sync> FromRequestParts<S> for ApiUrl {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::from_headers(&parts.headers))
    }
}

impl ApiUrl {
    fn from_headers(headers: &HeaderMap) -> Self {
        let find = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let scheme = if find(FORWARDED_PROTO) == Some("https") { "https" } else { "http" };
        let is_plain = |host: &&str| {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
        };
        // Behind a domain of its own the API has the base path `packages`; at the gateway's own address it has none.
        let base_path = |host: &str| if host.contains(".execute-api.") { "" } else { "/packages" };
        Self(find(header::HOST).filter(is_plain).map(|host| format!("{scheme}://{host}{}", base_path(host))))
    }
}

/// The URL of this endpoint for a link, with the file's name at the end of its path. `None` if the request does not say at
/// which host the client reaches the service.
pub(crate) fn proxy_url(api: &ApiUrl, link: &PresignResponse) -> Option<String> {
    let api = api.0.as_deref()?;
    let (name, url) = (percent::encode(&link.filename), percent::encode(&link.presigned_url));
    Some(format!("{api}/proxy/s3/{name}?presigned_url={url}"))
}

/// Redirects to a presigned URL of an allowed bucket
///
/// `Location` is rebuilt from the parsed URL.
#[utoipa::path(
    get,
    path = "/proxy/s3",
    tag = "links",
    operation_id = "proxyS3",
    params(openapi::PresignedUrlParam),
    responses(openapi::RedirectResponse, openapi::InvalidRequestProblem)
)]
pub(crate) async fn get_redirect(State(app): State<App>, query: Query) -> Result<Response, Problem> {
    redirect_to(parse_presigned_url(&app, &query)?.location())
}

/// Returns the headers of the object of a presigned URL
///
/// The service requests the client's own URL from S3. A URL that S3 refuses is 403.
#[utoipa::path(
    head,
    path = "/proxy/s3",
    tag = "links",
    operation_id = "probeProxyS3",
    params(openapi::PresignedUrlParam, openapi::RangeHeaderParam),
    responses(openapi::ObjectHeadResponses, openapi::InvalidRequestProblem, openapi::ForbiddenProblem)
)]
pub(crate) async fn head_object(
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let url = parse_presigned_url(&app, &query)?;
    // Sent as `GET` for one byte: the URL is signed for `GET`, and a signature covers the method.
    let head = app.objects.head_presigned(url.location()).await.map_err(Problem::from_client_probe)?;
    Ok(head_response(head, &headers))
}

fn parse_presigned_url(app: &App, query: &Query) -> Result<PresignedUrl, Problem> {
    reject_other_parameters(query)?;
    let url = PresignedUrl::parse(query.require("presigned_url")?, app.clock.now(), app.proxy.endpoint())?;
    if !app.proxy.is_allowed(url.bucket()) {
        return Err(Problem::invalid(format!(
            "bucket {} is not in the allowed list (PROXY_ALLOWED_BUCKETS)",
            url.bucket()
        )));
    }
    Ok(url)
}

/// Rejects every other parameter. If the client did not percent-encode the URL, the URL's own parameters end up in this
/// query, and the error says so.
fn reject_other_parameters(query: &Query) -> Result<(), Problem> {
    let is_part_of_url = |name: &str| name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"));
    if query.parameter_names().any(is_part_of_url) {
        return Err(Problem::invalid(
            "the query has X-Amz-* parameters outside 'presigned_url'; the value of 'presigned_url' must be percent-encoded",
        ));
    }
    if query.parameter_names().any(|name| name != "presigned_url") {
        return Err(Problem::invalid(
            "'presigned_url' is the only query parameter allowed; its value must be percent-encoded",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn api_url(host: &'static str, proto: &'static str) -> Option<String> {
        let headers = [(header::HOST, host), (FORWARDED_PROTO, proto)];
        let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
        ApiUrl::from_headers(&headers.into_iter().collect()).0
    }

    #[test]
    fn the_request_says_where_the_api_is() {
        for (host, proto, url) in [
            ("api2.example.org", "https", "https://api2.example.org/packages"),
            ("127.0.0.1:8080", "", "http://127.0.0.1:8080/packages"),
            ("[::1]:8080", "http", "http://[::1]:8080/packages"),
            (
                "a1b2.execute-api.us-east-1.amazonaws.com",
                "https",
                "https://a1b2.execute-api.us-east-1.amazonaws.com",
            ),
        ] {
            assert_eq!(api_url(host, proto).as_deref(), Some(url));
        }
        for host in ["", "a/b", "a@b", "a?b", "a b", "a#b", "a%2f"] {
            assert_eq!(api_url(host, "https"), None, "{host}");
        }
        assert!(ApiUrl::from_headers(&HeaderMap::new()).0.is_none());
    }
}
