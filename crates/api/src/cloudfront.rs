//! `GET /packages/cloudfront/sign`: a signed link to a viewer asset at the CDN.

use axum::{Json, extract::State};
use packages::{access::ViewFiles, asset::AssetPath, links::find_viewer_asset};
use serde::Serialize;
use signing::encode_key;
use utoipa::ToSchema;

use crate::{
    App, Problem,
    audit::{self, Given},
    caller::Caller,
    openapi,
    query::Query,
};

/// How long a link lives, in seconds.
const LIFE: u64 = 3600;

/// A signed link.
#[derive(Serialize, ToSchema)]
#[schema(as = SignedLink)]
pub(crate) struct Answer {
    /// Whoever has it can read the asset.
    #[schema(format = "uri")]
    signed_url: String,
    /// When the link ends, in seconds since the Unix epoch.
    #[schema(example = 1_795_522_730)]
    expires_at: u64,
}

/// Signs a link to one viewer asset at the CDN, for an hour
///
/// Whether the asset exists, the CDN knows. A package that is in the trash, on its way in or out of it, or not uploaded
/// yet is 404.
#[utoipa::path(
    get, path = "/cloudfront/sign", tag = "links", operation_id = "signCloudFront", security(("bearer" = [])),
    params(openapi::Dataset, openapi::Package, openapi::Asset),
    responses(
        (status = OK, description = "The link", body = Answer),
        openapi::Private,
        openapi::Absent,
    ),
)]
pub(crate) async fn get(
    State(app): State<App>,
    Caller(access): Caller<ViewFiles>,
    query: Query,
) -> Result<Json<Answer>, Problem> {
    let package = query.package()?;
    let path = query.get("path").ok_or_else(|| {
        Problem::invalid(
            "missing required 'path' query parameter - CloudFront signing only supports viewer assets",
        )
    })?;
    let path = AssetPath::parse(path)?;
    let asset = find_viewer_asset(&app.db, &access, &package, &app.viewer_assets, &path).await?;
    let expires_at = app.clock.now() + LIFE;
    let url = format!("{}/{}", app.cdn.origin(), encode_key(&asset.key));
    let signer = app.cdn.signer();
    let signed_url = signer.sign_canned(&url, expires_at)?;
    audit::link(&access, &package, Given::CdnAsset(signer.key_pair_id()), expires_at);
    Ok(Json(Answer { signed_url, expires_at }))
}
