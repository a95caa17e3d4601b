//! Passwords that IAM gives: a signed link that nobody follows ("IAM database authentication" in the Amazon RDS User
//! Guide). RDS lets a connection in that shows one not older than 15 minutes; the connection may outlive it.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign},
    sign::v4::SigningParams,
};
use signing::s3::Region;
use zeroize::Zeroizing;

/// How long a token may be shown: the most that RDS grants.
const LIFE: Duration = Duration::from_mins(15);

/// Who wants to be let in, and where.
#[derive(Debug, Clone)]
pub struct IamLogin {
    /// The host that the connection goes to, as RDS knows it: no alias.
    pub host: String,
    /// The port that the connection goes to.
    pub port: u16,
    /// The role in Postgres.
    pub user: String,
    /// The AWS region of the database.
    pub region: Region,
}

impl IamLogin {
    /// The password for a connection that is made within 15 minutes from `now`. An error does not tell the credentials.
    pub fn token(&self, credentials: &Credentials, now: SystemTime) -> Result<Zeroizing<String>, String> {
        let failed = |error: &dyn std::error::Error| format!("a login to RDS cannot be signed: {error}");
        let user = signing::encode(&self.user);
        let url = format!("https://{}:{}/?Action=connect&DBUser={user}", self.host, self.port);
        let identity = credentials.clone().into();
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(LIFE);
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
        login.token(&credentials, NOW.now_utc().into()).unwrap().to_string()
    }

    /// The order of the parameters means nothing.
    fn assert_same(ours: &str, theirs: &str) {
        let parts = |token: &str| {
            let (place, query) = token.split_once('?').unwrap();
            (place.to_owned(), query.split('&').map(str::to_owned).collect::<BTreeSet<_>>())
        };
        assert_eq!(parts(ours), parts(theirs));
    }

    /// What botocore's `generate_db_auth_token` gives for the same credentials at the same second.
    #[test]
    fn a_token_is_the_one_that_botocore_makes() {
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
    fn odd_roles_are_signed_as_they_are_sent() {
        let odd = login("127.0.0.1", 6543, "o'dd user+x@y", "eu-west-1");
        assert_same(
            &token(&odd, None),
            "127.0.0.1:6543/?Action=connect&DBUser=o%27dd%20user%2Bx%40y&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261105%2Feu-west-1%2Frds-db%2Faws4_request&X-Amz-Date=20261105T123045Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=156322796d6882157d25351f06171dddaf516d5491e5d72627d710903bcda5e2",
        );
    }

    #[test]
    fn a_host_that_is_none_is_an_error_without_secrets() {
        let none = login("a b", 1, "u", "us-east-1");
        let credentials = Credentials::new("AKID", "SECRET", None, None, "test");
        assert!(!none.token(&credentials, NOW.now_utc().into()).unwrap_err().contains("SECRET"));
    }
}
