//! The keys that user pools publish, by which tokens are believed.

use authorize::UserPool;
use authorize::{TokenIssuer, TokenSubject, keys::fetch_keys};
use aws::HttpClient;
use hosting::config::AuthorizeConfig;

use crate::report::Check;

/// Both pools, as the authorizer knows them.
pub(crate) fn pools(config: &AuthorizeConfig) -> [(&'static str, TokenIssuer); 2] {
    let pool = |pool: &UserPool, subject| TokenIssuer::from_user_pool(&config.platform.region, pool, subject);
    [
        ("people (USER_POOL)", pool(&config.people, TokenSubject::People)),
        ("API keys (TOKEN_POOL)", pool(&config.api_keys, TokenSubject::ApiKeys)),
    ]
}

/// Fetches the keys of both pools, as the authorizer does.
pub(crate) async fn check_pools(http: &HttpClient, config: &AuthorizeConfig) -> Vec<Check> {
    let endpoint = config.platform.endpoints.cognito.as_deref();
    let mut checks = Vec::new();
    for (name, pool) in pools(config) {
        checks.push(match fetch_keys(http, &pool, endpoint).await {
            Ok(keys) => Check::ok(name, format!("publishes its keys ({})", keys.count())),
            Err(why) => {
                let advice = "is the pool's id right? Nobody can log in without its keys";
                Check::failure(name, format!("its keys cannot be fetched: {why}"), advice)
            }
        });
    }
    checks
}
