//! Assuming roles.

use aws::{
    Clock, Error, HttpClient,
    credentials::expires_at,
    sts::{RoleArn, StsClient},
};
use local::aws::{
    Account,
    scripted::{ScriptedReply, ScriptedServer},
};

const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}"#;

async fn scripted(replies: Vec<ScriptedReply>) -> (ScriptedServer, StsClient) {
    let server = ScriptedServer::start(replies).await.unwrap();
    let client = StsClient::new(&server.settings().unwrap(), HttpClient::new().unwrap()).unwrap();
    (server, client)
}

fn role() -> RoleArn {
    RoleArn::new("arn:aws:iam::123456789012:role/reader").unwrap()
}

fn refusal(status: u16, code: &str) -> ScriptedReply {
    let xml =
        format!("<ErrorResponse><Error><Code>{code}</Code><Message>why</Message></Error></ErrorResponse>");
    ScriptedReply::Response(status, xml)
}

#[tokio::test]
async fn a_role_is_assumed_for_an_hour() {
    let root = Account::root().unwrap();
    let role = RoleArn::new(&root.create_role(POLICY).await.unwrap()).unwrap();
    let session = root.sts().unwrap().assume_role(&role, POLICY).await.unwrap();
    let lasts = expires_at(&session).unwrap() - Clock::System.now();
    assert!((3500..=3600).contains(&lasts), "{lasts}");
    assert!(session.session_token().is_some());
}

#[tokio::test]
async fn a_refusal_is_not_repeated_and_throttling_is() {
    let (server, client) = scripted(vec![refusal(403, "AccessDenied")]).await;
    let error = client.assume_role(&role(), POLICY).await.unwrap_err();
    assert_eq!(error, Error::Refused { code: "AccessDenied".to_owned(), message: "why".to_owned() });
    assert_eq!(server.requests().len(), 1);

    let (server, client) = scripted(vec![refusal(400, "Throttling"), refusal(403, "AccessDenied")]).await;
    assert!(client.assume_role(&role(), POLICY).await.unwrap_err().has_code("AccessDenied"));
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_policy_that_sts_would_refuse_is_not_sent() {
    let (server, client) = scripted(vec![]).await;
    let error = client.assume_role(&role(), &"x".repeat(2049)).await.unwrap_err();
    assert!(error.has_code("PackedPolicyTooLarge"));
    assert!(server.requests().is_empty());
}
