//! `GET /packages/cloudfront/sign`: a signed link to a viewer asset at the CDN.

use axum::{Json, extract::State};
use packages::{access::ViewFiles, asset::AssetPath, links::find_viewer_asset};
use serde::Serialize;
use signing::encode_key;

use crate::{
    App, Problem,
    audit::{self, Given},
    caller::Caller,
    query::Query,
};

/// How long a link lives, in seconds.
const LIFE: u64 = 3600;

/// `expires_at` is in seconds since the Unix epoch.
#[derive(Serialize)]
pub(crate) struct Answer {
    signed_url: String,
    expires_at: u64,
}

/// Signs a link to one asset, for an hour. Whether the asset exists, the CDN knows.
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
    let asset = find_viewer_asset(&app.db, &access, &package, (&app.viewer_assets, &path)).await?;
    let expires_at = app.clock.now() + LIFE;
    let url = format!("{}/{}", app.cdn.origin(), encode_key(&asset.key));
    let signed_url = app.cdn.signer().sign_canned(&url, expires_at)?;
    audit::link(&access, &package, Given::CdnAsset, expires_at);
    Ok(Json(Answer { signed_url, expires_at }))
}
