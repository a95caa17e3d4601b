//! The signing key in Parameter Store.

use std::time::Duration;

use aws::{HttpClient, JsonClient};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use local::aws::{
    Account, FunctionResources,
    scripted::{ScriptedReply, ScriptedServer},
    unique_name,
};
use signing::cloudfront::{HashAlgorithm, KeyPairId, PrivateKey};
use signing_keys::{KeyMatch, KeyRotation, KeySource, SigningKeyError, TrustedKey};

/// The name of a missing parameter, and a key source with the permissions of the service function.
async fn key_source(root: &Account) -> (String, KeySource) {
    let name = format!("/test/{}/cloudfront/private-key", unique_name("service"));
    let resources = FunctionResources { key_parameter: &name, ..FunctionResources::default() };
    let service = root.create_function_user("service", resources).await.unwrap();
    let source = KeySource::Ssm { client: service.ssm().unwrap(), name: name.clone() };
    (name, source)
}

/// A configuration with the id of the key and without the key.
fn trusted_key(id: &KeyPairId) -> TrustedKey {
    TrustedKey { id: id.clone(), public_key: None }
}

/// Stores a new key in the format of the key script: a PEM file in base64.
async fn put_key(root: &Account, name: &str, id: Option<&str>) -> PrivateKey {
    let key = PrivateKey::generate_p256().unwrap();
    let id = id.map(|id| format!("Key-Pair-Id: {id}\n")).unwrap_or_default();
    let value = STANDARD.encode(format!("{id}{}", *key.to_pkcs8_pem().unwrap()));
    root.put_parameter(name, "SecureString", &value).await.unwrap();
    key
}

#[tokio::test]
async fn an_encrypted_parameter_is_decrypted() {
    let root = Account::root().unwrap();
    let (name, source) = key_source(&root).await;
    let key = put_key(&root, &name, Some("K2JCJMDEHXQW5F")).await;
    let found = source.load().await.unwrap();
    assert_eq!(found.key.public_key().unwrap(), key.public_key().unwrap());
    assert_eq!(found.id.unwrap().as_str(), "K2JCJMDEHXQW5F");
    let now = aws::Clock::System.now();
    assert!(found.changed_at.unwrap().abs_diff(now) < 60, "{:?}", found.changed_at);
}

#[tokio::test]
async fn the_error_for_a_missing_parameter_names_the_variable() {
    let root = Account::root().unwrap();
    let (name, source) = key_source(&root).await;
    let error = source.load().await.unwrap_err();
    assert!(matches!(error, SigningKeyError::ParameterNotFound));
    let text = error.to_string();
    assert!(text.contains("CLOUDFRONT_PRIVATE_KEY_SSM_PARAM") && !text.contains(&name), "{text}");

    root.put_parameter(&name, "SecureString", "dummy").await.unwrap();
    let error = source.load().await.unwrap_err();
    assert!(
        matches!(error, SigningKeyError::InvalidKey(_)) && !format!("{error:?}{error}").contains("dummy"),
        "{error}"
    );
}

#[tokio::test]
async fn another_services_parameter_is_refused() {
    let root = Account::root().unwrap();
    let (_, KeySource::Ssm { client, .. }) = key_source(&root).await else { unreachable!() };
    let (other, _) = key_source(&root).await;
    put_key(&root, &other, None).await;
    let error = KeySource::Ssm { client, name: other }.load().await.unwrap_err();
    assert!(
        matches!(&error, SigningKeyError::Ssm(error) if error.has_code("AccessDeniedException")),
        "{error}"
    );
}

#[tokio::test]
async fn a_new_key_is_used_only_with_its_id() {
    let root = Account::root().unwrap();
    let (name, source) = key_source(&root).await;
    put_key(&root, &name, None).await;
    let id = KeyPairId::new("KFROMENVIRONMENT").unwrap();
    let rotation =
        KeyRotation::new(source, Some(trusted_key(&id)), HashAlgorithm::Sha256, Duration::from_mins(5));
    assert_eq!(*rotation.load_initial().await.unwrap().key_pair_id(), id);
    assert!(rotation.reload().await.is_none());
    put_key(&root, &name, None).await;
    assert!(rotation.reload().await.is_none(), "its id is unknown");
    let key = put_key(&root, &name, Some("KNEW")).await;
    let signer = rotation.reload().await.unwrap();
    assert_eq!(signer.key_pair_id().as_str(), "KNEW");
    assert_eq!(signer.private_key().public_key().unwrap(), key.public_key().unwrap());
}

#[tokio::test]
async fn a_key_without_an_id_is_unproven_after_a_change() {
    let root = Account::root().unwrap();
    let (name, source) = key_source(&root).await;
    let trusted = trusted_key(&KeyPairId::new("KFROMENVIRONMENT").unwrap());
    let found = async || source.load().await.unwrap().resolve_id(Some(&trusted)).unwrap().1;
    put_key(&root, &name, None).await;
    assert_eq!(found().await, KeyMatch::Assumed);
    let key = put_key(&root, &name, None).await;
    assert_eq!(found().await, KeyMatch::Unverified);
    let public_key = Some(key.public_key().unwrap());
    let known = TrustedKey { public_key, ..trusted.clone() };
    assert_eq!(source.load().await.unwrap().resolve_id(Some(&known)).unwrap().1, KeyMatch::Verified);
    put_key(&root, &name, Some("KNEW")).await;
    assert_eq!(found().await, KeyMatch::Named);
}

#[tokio::test]
async fn the_current_key_stays_while_ssm_is_unavailable() {
    let key = PrivateKey::generate_p256().unwrap().to_pkcs8_pem().unwrap();
    let parameter = serde_json::json!({"Parameter": {"Value": *key, "LastModifiedDate": 1.5e9}}).to_string();
    let server = ScriptedServer::start([ScriptedReply::Response(200, parameter)]).await.unwrap();
    let client = JsonClient::ssm(&server.settings().unwrap(), HttpClient::new().unwrap()).unwrap();
    let source = KeySource::Ssm { client, name: "key".into() };
    let id = KeyPairId::new("K1").unwrap();
    let rotation =
        KeyRotation::new(source, Some(trusted_key(&id)), HashAlgorithm::Sha256, Duration::from_mins(5));
    rotation.load_initial().await.unwrap();
    let request = server.requests().remove(0);
    assert_eq!(request.body, serde_json::json!({"Name": "key", "WithDecryption": true}));
    assert!(rotation.reload().await.is_none());
}
