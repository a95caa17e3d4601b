//! `GET /packages/cloudfront/sign`: a signed link to a viewer asset at the CDN.

use std::fmt::Write;

use axum::{Json, extract::State};
use packages::{access::ViewFiles, asset::AssetPath, links::find_viewer_asset};
use serde::Serialize;

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
    let url = format!("{}/{}", app.cdn.origin(), encoded(&asset.key));
    let signed_url = app.cdn.signer().sign_canned(&url, expires_at)?;
    audit::link(&access, &package, Given::CdnAsset, expires_at);
    Ok(Json(Answer { signed_url, expires_at }))
}

/// A key as the path of a URL: unreserved characters (RFC 3986, section 2.3) and slashes stay, the rest is encoded.
fn encoded(key: &str) -> String {
    key.bytes().fold(String::with_capacity(key.len()), |mut path, byte| {
        match byte {
            b'-' | b'.' | b'_' | b'~' | b'/' => path.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => path.push(char::from(byte)),
            // Writing to a string cannot fail.
            byte => drop(write!(path, "%{byte:02X}")),
        }
        path
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_becomes_a_path() {
        assert_eq!(encoded("O1/D2/P3/a b+c#d&e=f.txt"), "O1/D2/P3/a%20b%2Bc%23d%26e%3Df.txt");
        assert_eq!(encoded("東/~x"), "%E6%9D%B1/~x");
    }

    proptest! {
        #[test]
        fn a_path_has_nothing_that_means_something_in_a_url(key in any::<String>()) {
            let path = encoded(&key);
            prop_assert!(path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/%".contains(&b)));
        }
    }
}
