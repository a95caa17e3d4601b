//! Cognito user pools: who issues tokens, for which application, and for whom.

use signing::s3::Region;

/// A user pool and the one application of it that is ours. A token is from here when issuer *and* client agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenIssuer {
    /// `https://cognito-idp.{region}.amazonaws.com/{pool}`: what `iss` must be, to the letter.
    pub issuer: String,
    /// The application's client id: what `client_id` must be.
    pub client_id: String,
    /// Whom its tokens name.
    pub bearers: TokenSubject,
}

/// Whom the tokens of a pool name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenSubject {
    /// People, by their Cognito id.
    People,
    /// API keys, by their public half.
    ApiKeys,
}

impl TokenIssuer {
    /// A pool in a region.
    #[must_use]
    pub fn cognito(region: &Region, ids: &UserPool, bearers: TokenSubject) -> Self {
        let (suffix, pool) = (aws::dns_suffix(region), ids.pool());
        Self {
            issuer: format!("https://cognito-idp.{region}.{suffix}/{pool}"),
            client_id: ids.client().to_owned(),
            bearers,
        }
    }

    /// The pool's id: the last part of its issuer.
    #[must_use]
    pub fn id(&self) -> &str {
        self.issuer.rsplit('/').next().unwrap_or_default()
    }

    /// Where the pool's keys are published: below the issuer, or below another endpoint that stands in for Cognito
    /// (Amazon Cognito Developer Guide, "Verifying JSON web tokens"). What `iss` must be does not depend on it.
    #[must_use]
    pub fn keys_url(&self, endpoint: Option<&str>) -> String {
        match endpoint {
            None => format!("{}/.well-known/jwks.json", self.issuer),
            Some(base) => format!("{}/{}/.well-known/jwks.json", base.trim_end_matches('/'), self.id()),
        }
    }
}

/// The platform's two user pools in Cognito.
#[derive(Debug, Clone)]
pub struct CognitoPools {
    /// The region of both.
    pub region: Region,
    /// Another server than AWS's own, from which the keys are read.
    pub endpoint: Option<String>,
    /// The pool of people.
    pub people: UserPool,
    /// The pool of API keys.
    pub api_keys: UserPool,
}

/// A Cognito user pool and the one client of it that is ours.
#[derive(Debug, Clone)]
pub struct UserPool {
    pool: String,
    client: String,
}

impl UserPool {
    /// The ids are held to Cognito's own patterns (Amazon Cognito API Reference, `DescribeUserPoolClient`), since one of
    /// them becomes part of a URL.
    #[must_use]
    pub fn new(pool: &str, client: &str) -> Option<Self> {
        (is_pool_id(pool) && is_client_id(client))
            .then(|| Self { pool: pool.to_owned(), client: client.to_owned() })
    }

    /// The pool's id, as in `us-east-1_AbCdEfGhI`.
    #[must_use]
    pub fn pool(&self) -> &str {
        &self.pool
    }

    /// The client's id.
    #[must_use]
    pub fn client(&self) -> &str {
        &self.client
    }
}

/// Whether a text can be the id of a user pool.
#[must_use]
pub fn is_pool_id(id: &str) -> bool {
    let is_word = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let has_parts = id.split_once('_').is_some_and(|(region, own)| !region.is_empty() && !own.is_empty());
    id.len() <= 55 && is_word && has_parts
}

/// Whether a text can be the id of a user pool's client.
#[must_use]
pub fn is_client_id(id: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte);
    (1..=128).contains(&id.len()) && id.bytes().all(is_known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(region: &str, pool: &str, client: &str) -> TokenIssuer {
        let ids = UserPool::new(pool, client).unwrap();
        TokenIssuer::cognito(&Region::new(region).unwrap(), &ids, TokenSubject::People)
    }

    #[test]
    fn the_issuer_names_region_and_pool() {
        let made = pool("us-east-1", "us-east-1_AbC123", "3n4b5c");
        assert_eq!(made.issuer, "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_AbC123");
        assert_eq!(made.id(), "us-east-1_AbC123");
        assert_eq!(made.keys_url(None), format!("{}/.well-known/jwks.json", made.issuer));
        let china = pool("cn-north-1", "cn-north-1_AbC123", "3n4b5c");
        assert_eq!(china.issuer, "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_AbC123");
    }

    #[test]
    fn another_endpoint_publishes_the_keys_and_issues_nothing() {
        let pool = pool("us-east-1", "us-east-1_AbC123", "3n4b5c");
        for endpoint in ["http://localhost:4566", "http://localhost:4566/"] {
            let url = pool.keys_url(Some(endpoint));
            assert_eq!(url, "http://localhost:4566/us-east-1_AbC123/.well-known/jwks.json");
        }
    }
}
