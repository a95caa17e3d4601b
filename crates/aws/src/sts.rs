//! Roles of other accounts: AWS Security Token Service, `AssumeRole`.
//!
//! STS speaks AWS's Query protocol: a form in, XML out (AWS Security Token Service API Reference). Of the XML only the few
//! elements are read that an answer has exactly once.

use std::{
    fmt,
    str::FromStr,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, error::CredentialsError, future},
};
use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use signing::{percent, s3::Region};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tracing::{Instrument, info_span};

use crate::{
    ClientConfig, Clock, HttpClient, InvalidEndpoint, SigningScope,
    attempts::{AttemptError, CallLimits, CallName, Error, send_attempts},
    credentials::CachedCredentials,
    error_chain, find_xml_element, sign_request,
};

/// The longest session of a role that is assumed with another role's session, as the functions do (IAM User Guide, "Methods
/// to assume a role": role chaining).
const SESSION_SECONDS: u32 = 3600;

/// The name of the sessions, which AWS logs. It says who assumed the role, and nothing of the request.
const SESSION_NAME: &str = "packages-service-presign-session";

/// The longest session policy (`AssumeRole`, `Policy`).
const MAX_POLICY_CHARS: usize = 2048;

/// The largest response. STS's have two kilobytes.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// The longest part of a message that is kept.
const MAX_MESSAGE_CHARS: usize = 300;

/// A request waits for a session.
const LIMITS: CallLimits = CallLimits {
    attempts: 2,
    attempt_timeout: Duration::from_secs(2),
    total_timeout: Duration::from_millis(4500),
};

/// The ARN of an IAM role.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoleArn(Arc<str>);

impl RoleArn {
    /// Accepts `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME` (IAM User Guide, "IAM identifiers").
    pub fn new(arn: &str) -> Result<Self, ParseRoleArnError> {
        if is_role_arn(arn) { Ok(Self(arn.into())) } else { Err(ParseRoleArnError) }
    }

    /// The ARN as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition, such as `aws`.
    #[must_use]
    pub fn partition(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }
}

