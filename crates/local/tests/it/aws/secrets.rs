//! The signing key in Parameter Store.

use std::time::Duration;

use aws::{HttpClient, JsonClient};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use local::aws::{
    Account, Resources,
    scripted::{Scene, Scripted},
};
use signing::cloudfront::{Hash, KeyPairId, PrivateKey};
use signing_keys::{KeyMatch, KeyRotation, KeySource, SigningKeyError, TrustedKey};

use super::unique;

/// A parameter that is not there yet, and the source that reads it as the service function does.
async fn source(root: &Account) -> (String, KeySource) {
    let name = format!("/test/{}/cloudfront/private-key", unique("service"));
    let service =
        root.function("service", Resources { parameter: &name, ..Resources::default() }).await.unwrap();
    let source = KeySource::Ssm { client: service.ssm().unwrap(), name: name.clone() };
    (name, source)
}

/// What an environment says that names an id and no more.
fn trusted(id: &KeyPairId) -> TrustedKey {
    TrustedKey { id: id.clone(), public_key: None }
}

/// Puts a new key there, as the key script writes it: a PEM file in base64.
async fn put(root: &Account, name: &str, id: Option<&str>) -> PrivateKey {
    let key = PrivateKey::generate_p256().unwrap();
    let id = id.map(|id| format!("Key-Pair-Id: {id}\n")).unwrap_or_default();
    let value = STANDARD.encode(format!("{id}{}", *key.to_pkcs8_pem().unwrap()));
    root.put_parameter(name, "SecureString", &value).await.unwrap();
    key
}

#[tokio::test]
async fn an_encrypted_parameter_is_read_decrypted() {
    let root = Account::root().unwrap();
    let (name, source) = source(&root).await;
    let key = put(&root, &name, Some("K2JCJMDEHXQW5F")).await;
    let found = source.load().await.unwrap();
    assert_eq!(found.key.public_key().unwrap(), key.public_key().unwrap());
    assert_eq!(found.id.unwrap().as_str(), "K2JCJMDEHXQW5F");
    let now = aws::Clock::System.now();
    assert!(found.changed_at.unwrap().abs_diff(now) < 60, "{:?}", found.changed_at);
}

#[tokio::test]
async fn a_parameter_that_is_not_there_is_named_by_its_variable() {
    let root = Account::root().unwrap();
    let (name, source) = source(&root).await;
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
    let (_, KeySource::Ssm { client: service, .. }) = source(&root).await else { unreachable!() };
    let (other, _) = source(&root).await;
    put(&root, &other, None).await;
    let error = KeySource::Ssm { client: service, name: other }.load().await.unwrap_err();
    assert!(
        matches!(&error, SigningKeyError::Ssm(error) if error.has_code("AccessDeniedException")),
        "{error}"
    );
}

#[tokio::test]
async fn a_new_value_is_taken_over_if_it_brings_its_id() {
    let root = Account::root().unwrap();
    let (name, source) = source(&root).await;
    put(&root, &name, None).await;
    let id = KeyPairId::new("KFROMENVIRONMENT").unwrap();
    let rotation = KeyRotation::new(source, Some(trusted(&id)), Hash::Sha256, Duration::from_mins(5));
    assert_eq!(*rotation.load_initial().await.unwrap().key_pair_id(), id);
    assert!(rotation.reload().await.is_none());
    put(&root, &name, None).await;
    assert!(rotation.reload().await.is_none(), "nobody knows its id");
    let key = put(&root, &name, Some("KNEW")).await;
    let signer = rotation.reload().await.unwrap();
    assert_eq!(signer.key_pair_id().as_str(), "KNEW");
    assert_eq!(signer.private_key().public_key().unwrap(), key.public_key().unwrap());
}

#[tokio::test]
async fn a_key_that_was_replaced_by_hand_is_doubted() {
    let root = Account::root().unwrap();
    let (name, source) = source(&root).await;
    let trusted = trusted(&KeyPairId::new("KFROMENVIRONMENT").unwrap());
    let found = async || source.load().await.unwrap().resolve_id(Some(&trusted)).unwrap().1;
    put(&root, &name, None).await;
    assert_eq!(found().await, KeyMatch::Assumed);
    let key = put(&root, &name, None).await;
    assert_eq!(found().await, KeyMatch::Unverified);
    let public_key = Some(key.public_key().unwrap());
    let known = TrustedKey { public_key, ..trusted.clone() };
    assert_eq!(source.load().await.unwrap().resolve_id(Some(&known)).unwrap().1, KeyMatch::Verified);
    put(&root, &name, Some("KNEW")).await;
    assert_eq!(found().await, KeyMatch::Named);
}

#[tokio::test]
async fn the_key_in_use_stays_while_ssm_is_away() {
    let key = PrivateKey::generate_p256().unwrap().to_pkcs8_pem().unwrap();
    let parameter = serde_json::json!({"Parameter": {"Value": *key, "LastModifiedDate": 1.5e9}}).to_string();
    let server = Scripted::start([Scene::Says(200, parameter)]).await.unwrap();
    let service = JsonClient::ssm(&server.settings().unwrap(), HttpClient::new().unwrap()).unwrap();
    let source = KeySource::Ssm { client: service, name: "key".into() };
    let id = KeyPairId::new("K1").unwrap();
    let rotation = KeyRotation::new(source, Some(trusted(&id)), Hash::Sha256, Duration::from_mins(5));
    rotation.load_initial().await.unwrap();
    let (_, asked) = server.asked().remove(0);
    assert_eq!(asked, serde_json::json!({"Name": "key", "WithDecryption": true}));
    assert!(rotation.reload().await.is_none());
}
