//! When keys are fetched, how often, and what happens while that fails.

use std::time::Duration;

use authorize::{AuthenticationError, InvalidToken, TokenSubject, TokenVerifier};
use futures_util::{FutureExt as _, future::join_all};
use tokio::{net::TcpSocket, time::timeout};

use crate::{
    key_server::{KeyServer, ServerReply},
    tokens::{
        NOW, key_set_json, key_set_reply, pool_token, token, token_with_key_id, trusted_issuer, verifier,
    },
};

const HOUR_SECONDS: u64 = 3600;

async fn verify(verifier: &TokenVerifier, token: &str, now: u64) -> Result<(), AuthenticationError> {
    verifier.verify(token, now).await.map(drop)
}

fn is_unavailable<T>(result: &Result<T, AuthenticationError>) -> bool {
    matches!(result, Err(AuthenticationError::Unavailable(_)))
}

async fn wait_for_requests(server: &KeyServer, count: usize) {
    let polling = async {
        while server.request_count() < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(30), polling).await.unwrap();
}

const UNKNOWN_KEY: Result<(), AuthenticationError> =
    Err(AuthenticationError::Invalid(InvalidToken::Signature));

#[tokio::test]
async fn many_tokens_at_a_cold_start_cause_one_fetch() {
    let server = KeyServer::start(key_set_reply(&[0, 1])).await;
    server.set_delay(Duration::from_millis(50));
    let (verifier, tokens) = (verifier(&server), [token(0), token(1)]);
    let results = (0..50).map(|n| verify(&verifier, &tokens[n % 2], NOW));
    assert!(join_all(results).await.iter().all(Result::is_ok));
    assert_eq!(server.requests(), ["GET /us-east-1_people/.well-known/jwks.json HTTP/1.1"]);
}

#[tokio::test]
async fn a_new_key_causes_one_fetch() {
    let server = KeyServer::start(key_set_reply(&[0])).await;
    let verifier = verifier(&server);
    assert_eq!(verify(&verifier, &token(0), NOW).await, Ok(()));
    server.set_reply(key_set_reply(&[0, 1]));
    let new = token(1);
    let results = join_all((0..20).map(|_| verify(&verifier, &new, NOW + 60))).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(verify(&verifier, &token(0), NOW + 61).await, Ok(()));
    assert_eq!(server.request_count(), 2);
}

#[tokio::test]
async fn unknown_key_ids_cause_one_fetch_in_thirty_seconds() {
    let server = KeyServer::start(key_set_reply(&[0])).await;
    let verifier = verifier(&server);
    let tokens: Vec<_> = (0..40).map(|n| token_with_key_id("people", 1, &format!("invented-{n}"))).collect();
    for second in 0..120 {
        let results = tokens.iter().map(|token| verify(&verifier, token, NOW + second));
        assert!(join_all(results).await.iter().all(|result| *result == UNKNOWN_KEY));
    }
    assert_eq!(server.request_count(), 4);
    assert_eq!(verify(&verifier, &token(0), NOW + 120).await, Ok(()));
}

#[tokio::test]
async fn tokens_refused_without_a_key_cause_no_fetch() {
    let server = KeyServer::start(key_set_reply(&[0])).await;
    let verifier = verifier(&server);
    for (token, now) in [
        (token(0), NOW + 86_400),
        (pool_token("strangers", 0), NOW),
        ("nonsense".to_owned(), NOW),
        (token_with_key_id("people", 0, &"x".repeat(9000)), NOW),
    ] {
        assert!(matches!(verify(&verifier, &token, now).await, Err(AuthenticationError::Invalid(_))));
    }
    assert_eq!(server.request_count(), 0);
}