fn is_role_arn(arn: &str) -> bool {
    let parts: Vec<&str> = arn.split(':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts.as_slice() else { return false };
    let is_partition = partition.starts_with("aws")
        && partition.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    // The characters of names and paths (IAM User Guide, "IAM and AWS STS quotas").
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    let is_role = resource.strip_prefix("role/").is_some_and(|path| {
        path.split('/').all(|segment| !segment.is_empty() && segment.bytes().all(is_name))
    });
    arn.len() <= 2048 && is_partition && is_account && is_role
}

impl FromStr for RoleArn {
    type Err = ParseRoleArnError;

    fn from_str(arn: &str) -> Result<Self, Self::Err> {
        Self::new(arn)
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not the ARN of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid role: expected an ARN such as arn:aws:iam::123456789012:role/NAME")]
pub struct ParseRoleArnError;

/// A client for STS. Clones share credentials and connections.
#[derive(Clone)]
pub struct StsClient(Arc<Inner>);

struct Inner {
    region: Region,
    endpoint: Uri,
    credentials: CachedCredentials<Credentials>,
    clock: Clock,
    http: HttpClient,
}

impl fmt::Debug for StsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StsClient").field("region", &self.0.region).finish_non_exhaustive()
    }
}

impl StsClient {
    /// A client for the region's own endpoint, or for the configured one.
    pub fn new(config: &ClientConfig, http: HttpClient) -> Result<Self, InvalidEndpoint> {
        Ok(Self(Arc::new(Inner {
            region: config.region.clone(),
            endpoint: config.service_endpoint("sts")?,
            credentials: CachedCredentials::new(config.credentials.clone(), Credentials::clone),
            clock: config.clock,
            http,
        })))
    }

    /// The endpoint's URL.
    #[must_use]
    pub fn endpoint_url(&self) -> String {
        self.0.endpoint.to_string()
    }

    /// Assumes a role for an hour. The session may do what the role may do and this policy (JSON) allows, and nothing else.
    pub async fn assume_role(&self, role: &RoleArn, policy: &str) -> Result<Credentials, Error> {
        if policy.chars().count() > MAX_POLICY_CHARS {
            let message = format!("the policy has more than {MAX_POLICY_CHARS} characters");
            return Err(Error::Refused { code: "PackedPolicyTooLarge".to_owned(), message });
        }
        let body = Bytes::from(encode_form(role, policy));
        let endpoint = self.0.endpoint.authority().map_or("", |authority| authority.as_str());
        let call = CallName { service: "sts", endpoint, operation: "AssumeRole" };
        send_attempts(call, LIMITS, || {
            let span = info_span!(target: "trace", "sts", operation = "AssumeRole");
            Box::pin(self.send_attempt(body.clone()).instrument(span))
        })
        .await
    }

    async fn send_attempt(&self, body: Bytes) -> Result<Credentials, AttemptError> {
        let request = self.build_request(body).await.map_err(AttemptError::Transient)?;
        let response = self.0.http.send(request).await;
        read_session(response.map_err(|error| AttemptError::Transient(error_chain(&error)))?).await
    }

    async fn build_request(&self, body: Bytes) -> Result<Request<Full<Bytes>>, String> {
        let Inner { region, endpoint, credentials, clock, .. } = &*self.0;
        let now = clock.now();
        let credentials =
            credentials.get(now).await.map_err(|error| format!("no credentials to sign with: {error}"))?;
        let request = Request::post(endpoint)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
            .map_err(|error| error.to_string())?;
        let scope = SigningScope { service: "sts", region };
        sign_request(request, scope, &credentials, now).map_err(|error| error.to_string())
    }
}

fn encode_form(role: &RoleArn, policy: &str) -> String {
    let (role, policy) = (percent::encode(role.as_str()), percent::encode(policy));
    format!(
        "Action=AssumeRole&Version=2011-06-15&DurationSeconds={SESSION_SECONDS}&RoleSessionName={SESSION_NAME}\
         &RoleArn={role}&Policy={policy}"
    )
}

async fn read_session(response: Response<Incoming>) -> Result<Credentials, AttemptError> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_RESPONSE_BYTES).collect().await;
    let broken = |error| AttemptError::Transient(format!("the response was cut short: {error}"));
    let body = body.map_err(broken)?.to_bytes();
    let xml = String::from_utf8_lossy(&body);
    if !head.status.is_success() {
        return Err(read_error(head.status, &xml));
    }
    parse_credentials(&xml).ok_or_else(|| AttemptError::Transient("the response has no session".to_owned()))
}

fn parse_credentials(xml: &str) -> Option<Credentials> {
    // STS puts some values on a line of their own.
    let find = |name| find_xml_element(xml, name).map(str::trim);
    let (id, secret, token) = (find("AccessKeyId")?, find("SecretAccessKey")?, find("SessionToken")?);
    let expires_at = OffsetDateTime::parse(find("Expiration")?, &Rfc3339).ok()?;
    let expires_at = UNIX_EPOCH + Duration::from_secs(u64::try_from(expires_at.unix_timestamp()).ok()?);
    Some(Credentials::new(id, secret, Some(token.to_owned()), Some(expires_at), "AssumeRole"))
}

fn read_error(status: StatusCode, xml: &str) -> AttemptError {
    let code = find_xml_element(xml, "Code").map(str::trim).map_or_else(|| status.to_string(), str::to_owned);
    // `IDPCommunicationError` and others are for other operations (`AssumeRole`, "Errors"; "Common errors").
    if status.is_server_error() || code.contains("Throttl") || code == "RequestLimitExceeded" {
        return AttemptError::Transient(format!("{code}, status {}", status.as_u16()));
    }
    // The lines after the first may repeat the request.
    let message = find_xml_element(xml, "Message")
        .and_then(|message| message.trim().lines().next())
        .unwrap_or_default();
    let message = message.chars().take(MAX_MESSAGE_CHARS).collect();
    AttemptError::Permanent(Error::Refused { code, message })
}

/// Sessions of one role under one session policy.
#[derive(Debug)]
pub struct RoleSessions {
    /// The client that assumes the role.
    pub client: StsClient,
    /// The role.
    pub role: RoleArn,
    /// The session policy (JSON).
    pub policy: String,
}

