//! `GET /packages/cloudfront/sign`: a signed URL of a viewer asset at the CDN, or one link for a directory of them.

mod cookies;
mod response;

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{AppendHeaders, IntoResponse},
};
use http::header::SET_COOKIE;
use packages::{
    asset::{AssetDirectory, AssetPath},
    id::PackageNodeId,
    links::PackageLookup,
};
use signing::cloudfront::SignError;

use crate::{
    App, Problem,
    audit::{self, LinkKind},
    caller::FileViewer,
    cdn::LinkSigner,
    links::parse_lifetime,
    openapi,
    query::Query,
    request_host::RequestHost,
};
use cookies::CookieScope;
use response::{DirectoryLinkResponse, LinkResponse, SignResponse};

/// Signs a link to one viewer asset, or to a directory of them, at the CDN
///
/// The link works for at least an hour. It is signed even if the asset does not exist; the CDN then responds with an error. A
/// package that is in the trash, is being deleted or restored, or is not uploaded yet is 404.
///
/// If `path` ends in a slash, the link opens everything beneath it. Without `path` it opens all viewer assets of the
/// package. `query` is then appended to the URL of any object beneath `resource`; `cookies` do the same for clients that
/// send cookies.
#[utoipa::path(
    get, path = "/cloudfront/sign", tag = "links", operation_id = "signCloudFront", security(("bearer" = [])),
    params(
        openapi::DatasetIdParam, openapi::PackageIdParam, openapi::AssetOrDirectoryParam, openapi::CookiesParam,
        openapi::ExpiresInParam,
    ),
    responses(
        (status = OK, description = "The link", body = SignResponse),
        openapi::PrivateRouteProblems,
        openapi::NotFoundProblem,
    ),
)]
pub(crate) async fn get_signed_link(
    State(app): State<Arc<App>>,
    FileViewer { access, prefetched }: FileViewer,
    query: Query,
    host: RequestHost,
) -> Result<impl IntoResponse, Problem> {
    let request = SignRequest::from_query(&query)?;
    let (now, package) = (app.clock.now(), &request.package);
    let expires_at = app.link_window.link_period(now, parse_lifetime(&query)?).ends_at;
    // Loaded once: a key rotation between signing and the audit event must not mix two key ids.
    let signer = app.cdn.signer();
    let lookup = PackageLookup { db: &app.db, access: &access, prefetched };
    let (link, kind) = match &request.target {
        SignTarget::Asset(path) => {
            let asset = lookup.find_asset(package, &app.viewer_assets, path).await?;
            let link = sign_asset(&signer, &app.cdn.url(&asset.key), expires_at)?;
            (SignResponse::Asset(link), LinkKind::CdnAsset(signer.key_pair_id()))
        }
        SignTarget::Directory(directory) => {
            let prefix = lookup.find_asset_prefix(package, directory).await?;
            let link = sign_directory(&signer, &app.cdn.url(&prefix), expires_at)?;
            (SignResponse::Directory(link), LinkKind::CdnDirectory(signer.key_pair_id()))
        }
    };
    let cookies = match (&link, request.sets_cookies) {
        (SignResponse::Directory(link), true) => CookieScope::find(&app, &host)?.format_cookies(link, now)?,
        _ => Vec::new(),
    };
    audit::log_link_issued(&access, package, kind, expires_at);
    let headers = AppendHeaders(cookies.into_iter().map(|cookie| (SET_COOKIE, cookie)));
    Ok((headers, Json(link)))
}

/// The parameters.
struct SignRequest {
    package: PackageNodeId,
    target: SignTarget,
    sets_cookies: bool,
}

/// What the link opens.
enum SignTarget {
    Asset(AssetPath),
    Directory(AssetDirectory),
}

impl SignRequest {
    fn from_query(query: &Query) -> Result<Self, Problem> {
        let package = query.package_id()?;
        let target = match query.get("path") {
            None => SignTarget::Directory(AssetDirectory::ROOT),
            Some(path) if path.ends_with('/') => SignTarget::Directory(AssetDirectory::parse(path)?),
            Some(path) => SignTarget::Asset(AssetPath::parse(path)?),
        };
        let sets_cookies = match (query.get("cookies"), &target) {
            (None, _) => false,
            (Some("set"), SignTarget::Directory(_)) => true,
            (Some("set"), SignTarget::Asset(_)) => {
                return Err(Problem::invalid("cookies are set for a directory: end 'path' with a slash"));
            }
            (Some(_), _) => return Err(Problem::invalid("query parameter 'cookies' must be 'set'")),
        };
        Ok(Self { package, target, sets_cookies })
    }
}

/// `url` is percent-encoded: the canned policy signs it byte for byte.
fn sign_asset(signer: &LinkSigner, url: &str, expires_at: u64) -> Result<LinkResponse, SignError> {
    Ok(LinkResponse { signed_url: signer.sign_url(url, expires_at)?, expires_at })
}

/// `url` is percent-encoded: the CDN compares the policy's resource with the URL that the client sends. It ends in a slash.
fn sign_directory(
    signer: &LinkSigner,
    url: &str,
    expires_at: u64,
) -> Result<DirectoryLinkResponse, SignError> {
    let resource = format!("{url}*");
    let signed = signer.sign_directory(&resource, expires_at)?;
    Ok(DirectoryLinkResponse {
        signed_url: signed.append_to(url),
        expires_at,
        resource,
        query: signed.to_query(),
        cookies: signed.to_cookies().into_iter().collect(),
    })
}

#[cfg(test)]
mod tests;
