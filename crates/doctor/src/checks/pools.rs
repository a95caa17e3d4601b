//! The keys that user pools publish, by which tokens are verified.

use authorize::{TokenIssuer, TokenSubject, UserPool, keys::fetch_keys};
use aws::HttpClient;
use hosting::config::AuthorizeConfig;

use crate::report::Check;

/// A user pool under its name in the report.
pub(crate) struct NamedIssuer {
    name: &'static str,
    pub(crate) issuer: TokenIssuer,
}

/// Both pools, as the authorizer uses them.
pub(crate) fn list_issuers(config: &AuthorizeConfig) -> [NamedIssuer; 2] {
    let issuer =
        |pool: &UserPool, subject| TokenIssuer::from_user_pool(&config.platform.region, pool, subject);
    [
        NamedIssuer { name: "people (USER_POOL)", issuer: issuer(&config.people, TokenSubject::People) },
        NamedIssuer {
            name: "API keys (TOKEN_POOL)",
            issuer: issuer(&config.api_keys, TokenSubject::ApiKeys),
        },
    ]
}

/// Fetches the keys of both pools, as the authorizer does.
pub(crate) async fn check_pools(http: &HttpClient, config: &AuthorizeConfig) -> Vec<Check> {
    let endpoint = config.platform.endpoints.cognito.as_deref();
    let mut checks = Vec::new();
    for NamedIssuer { name, issuer } in list_issuers(config) {
        checks.push(match fetch_keys(http, &issuer, endpoint).await {
            Ok(keys) => Check::ok(name, format!("publishes its keys ({})", keys.count())),
            Err(error) => {
                let advice = "check the pool's id: without its keys no token can be verified";
                Check::failure(name, format!("its keys could not be fetched: {error}"), advice)
            }
        });
    }
    checks
}
