//! When keys are fetched, how often, and what holds while they cannot be.

use std::time::{Duration, Instant};

use authorize::{AuthenticationError, InvalidToken, TokenSubject, Verifier, keys::KeyCache};
use aws::HttpClient;
use futures_util::{FutureExt as _, future::join_all};

use crate::{
    issuer::{NOW, document, pool, published, token, token_naming, token_of, verifier},
    server::{Reply, Server},
};

const HOUR: u64 = 3600;

async fn verdict(verifier: &Verifier, token: &str, now: u64) -> Result<(), AuthenticationError> {
    verifier.verify(token, now).await.map(drop)
}

fn is_unavailable<T>(verdict: &Result<T, AuthenticationError>) -> bool {
    matches!(verdict, Err(AuthenticationError::Unavailable(_)))
}

const UNKNOWN_KEY: Result<(), AuthenticationError> =
    Err(AuthenticationError::Invalid(InvalidToken::Signature));

#[tokio::test]
async fn many_tokens_at_a_cold_start_are_one_fetch() {
    let server = Server::start(published(&[0, 1])).await;
    server.pause(Duration::from_millis(50));
    let (verifier, tokens) = (verifier(&server), [token(0), token(1)]);
    let verdicts = (0..50).map(|n| verdict(&verifier, &tokens[n % 2], NOW));
    assert!(join_all(verdicts).await.iter().all(Result::is_ok));
    assert_eq!(server.requests(), ["GET /us-east-1_people/.well-known/jwks.json HTTP/1.1"]);
}

