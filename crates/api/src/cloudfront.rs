//! `GET /packages/cloudfront/sign`: a signed URL of a viewer asset at the CDN.

use axum::{Json, extract::State};
use packages::{access::ViewFiles, asset::AssetPath, links::find_viewer_asset};
use serde::Serialize;
use signing::percent::encode_path;
use utoipa::ToSchema;

use crate::{
    App, Problem,
    audit::{self, LinkKind},
    caller::Caller,
    openapi,
    query::Query,
};

/// How long a link works.
const LINK_LIFETIME_SECONDS: u64 = 3600;

/// A signed link.
#[derive(Serialize, ToSchema)]
#[schema(as = SignedLink)]
pub(crate) struct SignResponse {
    /// The link. Anyone who has it can read the asset.
    #[schema(format = "uri")]
    signed_url: String,
    /// When the link expires, in seconds since the Unix epoch.
    #[schema(example = 1_795_522_730)]
    expires_at: u64,
}

/// Signs a link to one viewer asset at the CDN
///
/// The link works for an hour. It is signed even if the asset does not exist; the CDN then responds with an error. A
/// package that is in the trash, is being deleted or restored, or is not uploaded yet is 404.
#[utoipa::path(
    get, path = "/cloudfront/sign", tag = "links", operation_id = "signCloudFront", security(("bearer" = [])),
    params(openapi::DatasetIdParam, openapi::PackageIdParam, openapi::AssetPathParam),
    responses(
        (status = OK, description = "The link", body = SignResponse),
        openapi::PrivateRouteProblems,
        openapi::NotFoundProblem,
    ),
)]
pub(crate) async fn get_signed_link(
    State(app): State<App>,
    Caller(access): Caller<ViewFiles>,
    query: Query,
) -> Result<Json<SignResponse>, Problem> {
    let package = query.package_id()?;
    let path = query.get("path").ok_or_else(|| {
        Problem::invalid(
            "missing required 'path' query parameter - CloudFront signing only supports viewer assets",
        )
    })?;
    let path = AssetPath::parse(path)?;
    let asset = find_viewer_asset(&app.db, &access, &package, &app.viewer_assets, &path).await?;
    let expires_at = app.clock.now() + LINK_LIFETIME_SECONDS;
    // The canned policy signs the URL byte for byte, so it is encoded before it is signed.
    let url = format!("{}/{}", app.cdn.origin(), encode_path(&asset.key));
    // Loaded once: a key rotation between signing and the audit event must not mix two key ids.
    let signer = app.cdn.signer();
    let signed_url = signer.sign_canned_url(&url, expires_at)?;
    audit::log_link_issued(&access, &package, LinkKind::CdnAsset(signer.key_pair_id()), expires_at);
    Ok(Json(SignResponse { signed_url, expires_at }))
}
