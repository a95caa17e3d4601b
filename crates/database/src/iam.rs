//! IAM authentication tokens: presigned URLs that serve as passwords (Amazon RDS User Guide, "IAM database
//! authentication"). RDS accepts a token for 15 minutes. A connection may outlive its token.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign},
    sign::v4::SigningParams,
};
use signing::s3::Region;
use zeroize::Zeroizing;

/// How long a token is valid: the maximum of RDS.
const TOKEN_LIFETIME: Duration = Duration::from_mins(15);

/// The login that a token is for.
#[derive(Debug, Clone)]
pub struct IamLogin {
    /// The host of the connection, by its name in RDS: RDS refuses a token for an alias.
    pub host: String,
    /// The port of the connection.
    pub port: u16,
    /// The Postgres role.
    pub user: String,
    /// The AWS region of the database.
    pub region: Region,
}

/// A token that cannot be signed. The text has no secret.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the IAM token for the database cannot be signed: {0}")]
pub struct IamTokenError(String);

impl IamLogin {
    /// Generates the password for a connection that is opened within 15 minutes from `now`.
    pub fn generate_token(
        &self,
        credentials: &Credentials,
        now: SystemTime,
    ) -> Result<Zeroizing<String>, IamTokenError> {
        let failed = |error: &dyn std::error::Error| IamTokenError(error.to_string());
        let user = signing::percent::encode(&self.user);
        let url = format!("https://{}:{}/?Action=connect&DBUser={user}", self.host, self.port);
        let identity = credentials.clone().into();
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(TOKEN_LIFETIME);
        let params = SigningParams::builder()
            .identity(&identity)
            .region(self.region.as_str())
            .name("rds-db")
            .time(now)
            .settings(settings)
            .build()
            .map_err(|error| failed(&error))?
            .into();
        let request = SignableRequest::new("GET", url.as_str(), std::iter::empty(), SignableBody::empty())
            .map_err(|error| failed(&error))?;
        let (signature, _) = sign(request, &params).map_err(|error| failed(&error))?.into_parts();
        let mut signed = http::Request::get(url).body(()).map_err(|error| failed(&error))?;
        signature.apply_to_request_http1x(&mut signed);
        // RDS expects the URL without its scheme.
        let signed = Zeroizing::new(signed.uri().to_string());
        Ok(Zeroizing::new(signed.trim_start_matches("https://").to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use aws::Clock;

    /// 2026-11-05 12:30:45 UTC.
    const NOW: Clock = Clock::Fixed(1_793_881_845);

    fn login(host: &str, port: u16, user: &str, region: &str) -> IamLogin {
        let region = Region::new(region).unwrap();
        IamLogin { host: host.to_owned(), port, user: user.to_owned(), region }
    }

    fn token(login: &IamLogin, session: Option<&str>) -> String {
        let credentials = Credentials::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            session.map(str::to_owned),
            None,
            "test",
        );
        login.generate_token(&credentials, NOW.now_utc().into()).unwrap().to_string()
    }

    /// The order of the parameters does not matter.
    fn assert_same(ours: &str, theirs: &str) {
        let parts = |token: &str| {
            let (place, query) = token.split_once('?').unwrap();
            (place.to_owned(), query.split('&').map(str::to_owned).collect::<BTreeSet<_>>())
        };
        assert_eq!(parts(ours), parts(theirs));
    }

    /// The output of botocore's `generate_db_auth_token` for the same credentials at the same second.
    #[test]
    fn a_token_equals_botocores() {
        let host = "packages.proxy-abcdefghijkl.us-east-1.rds.amazonaws.com";
        let proxy = login(host, 5432, "dev_rds_proxy_user", "us-east-1");
        assert_same(
            &token(&proxy, None),
            "packages.proxy-abcdefghijkl.us-east-1.rds.amazonaws.com:5432/?Action=connect&DBUser=dev_rds_proxy_user&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261105%2Fus-east-1%2Frds-db%2Faws4_request&X-Amz-Date=20261105T123045Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=cef1866bf81d1d488ca2f44cfab6800203934ea64f8441fcf67f3fd3ab5c7452",
        );
        assert_same(
            &token(&proxy, Some("FwoGZXIvYXdzEBYaDHrh/2+Q0x==&sess ion")),
            "packages.proxy-abcdefghijkl.us-east-1.rds.amazonaws.com:5432/?Action=connect&DBUser=dev_rds_proxy_user&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261105%2Fus-east-1%2Frds-db%2Faws4_request&X-Amz-Date=20261105T123045Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Security-Token=FwoGZXIvYXdzEBYaDHrh%2F2%2BQ0x%3D%3D%26sess%20ion&X-Amz-Signature=1512ff4190db9543861018da8dff5744256b4d901c15f29e5e2c1a6d444ba8ad",
        );
    }

    #[test]
    fn special_characters_in_roles_are_encoded() {
        let odd = login("127.0.0.1", 6543, "o'dd user+x@y", "eu-west-1");
        assert_same(
            &token(&odd, None),
            "127.0.0.1:6543/?Action=connect&DBUser=o%27dd%20user%2Bx%40y&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261105%2Feu-west-1%2Frds-db%2Faws4_request&X-Amz-Date=20261105T123045Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=156322796d6882157d25351f06171dddaf516d5491e5d72627d710903bcda5e2",
        );
    }

    #[test]
    fn an_invalid_host_is_an_error_without_secrets() {
        let invalid = login("a b", 1, "u", "us-east-1");
        let credentials = Credentials::new("AKID", "SECRET", None, None, "test");
        let error = invalid.generate_token(&credentials, NOW.now_utc().into()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("SECRET"));
    }
}