#[tokio::test]
async fn a_new_key_is_found_by_one_fetch() {
    let server = Server::start(published(&[0])).await;
    let verifier = verifier(&server);
    assert_eq!(verdict(&verifier, &token(0), NOW).await, Ok(()));
    server.reply(published(&[0, 1]));
    let new = token(1);
    let verdicts = join_all((0..20).map(|_| verdict(&verifier, &new, NOW + 60))).await;
    assert!(verdicts.iter().all(Result::is_ok));
    assert_eq!(verdict(&verifier, &token(0), NOW + 61).await, Ok(()));
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn unknown_key_ids_cause_a_fetch_in_thirty_seconds() {
    let server = Server::start(published(&[0])).await;
    let verifier = verifier(&server);
    let tokens: Vec<_> = (0..40).map(|n| token_naming("people", 1, &format!("invented-{n}"))).collect();
    for second in 0..120 {
        let verdicts = tokens.iter().map(|token| verdict(&verifier, token, NOW + second));
        assert!(join_all(verdicts).await.iter().all(|verdict| *verdict == UNKNOWN_KEY));
    }
    assert_eq!(server.count(), 4);
    assert_eq!(verdict(&verifier, &token(0), NOW + 120).await, Ok(()));
}

#[tokio::test]
async fn tokens_that_need_no_key_to_be_refused_cause_no_fetch() {
    let server = Server::start(published(&[0])).await;
    let verifier = verifier(&server);
    for (token, now) in [
        (token(0), NOW + 86_400),
        (token_of("strangers", 0), NOW),
        ("nonsense".to_owned(), NOW),
        (token_naming("people", 0, &"x".repeat(9000)), NOW),
    ] {
        assert!(matches!(verdict(&verifier, &token, now).await, Err(AuthenticationError::Invalid(_))));
    }
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn without_any_keys_nobody_is_refused() {
    let server = Server::start(Reply::With(503, String::new())).await;
    let verifier = verifier(&server);
    let tokens = [token(0), token_naming("people", 0, "invented")];
    let verdicts = join_all((0..40).map(|n| verdict(&verifier, &tokens[n % 2], NOW))).await;
    assert!(verdicts.iter().all(is_unavailable), "{verdicts:?}");
    assert_eq!(server.count(), 1);

    // A moment later it is asked again, and soon it is well.
    server.reply(published(&[0]));
    assert!(is_unavailable(&verdict(&verifier, &tokens[0], NOW + 4).await));
    assert_eq!(verdict(&verifier, &tokens[0], NOW + 5).await, Ok(()));
    assert_eq!(verdict(&verifier, &tokens[1], NOW + 5).await, UNKNOWN_KEY);
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn old_keys_outlive_an_outage() {
    let server = Server::start(published(&[0])).await;
    let verifier = verifier(&server);
    assert_eq!(verdict(&verifier, &token(0), NOW).await, Ok(()));
    server.reply(Reply::With(500, String::new()));
    for second in [HOUR - 1, HOUR, HOUR + 10, HOUR + 29, HOUR + 30, 10 * HOUR, 20 * HOUR] {
        assert_eq!(verdict(&verifier, &token(0), NOW + second).await, Ok(()), "{second}");
    }
    assert_eq!(server.count(), 5);
    // What is not known now might be a new key: that is no reason to refuse it.
    assert!(is_unavailable(&verdict(&verifier, &token(1), NOW + 20 * HOUR).await));
    assert_eq!(server.count(), 5);
    server.reply(published(&[1]));
    assert_eq!(verdict(&verifier, &token(1), NOW + 21 * HOUR).await, Ok(()));
    assert_eq!(verdict(&verifier, &token(0), NOW + 21 * HOUR).await, UNKNOWN_KEY, "it was taken back");
}

#[tokio::test]
async fn keys_are_asked_for_again_after_an_hour_by_one_bearer() {
    let server = Server::start(published(&[0])).await;
    let verifier = verifier(&server);
    let good = token(0);
    assert_eq!(verdict(&verifier, &good, NOW).await, Ok(()));
    server.reply(Reply::Never);
    let waiting = tokio::spawn({
        let (verifier, good) = (verifier.clone(), good.clone());
        async move { verdict(&verifier, &good, NOW + HOUR).await }
    });
    while server.count() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for _ in 0..50 {
        let other = verdict(&verifier, &good, NOW + HOUR).now_or_never();
        assert_eq!(other, Some(Ok(())), "the others do not wait");
    }
    assert_eq!(waiting.await.unwrap(), Ok(()));
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_clock_that_was_set_back_stops_nothing() {
    let server = Server::start(published(&[0])).await;
    let verifier = verifier(&server);
    assert_eq!(verdict(&verifier, &token(0), NOW).await, Ok(()));
    server.reply(published(&[1]));
    assert_eq!(verdict(&verifier, &token(1), NOW - 3 * HOUR).await, Ok(()));
}

#[tokio::test]
async fn answers_that_are_no_keys_leave_the_old_ones() {
    let server = Server::start(published(&[0])).await;
    let verifier = verifier(&server);
    assert_eq!(verdict(&verifier, &token(0), NOW).await, Ok(()));
    let many: Vec<usize> = [1; 17].into();
    for (hours, reply) in (1..).zip([
        Reply::With(200, String::new()),
        Reply::With(200, "<html>a captive portal</html>".to_owned()),
        Reply::With(200, r#"{"keys":[]}"#.to_owned()),
        Reply::With(200, document(&[1]).replace("RS256", "RS512")),
        Reply::With(200, document(&many)),
        Reply::With(200, format!("{}{}", document(&[1]), " ".repeat(64 * 1024))),
        Reply::With(404, document(&[1])),
        Reply::With(201, document(&[1])),
        Reply::Elsewhere,
        Reply::HangUp,
    ]) {
        server.reply(reply);
        let before = server.count();
        assert!(is_unavailable(&verdict(&verifier, &token(1), NOW + hours * HOUR).await), "{hours}");
        assert_eq!(verdict(&verifier, &token(0), NOW + hours * HOUR).await, Ok(()), "{hours}");
        assert_eq!(
            server.count(),
            before + 1,
            "{hours}: no redirect is followed, and nothing is tried twice"
        );
    }
}

#[tokio::test]
async fn a_slow_server_is_not_waited_for() {
    for reply in [Reply::Never, Reply::Slowly(document(&[0]), Duration::from_millis(100))] {
        let server = Server::start(reply).await;
        let verifier = verifier(&server);
        let begun = Instant::now();
        let tokens = [token(0), token(1)];
        let verdicts = join_all((0..20).map(|n| verdict(&verifier, &tokens[n % 2], NOW))).await;
        assert!(verdicts.iter().all(is_unavailable));
        // To its end, the slow answer would take more than half a minute.
        assert!((1..20).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
        assert_eq!(server.count(), 1);
    }
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let people = pool("people", TokenSubject::People);
    let keys = KeyCache::fetched(&people, Some(&url), HttpClient::new().unwrap());
    let verdict = verdict(&Verifier::new(vec![(people, keys)]), &token(0), NOW).await;
    assert!(is_unavailable(&verdict));
    assert!(verdict.unwrap_err().to_string().contains("us-east-1_people"));
}

#[tokio::test]
async fn a_bearer_who_hangs_up_breaks_nothing_off() {
    let server = Server::start(published(&[0])).await;
    server.pause(Duration::from_millis(50));
    let verifier = verifier(&server);
    let token = token(0);
    let impatient = || verdict(&verifier, &token, NOW).now_or_never();
    assert_eq!(impatient(), None);
    while server.count() < 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!((0..20).all(|_| impatient().is_none()));
    assert_eq!(verdict(&verifier, &token, NOW).await, Ok(()));
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn two_pools_keep_their_keys_apart() {
    let (first, second) = (Server::start(published(&[0])).await, Server::start(published(&[1])).await);
    let keys_of = |name, bearers, server: &Server| {
        let pool = pool(name, bearers);
        let keys = KeyCache::fetched(&pool, Some(&server.url()), HttpClient::new().unwrap());
        (pool, keys)
    };
    let (people, api) =
        (keys_of("people", TokenSubject::People, &first), keys_of("api", TokenSubject::ApiKeys, &second));
    let verifier = Verifier::new(vec![people, api]);
    assert_eq!(verdict(&verifier, &token_of("people", 0), NOW).await, Ok(()));
    assert_eq!(verdict(&verifier, &token_of("api", 1), NOW).await, Ok(()));
    assert_eq!(verdict(&verifier, &token_of("people", 1), NOW).await, UNKNOWN_KEY);
    assert_eq!(verdict(&verifier, &token_of("api", 0), NOW).await, UNKNOWN_KEY);
    assert_eq!(verdict(&verifier, &token_naming("api", 0, "key-1"), NOW).await, UNKNOWN_KEY);

    // One pool's outage is not the other's.
    second.reply(Reply::HangUp);
    assert_eq!(verdict(&verifier, &token_of("people", 0), NOW + HOUR).await, Ok(()));
    assert_eq!(verdict(&verifier, &token_of("api", 1), NOW + HOUR).await, Ok(()));
    assert_eq!((first.count(), second.count()), (2, 2));
}
