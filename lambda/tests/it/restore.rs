//! The restore worker, fed with messages.

use std::time::{Duration, Instant};

use local::faults::InjectedError;
use restore::MAX_ATTEMPTS;
use serde_json::{Value, json};

use crate::{
    function::{Function, RESTORE, recorded},
    stand::Stand,
};

/// An event with these messages, as the queue's `attempt` at each.
fn event(bodies: &[String], attempt: u32) -> Value {
    let mut event = recorded("sqs");
    let records = event["Records"].as_array_mut().unwrap();
    records.truncate(bodies.len());
    for (record, body) in records.iter_mut().zip(bodies) {
        record["body"] = json!(body);
        record["attributes"]["ApproximateReceiveCount"] = json!(attempt.to_string());
    }
    event
}

/// The answer that hands back these messages of an event, by their place.
fn handed_back(event: &Value, places: &[usize]) -> Value {
    let failure = |place: &usize| json!({"itemIdentifier": event["Records"][*place]["messageId"]});
    json!({"batchItemFailures": places.iter().map(failure).collect::<Vec<_>>()})
}

#[tokio::test]
async fn a_batch_is_carried_out_and_only_its_failures_come_again() {
    let stand = Stand::start().await;
    let function = Function::start(RESTORE, &stand.variables).await;
    let mut packages = Vec::new();
    for n in 0..9 {
        packages.push(stand.restoring(&format!("{n}.txt")).await);
    }
    let mut bodies: Vec<String> = packages.iter().map(|package| stand.message(package)).collect();
    // The fourth is no message, in the recorded event; another one fails at S3.
    let broken = recorded("sqs")["Records"][3]["body"].as_str().unwrap().to_owned();
    bodies.insert(3, broken);
    stand.faults.fail_key(&stand.key(&packages[6]).await, 100, InjectedError::InternalError);

    let another = event(&[stand.message(&packages[6])], 1);
    let waiting = event(&[stand.message(&packages[6])], 2);

    // It is to be gone on with later, and so are those after it in the same dataset; no queue takes that message here.
    let event = event(&bodies, 1);
    assert_eq!(function.invoke(event.clone()).await.unwrap(), handed_back(&event, &[3, 7, 8, 9]));
    for (place, package) in packages.iter().enumerate() {
        let (state, visible) = (stand.state(package).await, stand.is_visible(package).await);
        assert_eq!(
            (state.as_str(), visible),
            if place == 6 { ("RESTORING", false) } else { ("READY", true) }
        );
    }
    // Another message for what waits is left to the one that waits for it; that one is not.
    assert_eq!(function.invoke(another.clone()).await.unwrap(), handed_back(&another, &[]));
    assert_eq!(function.invoke(waiting.clone()).await.unwrap(), handed_back(&waiting, &[0]));

    // What came again is done, and what is done may come again.
    stand.faults.reset();
    stand.make_due().await;
    assert_eq!(function.invoke(event.clone()).await.unwrap(), handed_back(&event, &[3]));
    assert_eq!(stand.state(&packages[6]).await, "READY");
    assert!(!function.stdout().contains("as it was"), "a message's text is not logged");
}

#[tokio::test]
async fn the_last_attempt_puts_the_package_back_into_the_trash() {
    let stand = Stand::start().await;
    let function = Function::start(RESTORE, &stand.variables).await;
    let package = stand.restoring("a.txt").await;
    stand.faults.fail_requests("ListObjectVersions", 100, InjectedError::InternalError);
    for attempt in 1..=MAX_ATTEMPTS {
        assert_eq!(stand.state(&package).await, "RESTORING");
        let event = event(&[stand.message(&package)], attempt);
        let places = if attempt < MAX_ATTEMPTS { &[0][..] } else { &[] };
        assert_eq!(function.invoke(event.clone()).await.unwrap(), handed_back(&event, places));
        stand.make_due().await;
    }
    assert_eq!(stand.state(&package).await, "DELETED");

    stand.faults.reset();
    let redriven = event(&[stand.message(&package)], 1);
    assert_eq!(function.invoke(redriven.clone()).await.unwrap(), handed_back(&redriven, &[]));
    assert_eq!(stand.state(&package).await, "DELETED", "its order is over");
}