#[tokio::test]
async fn tokens_are_not_refused_while_there_are_no_keys() {
    let server = KeyServer::start(ServerReply::Status(503, String::new())).await;
    let verifier = verifier(&server);
    let tokens = [token(0), token_with_key_id("people", 0, "invented")];
    let results = join_all((0..40).map(|n| verify(&verifier, &tokens[n % 2], NOW))).await;
    assert!(results.iter().all(is_unavailable), "{results:?}");
    assert_eq!(server.request_count(), 1);

    // Five seconds later the keys are fetched again.
    server.set_reply(key_set_reply(&[0]));
    assert!(is_unavailable(&verify(&verifier, &tokens[0], NOW + 4).await));
    assert_eq!(verify(&verifier, &tokens[0], NOW + 5).await, Ok(()));
    assert_eq!(verify(&verifier, &tokens[1], NOW + 5).await, UNKNOWN_KEY);
    assert_eq!(server.request_count(), 2);
}

#[tokio::test]
async fn old_keys_remain_valid_during_an_outage() {
    let server = KeyServer::start(key_set_reply(&[0])).await;
    let verifier = verifier(&server);
    assert_eq!(verify(&verifier, &token(0), NOW).await, Ok(()));
    server.set_reply(ServerReply::Status(500, String::new()));
    for second in [
        HOUR_SECONDS - 1,
        HOUR_SECONDS,
        HOUR_SECONDS + 10,
        HOUR_SECONDS + 29,
        HOUR_SECONDS + 30,
        10 * HOUR_SECONDS,
        20 * HOUR_SECONDS,
    ] {
        assert_eq!(verify(&verifier, &token(0), NOW + second).await, Ok(()), "{second}");
    }
    assert_eq!(server.request_count(), 5);
    // An unknown key may be a new one, so its token is not refused.
    assert!(is_unavailable(&verify(&verifier, &token(1), NOW + 20 * HOUR_SECONDS).await));
    assert_eq!(server.request_count(), 5);
    server.set_reply(key_set_reply(&[1]));
    assert_eq!(verify(&verifier, &token(1), NOW + 21 * HOUR_SECONDS).await, Ok(()));
    assert_eq!(
        verify(&verifier, &token(0), NOW + 21 * HOUR_SECONDS).await,
        UNKNOWN_KEY,
        "the old key was revoked"
    );
}

#[tokio::test]
async fn one_caller_fetches_keys_again_after_an_hour() {
    let server = KeyServer::start(key_set_reply(&[0])).await;
    let verifier = verifier(&server);
    let good = token(0);
    assert_eq!(verify(&verifier, &good, NOW).await, Ok(()));
    server.set_reply(ServerReply::NoResponse);
    let waiting = tokio::spawn({
        let (verifier, good) = (verifier.clone(), good.clone());
        async move { verify(&verifier, &good, NOW + HOUR_SECONDS).await }
    });
    wait_for_requests(&server, 2).await;
    for _ in 0..50 {
        let other = verify(&verifier, &good, NOW + HOUR_SECONDS).now_or_never();
        assert_eq!(other, Some(Ok(())), "the others do not wait");
    }
    assert_eq!(waiting.await.unwrap(), Ok(()));
    assert_eq!(server.request_count(), 2);
}

#[tokio::test]
async fn a_clock_set_back_does_not_prevent_fetches() {
    let server = KeyServer::start(key_set_reply(&[0])).await;
    let verifier = verifier(&server);
    assert_eq!(verify(&verifier, &token(0), NOW).await, Ok(()));
    server.set_reply(key_set_reply(&[1]));
    assert_eq!(verify(&verifier, &token(1), NOW - 3 * HOUR_SECONDS).await, Ok(()));
}

