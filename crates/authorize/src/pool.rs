//! Cognito user pools, and the tokens that they issue.

use signing::s3::Region;

/// A user pool as an issuer of tokens, with our client in it. A token is accepted only if both its issuer and its client match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenIssuer {
    /// `https://cognito-idp.{region}.amazonaws.com/{pool}`: the exact `iss` of its tokens.
    pub issuer: String,
    /// Our client id in the pool: the exact `client_id` of its tokens.
    pub client_id: String,
    /// Whom its tokens identify.
    pub subject: TokenSubject,
}

/// Whom the tokens of a pool identify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenSubject {
    /// People, by their Cognito id.
    People,
    /// API keys, by their public half.
    ApiKeys,
}

impl TokenIssuer {
    /// The issuer that a user pool in a region is.
    #[must_use]
    pub fn from_user_pool(region: &Region, pool: &UserPool, subject: TokenSubject) -> Self {
        let (host, pool_id) = (region.service_host("cognito-idp"), pool.pool_id());
        Self { issuer: format!("https://{host}/{pool_id}"), client_id: pool.client_id().to_owned(), subject }
    }

    /// The pool's id: the last part of its issuer.
    #[must_use]
    pub fn pool_id(&self) -> &str {
        self.issuer.rsplit('/').next().unwrap_or_default()
    }

    /// Where the pool publishes its keys: below the issuer, or below another endpoint (Amazon Cognito Developer Guide,
    /// "Verifying JSON web tokens"). The endpoint does not change the expected `iss`.
    #[must_use]
    pub fn keys_url(&self, endpoint: Option<&str>) -> String {
        match endpoint {
            None => format!("{}/.well-known/jwks.json", self.issuer),
            Some(base) => format!("{}/{}/.well-known/jwks.json", base.trim_end_matches('/'), self.pool_id()),
        }
    }
}

/// The platform's two user pools in Cognito.
#[derive(Debug, Clone)]
pub struct CognitoConfig {
    /// The region of both.
    pub region: Region,
    /// An endpoint other than AWS's own, which publishes the keys.
    pub endpoint: Option<String>,
    /// The user pool of people.
    pub people: UserPool,
    /// The user pool of API keys.
    pub api_keys: UserPool,
}

/// The ids of a Cognito user pool and of our client in it.
#[derive(Debug, Clone)]
pub struct UserPool {
    pool_id: String,
    client_id: String,
}

impl UserPool {
    /// Checks the ids by Cognito's own patterns (Amazon Cognito API Reference, `DescribeUserPoolClient`), since the pool's
    /// becomes part of a URL.
    #[must_use]
    pub fn new(pool_id: &str, client_id: &str) -> Option<Self> {
        (is_pool_id(pool_id) && is_client_id(client_id))
            .then(|| Self { pool_id: pool_id.to_owned(), client_id: client_id.to_owned() })
    }

    /// The pool's id, as in `us-east-1_AbCdEfGhI`.
    #[must_use]
    pub fn pool_id(&self) -> &str {
        &self.pool_id
    }

    /// The client's id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }
}

/// Whether a text has the pattern of a user pool's id.
#[must_use]
pub fn is_pool_id(id: &str) -> bool {
    let is_word = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let has_parts = id.split_once('_').is_some_and(|(region, own)| !region.is_empty() && !own.is_empty());
    id.len() <= 55 && is_word && has_parts
}

/// Whether a text has the pattern of a client id.
#[must_use]
pub fn is_client_id(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte);
    (1..=128).contains(&id.len()) && id.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer(region: &str, pool_id: &str) -> TokenIssuer {
        let pool = UserPool::new(pool_id, "3n4b5c").unwrap();
        TokenIssuer::from_user_pool(&Region::new(region).unwrap(), &pool, TokenSubject::People)
    }

    #[test]
    fn the_issuer_names_region_and_pool() {
        let issuer_us = issuer("us-east-1", "us-east-1_AbC123");
        assert_eq!(issuer_us.issuer, "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_AbC123");
        assert_eq!(issuer_us.pool_id(), "us-east-1_AbC123");
        assert_eq!(issuer_us.keys_url(None), format!("{}/.well-known/jwks.json", issuer_us.issuer));
        let china = issuer("cn-north-1", "cn-north-1_AbC123");
        assert_eq!(china.issuer, "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_AbC123");
    }

    #[test]
    fn another_endpoint_changes_only_the_url_of_the_keys() {
        let issuer = issuer("us-east-1", "us-east-1_AbC123");
        for endpoint in ["http://localhost:4566", "http://localhost:4566/"] {
            let url = issuer.keys_url(Some(endpoint));
            assert_eq!(url, "http://localhost:4566/us-east-1_AbC123/.well-known/jwks.json");
        }
    }

    #[test]
    fn rejects_ids_that_would_change_a_url() {
        for id in
            ["", "us-east-1", "_x", "us-east-1_", "a_b/../c", "a_b?x", "a_b@evil", "a_b.c", "a_é", "a_b c"]
        {
            assert!(UserPool::new(id, "client").is_none(), "{id}");
        }
        assert!(UserPool::new(&format!("a_{}", "b".repeat(54)), "client").is_none());
        for client in ["", "a b", "a/b", &"x".repeat(129)] {
            assert!(UserPool::new("us-east-1_a", client).is_none(), "{client}");
        }
        assert!(UserPool::new("us-east-1_AbC123", "3n4b5c").is_some());
    }
}