impl ProvideCredentials for RoleSessions {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let session = self.client.assume_role(&self.role, &self.policy).await;
            session.map_err(CredentialsError::provider_error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validates_role_arns() {
        for arn in [
            "arn:aws:iam::123456789012:role/reader",
            "arn:aws:iam::123456789012:role/team/a/Reader+=,.@_-1",
            "arn:aws-us-gov:iam::123456789012:role/reader",
        ] {
            assert_eq!(RoleArn::new(arn).unwrap().as_str(), arn);
        }
        assert_eq!(RoleArn::new("arn:aws-cn:iam::123456789012:role/r").unwrap().partition(), "aws-cn");
        for arn in [
            "",
            "reader",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/a//b",
            "arn:aws:iam::123456789012:role/*",
            "arn:aws:iam::123456789012:user/reader",
            "arn:aws:iam::12345678901:role/reader",
            "arn:aws:iam:us-east-1:123456789012:role/reader",
            "arn:aws:sts::123456789012:assumed-role/reader/session",
            "arn:evil:iam::123456789012:role/reader",
            "arn:aws:iam::123456789012:role/reader\n",
            "arn:aws:iam::123456789012:role/a:b",
        ] {
            assert_eq!(RoleArn::new(arn), Err(ParseRoleArnError), "{arn}");
        }
    }

    /// The example of the API Reference (`AssumeRole`), shortened.
    #[test]
    fn reads_a_session() {
        let xml = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <AssumeRoleResult>\n  \
             <AssumedRoleUser>\n    <Arn>arn:aws:sts::123456789012:assumed-role/demo/TestAR</Arn>\n  </AssumedRoleUser>\n  \
             <Credentials>\n    <AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId>\n    \
             <SecretAccessKey>wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY</SecretAccessKey>\n    <SessionToken>\n     \
             AQoDYXdzEPT//////////wEXAMPLE==\n    </SessionToken>\n    \
             <Expiration>2019-11-09T13:34:41Z</Expiration>\n  </Credentials>\n </AssumeRoleResult>\n</AssumeRoleResponse>";
        let session = parse_credentials(xml).unwrap();
        assert_eq!(session.access_key_id(), "ASIAIOSFODNN7EXAMPLE");
        assert_eq!(session.secret_access_key(), "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY");
        assert_eq!(session.session_token(), Some("AQoDYXdzEPT//////////wEXAMPLE=="));
        assert_eq!(crate::credentials::expires_at(&session), Some(1_573_306_481));
        for incomplete in ["", "<AccessKeyId>A</AccessKeyId>", &xml.replace("Expiration", "Other")] {
            assert!(parse_credentials(incomplete).is_none());
        }
    }

    #[test]
    fn errors_say_whether_another_attempt_may_help() {
        let refusal = |status: u16, xml: &str| match read_error(StatusCode::from_u16(status).unwrap(), xml) {
            AttemptError::Permanent(error) => error.to_string(),
            AttemptError::Transient(text) => format!("transient: {text}"),
        };
        let xml = |code: &str| {
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no\ntoken</Message></Error>"
            )
        };
        assert_eq!(refusal(403, &xml("AccessDenied")), "AccessDenied: no");
        assert_eq!(refusal(400, &xml("MalformedPolicyDocument")), "MalformedPolicyDocument: no");
        assert_eq!(refusal(400, &xml("Throttling")), "transient: Throttling, status 400");
        assert_eq!(refusal(500, &xml("InternalFailure")), "transient: InternalFailure, status 500");
        assert_eq!(refusal(403, "<html>"), "403 Forbidden: ");
    }

    #[test]
    fn the_form_has_nothing_of_the_request() {
        let role = RoleArn::new("arn:aws:iam::123456789012:role/reader").unwrap();
        assert_eq!(
            encode_form(&role, r#"{"a":"${*}"}"#),
            "Action=AssumeRole&Version=2011-06-15&DurationSeconds=3600&RoleSessionName=packages-service-presign-session\
             &RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Freader&Policy=%7B%22a%22%3A%22%24%7B%2A%7D%22%7D"
        );
    }
}