#[tokio::test]
async fn invalid_responses_leave_the_old_keys() {
    let server = KeyServer::start(key_set_reply(&[0])).await;
    let verifier = verifier(&server);
    assert_eq!(verify(&verifier, &token(0), NOW).await, Ok(()));
    let many: Vec<usize> = [1; 17].into();
    for (hours, reply) in (1..).zip([
        ServerReply::Status(200, String::new()),
        ServerReply::Status(200, "<html>a captive portal</html>".to_owned()),
        ServerReply::Status(200, r#"{"keys":[]}"#.to_owned()),
        ServerReply::Status(200, key_set_json(&[1]).replace("RS256", "RS512")),
        ServerReply::Status(200, key_set_json(&many)),
        ServerReply::Status(200, format!("{}{}", key_set_json(&[1]), " ".repeat(64 * 1024))),
        ServerReply::Status(404, key_set_json(&[1])),
        ServerReply::Status(201, key_set_json(&[1])),
        ServerReply::Redirect,
        ServerReply::Disconnect,
    ]) {
        server.set_reply(reply);
        let before = server.request_count();
        assert!(is_unavailable(&verify(&verifier, &token(1), NOW + hours * HOUR_SECONDS).await), "{hours}");
        assert_eq!(verify(&verifier, &token(0), NOW + hours * HOUR_SECONDS).await, Ok(()), "{hours}");
        assert_eq!(server.request_count(), before + 1, "{hours}: follows no redirect, and does not retry");
    }
}

#[tokio::test]
async fn a_slow_server_times_out() {
    for reply in [ServerReply::NoResponse, ServerReply::Slow(key_set_json(&[0]), Duration::from_millis(100))]
    {
        let server = KeyServer::start(reply).await;
        let verifier = verifier(&server);
        let tokens = [token(0), token(1)];
        let results = join_all((0..20).map(|n| verify(&verifier, &tokens[n % 2], NOW))).await;
        assert!(results.iter().all(is_unavailable));
        assert_eq!(server.request_count(), 1);
    }
}

#[tokio::test]
async fn a_closed_port_is_unavailable() {
    // A bound socket that does not listen reserves its port and refuses connections.
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    let people = trusted_issuer("people", TokenSubject::People, &url);
    let result = verify(&TokenVerifier::new(vec![people]), &token(0), NOW).await;
    assert!(is_unavailable(&result));
    assert!(result.unwrap_err().to_string().contains("us-east-1_people"));
}

#[tokio::test]
async fn a_caller_who_disconnects_does_not_cancel_the_fetch() {
    let server = KeyServer::start(key_set_reply(&[0])).await;
    server.set_delay(Duration::from_millis(50));
    let verifier = verifier(&server);
    let token = token(0);
    let disconnecting_caller = || verify(&verifier, &token, NOW).now_or_never();
    assert_eq!(disconnecting_caller(), None);
    wait_for_requests(&server, 1).await;
    assert!((0..20).all(|_| disconnecting_caller().is_none()));
    assert_eq!(verify(&verifier, &token, NOW).await, Ok(()));
    assert_eq!(server.request_count(), 1);
}

#[tokio::test]
async fn each_pool_has_its_own_keys() {
    let (first, second) =
        (KeyServer::start(key_set_reply(&[0])).await, KeyServer::start(key_set_reply(&[1])).await);
    let verifier = TokenVerifier::new(vec![
        trusted_issuer("people", TokenSubject::People, &first.url()),
        trusted_issuer("api", TokenSubject::ApiKeys, &second.url()),
    ]);
    assert_eq!(verify(&verifier, &pool_token("people", 0), NOW).await, Ok(()));
    assert_eq!(verify(&verifier, &pool_token("api", 1), NOW).await, Ok(()));
    assert_eq!(verify(&verifier, &pool_token("people", 1), NOW).await, UNKNOWN_KEY);
    assert_eq!(verify(&verifier, &pool_token("api", 0), NOW).await, UNKNOWN_KEY);
    assert_eq!(verify(&verifier, &token_with_key_id("api", 0, "key-1"), NOW).await, UNKNOWN_KEY);

    // An outage of one pool does not affect the other.
    second.set_reply(ServerReply::Disconnect);
    assert_eq!(verify(&verifier, &pool_token("people", 0), NOW + HOUR_SECONDS).await, Ok(()));
    assert_eq!(verify(&verifier, &pool_token("api", 1), NOW + HOUR_SECONDS).await, Ok(()));
    assert_eq!((first.request_count(), second.request_count()), (2, 2));
}