#[tokio::test]
async fn what_cannot_be_done_in_time_is_handed_back() {
    let stand = Stand::start_alone().await;
    let function = Function::start(RESTORE, &stand.variables).await;
    let packages = [stand.restoring("a.txt").await, stand.restoring("b.txt").await];
    let messages = [stand.message(&packages[0]), stand.message(&packages[1])];

    let event_1 = event(&messages, 1);
    let answer = function.invoke_within(event_1.clone(), Duration::from_secs(12)).await;
    assert_eq!(answer.unwrap(), handed_back(&event_1, &[0, 1]));
    assert_eq!(stand.faults.count_requests("ListObjectVersions"), 0, "nothing was begun");
    assert_eq!(stand.state(&packages[0]).await, "RESTORING");

    // It is on record: a schedule goes on with it, once it is overdue.
    stand.make_due().await;
    let task = json!({"task": "resume"});
    assert_eq!(function.invoke(task).await.unwrap(), json!({"batchItemFailures": []}));
    assert_eq!(stand.state(&packages[0]).await, "READY");
    assert_eq!(stand.state(&packages[1]).await, "READY");
    let task = json!({"task": "maintain"});
    assert_eq!(function.invoke(task).await.unwrap(), json!({"batchItemFailures": []}));
}

#[tokio::test]
async fn a_restore_that_takes_too_long_is_stopped_before_lambda_stops_it() {
    let stand = Stand::start().await;
    let function = Function::start(RESTORE, &stand.variables).await;
    let packages = [stand.restoring("a.txt").await, stand.restoring("b.txt").await];
    stand.faults.delay_requests("DeleteObjects", Duration::from_mins(1));
    let event = event(&[stand.message(&packages[0]), stand.message(&packages[1])], 1);
    let (begun, time) = (Instant::now(), Duration::from_secs(17));
    let answer = function.invoke_within(event.clone(), time).await;
    assert_eq!(answer.unwrap(), handed_back(&event, &[0, 1]));
    assert!((5..17).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    assert_eq!(stand.faults.count_requests("DeleteObjects"), 1);

    stand.faults.reset();
    assert_eq!(function.invoke(event.clone()).await.unwrap(), handed_back(&event, &[]));
    assert_eq!(stand.state(&packages[1]).await, "READY");
}

#[tokio::test]
async fn a_function_that_is_killed_half_way_has_lost_nothing() {
    let stand = Stand::start().await;
    let mut function = Function::start(RESTORE, &stand.variables).await;
    let package = stand.restoring("a.txt").await;
    let event = event(&[stand.message(&package)], 1);
    stand.faults.delay_requests("DeleteObjects", Duration::from_mins(1));
    let reached = async {
        while stand.faults.count_requests("DeleteObjects") == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        answer = function.invoke(event.clone()) => panic!("{answer:?}"),
        () = reached => {}
    }
    function.process.kill().await.unwrap();
    assert_eq!(stand.state(&package).await, "RESTORING");

    stand.faults.reset();
    let next = Function::start(RESTORE, &stand.variables).await;
    assert_eq!(next.invoke(event.clone()).await.unwrap(), handed_back(&event, &[]));
    assert_eq!(stand.state(&package).await, "READY");
    assert!(stand.is_visible(&package).await);
}

#[tokio::test]
async fn an_event_that_is_none_of_the_queues_fails_as_a_whole() {
    let stand = Stand::start().await;
    let function = Function::start(RESTORE, &stand.variables).await;
    for event in [json!({}), json!({"Records": [{"body": "hunter2"}]}), json!("hunter2")] {
        let error = function.invoke(event).await.unwrap_err();
        assert_eq!(error["errorMessage"], "the event is neither of SQS nor of a schedule");
    }
    let none = json!({"Records": []});
    assert_eq!(function.invoke(none).await.unwrap(), json!({"batchItemFailures": []}));
    assert!(!function.stdout().contains("hunter2"));
}
