use http::{HeaderValue, Uri, header};
use packages::id::{DatasetId, PackageId, WorkspaceId};
use proptest::prelude::*;
use signing::cloudfront::CustomPolicy;

use super::*;
use crate::{Cdn, Realm, tests::app};

const NOW: u64 = 1_767_200_000;

/// The directory's link for package 4.
fn sign(cdn: &Cdn, directory: &AssetDirectory) -> DirectoryLinkResponse {
    let prefix = directory.key_prefix(WorkspaceId(1), DatasetId(2), PackageId(4));
    sign_directory(&cdn.signer(), &cdn.url(&prefix), NOW + 60).unwrap()
}

fn opens(link: &DirectoryLinkResponse, url: &str) -> bool {
    CustomPolicy::new(link.resource.clone(), link.expires_at).unwrap().matches_url(url)
}

#[test]
fn a_link_covers_its_directory_and_no_sibling() {
    let cdn = app().cdn;
    let url = |path: &str| cdn.url(&format!("O1/D2/{path}"));
    let link = sign(&cdn, &AssetDirectory::parse("a b/").unwrap());
    assert_eq!(link.resource, "https://d111111abcdef8.cloudfront.net/O1/D2/P4/a%20b/*");
    assert_eq!(link.signed_url, format!("{}?{}", url("P4/a b/"), link.query));
    assert!(opens(&link, &url("P4/a b/0/1")));
    for other in ["P4/a bc/0", "P4/a b", "P4/a", "P45/a b/0", "P4/c/a b/0"] {
        assert!(!opens(&link, &url(other)), "{other}");
    }
    let whole = sign(&cdn, &AssetDirectory::ROOT);
    assert_eq!(whole.resource, "https://d111111abcdef8.cloudfront.net/O1/D2/P4/*");
    assert!(opens(&whole, &url("P4/a b/0/1")) && opens(&whole, &url("P4/x")));
    for other in ["P45/x", "P4", "P3/x"] {
        assert!(!opens(&whole, &url(other)), "{other}");
    }
}

proptest! {
    #[test]
    fn a_link_opens_exactly_what_lies_beneath(
        directory in "[a-c%+ (é]{1,3}(/[a-c%+ (é]{1,3}){0,2}/", path in "[a-c%+ (é]{1,4}(/[a-c%+ (é]{1,4}){0,3}",
        package in 1..50_i32,
    ) {
        let parsed = (AssetDirectory::parse(&directory), AssetPath::parse(&path));
        if let (Ok(parent), Ok(asset)) = parsed {
            let cdn = app().cdn;
            let url = cdn.url(&asset.object_key(WorkspaceId(1), DatasetId(2), PackageId(package)));
            let is_beneath = package == 4 && path.starts_with(&directory);
            prop_assert_eq!(opens(&sign(&cdn, &parent), &url), is_beneath);
            prop_assert_eq!(opens(&sign(&cdn, &AssetDirectory::ROOT), &url), package == 4);
        }
    }
}

fn request_host(name: Option<&str>) -> RequestHost {
    let headers = name.map(|name| (header::HOST, HeaderValue::from_str(name).unwrap()));
    RequestHost::new(&Uri::from_static("/"), &headers.into_iter().collect())
}

fn find_scope(origin: &str, domain: &str, host: Option<&str>) -> Result<CookieScope, u16> {
    let signer = signing::cloudfront::Signer::new(
        "K1".parse().unwrap(),
        signing::cloudfront::PrivateKey::generate_p256().unwrap(),
        signing::cloudfront::HashAlgorithm::Sha256,
    );
    let app = App { cdn: Cdn::new(origin, signer), realm: Realm::new(domain).unwrap(), ..app() };
    CookieScope::find(&app, &request_host(host)).map_err(|problem| problem.status().as_u16())
}

#[test]
fn cookies_reach_the_cdn_or_are_refused() {
    const ASSETS: &str = "https://assets.example.org";
    let domain = || Ok(CookieScope::Domain("example.org".to_owned()));
    for (origin, host, scope) in [
        (ASSETS, Some("api2.example.org"), domain()),
        (ASSETS, Some("example.org"), domain()),
        ("https://example.org", Some("api2.example.org"), domain()),
        (ASSETS, Some("assets.example.org"), Ok(CookieScope::Host)),
        ("http://127.0.0.1:4567", Some("127.0.0.1"), Ok(CookieScope::Host)),
        ("https://d111111abcdef8.cloudfront.net", Some("api2.example.org"), Err(400)),
        ("https://assets.badexample.org", Some("api2.example.org"), Err(400)),
        (ASSETS, Some("x.execute-api.us-east-1.amazonaws.com"), Err(400)),
        (ASSETS, Some("badexample.org"), Err(400)),
        (ASSETS, None, Err(400)),
    ] {
        assert_eq!(find_scope(origin, "Example.org", host), scope, "{origin} {host:?}");
    }
}

#[test]
fn cookies_are_as_narrow_and_short_as_the_link() {
    let link = sign(&app().cdn, &AssetDirectory::parse("a b/").unwrap());
    let format = |scope: CookieScope| {
        let cookies = scope.format_cookies(&link, NOW).unwrap();
        assert!(cookies.iter().all(http::HeaderValue::is_sensitive));
        cookies.iter().map(|cookie| cookie.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let host = format(CookieScope::Host);
    let names: Vec<_> = host.iter().map(|cookie| cookie.split('=').next().unwrap()).collect();
    assert_eq!(
        names,
        ["CloudFront-Hash-Algorithm", "CloudFront-Key-Pair-Id", "CloudFront-Policy", "CloudFront-Signature"]
    );
    let attributes = "; Path=/O1/D2/P4/a%20b/; Max-Age=60; Secure; HttpOnly; SameSite=None";
    assert_eq!(host[0], format!("CloudFront-Hash-Algorithm=SHA256{attributes}"));
    let shared = format(CookieScope::Domain("example.org".to_owned()));
    assert!(shared[0].contains("/; Domain=example.org; Max-Age"), "{}", shared[0]);
    assert!(host.iter().chain(&shared).all(|cookie| cookie.len() < 4096));
}

#[test]
fn a_path_that_a_browser_would_drop_sets_no_cookies() {
    let cdn = app().cdn;
    let long = |length| sign(&cdn, &AssetDirectory::parse(&format!("{}/", "é".repeat(length))).unwrap());
    // Six bytes a character, eleven for the package, one for the slash.
    assert!(CookieScope::Host.format_cookies(&long(168), NOW).is_ok());
    assert!(CookieScope::Host.format_cookies(&long(169), NOW).is_err());
}
