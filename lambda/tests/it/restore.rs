//! The restore worker with events of its queue and of its schedules.

use std::time::Duration;

use aws::Clock;
use hosting::{
    HostBuilder,
    config::{Host, RestoreConfig},
};
use lambda::restore::Worker;
use lambda_runtime::{Context, LambdaEvent};
use local::faults::InjectedError;
use restore::MAX_ATTEMPTS;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    environment::{TestEnvironment, wait_until},
    function::{Function, RESTORE, load_event},
};

/// An event with these messages, received for the `attempt`-th time.
pub(crate) fn build_event(bodies: &[String], attempt: u32) -> Value {
    let mut event = load_event("sqs");
    let records = event["Records"].as_array_mut().unwrap();
    records.truncate(bodies.len());
    for (record, body) in records.iter_mut().zip(bodies) {
        record["body"] = json!(body);
        record["attributes"]["ApproximateReceiveCount"] = json!(attempt.to_string());
    }
    event
}

/// The response that returns the messages at these places of an event to the queue.
fn failures_response(event: &Value, places: &[usize]) -> Value {
    let failure = |place: &usize| json!({"itemIdentifier": event["Records"][*place]["messageId"]});
    json!({"batchItemFailures": places.iter().map(failure).collect::<Vec<_>>()})
}

#[tokio::test]
async fn a_batch_reports_only_its_failures() {
    let environment = TestEnvironment::start().await;
    let function = Function::start(RESTORE, &environment.variables).await;
    let mut packages = Vec::new();
    for n in 0..9 {
        packages.push(environment.create_restoring(&format!("{n}.txt")).await);
    }
    let mut bodies: Vec<String> =
        packages.iter().map(|package| environment.restore_message(package)).collect();
    // The fourth message is malformed, as in the recorded event. Another one fails in S3.
    let broken = load_event("sqs")["Records"][3]["body"].as_str().unwrap().to_owned();
    bodies.insert(3, broken);
    environment.faults.fail_key(&environment.load_key(&packages[6]).await, 100, InjectedError::InternalError);

    let another = build_event(&[environment.restore_message(&packages[6])], 1);
    let waiting = build_event(&[environment.restore_message(&packages[6])], 2);

    // The failed package needs another message, which no queue accepts here. The later messages of its dataset wait, too.
    let event = build_event(&bodies, 1);
    assert_eq!(function.invoke(event.clone()).await.unwrap(), failures_response(&event, &[3, 7, 8, 9]));
    for (place, package) in packages.iter().enumerate() {
        let (state, visible) = (environment.load_state(package).await, environment.is_visible(package).await);
        assert_eq!(
            (state.as_str(), visible),
            if place == 6 { ("RESTORING", false) } else { ("READY", true) }
        );
    }
    // A second message for a waiting dataset is done: the first one continues. A repeated first message is returned.
    assert_eq!(function.invoke(another.clone()).await.unwrap(), failures_response(&another, &[]));
    assert_eq!(function.invoke(waiting.clone()).await.unwrap(), failures_response(&waiting, &[0]));

    // A repeated message finishes what failed, and does nothing where all is done.
    environment.faults.reset();
    environment.make_due().await;
    assert_eq!(function.invoke(event.clone()).await.unwrap(), failures_response(&event, &[3]));
    assert_eq!(environment.load_state(&packages[6]).await, "READY");
    assert!(!function.stdout().contains("as it was"), "the text of a message is not logged");
}

#[tokio::test]
async fn the_last_attempt_puts_the_package_back_into_the_trash() {
    let environment = TestEnvironment::start().await;
    let function = Function::start(RESTORE, &environment.variables).await;
    let package = environment.create_restoring("a.txt").await;
    environment.faults.fail_requests("ListObjectVersions", 100, InjectedError::InternalError);
    for attempt in 1..=MAX_ATTEMPTS {
        assert_eq!(environment.load_state(&package).await, "RESTORING");
        let event = build_event(&[environment.restore_message(&package)], attempt);
        let places = if attempt < MAX_ATTEMPTS { &[0][..] } else { &[] };
        assert_eq!(function.invoke(event.clone()).await.unwrap(), failures_response(&event, places));
        environment.make_due().await;
    }
    assert_eq!(environment.load_state(&package).await, "DELETED");

    environment.faults.reset();
    let redriven = build_event(&[environment.restore_message(&package)], 1);
    assert_eq!(function.invoke(redriven.clone()).await.unwrap(), failures_response(&redriven, &[]));
    assert_eq!(environment.load_state(&package).await, "DELETED", "its order has ended");
}

#[tokio::test]
async fn returns_messages_when_there_is_not_enough_time() {
    let environment = TestEnvironment::start_with_own_database().await;
    let function = Function::start(RESTORE, &environment.variables).await;
    let packages = [environment.create_restoring("a.txt").await, environment.create_restoring("b.txt").await];
    let messages = [environment.restore_message(&packages[0]), environment.restore_message(&packages[1])];

    let event_1 = build_event(&messages, 1);
    let response = function.invoke_within(event_1.clone(), Duration::from_secs(12)).await;
    assert_eq!(response.unwrap(), failures_response(&event_1, &[0, 1]));
    assert_eq!(environment.faults.count_requests("ListObjectVersions"), 0, "nothing was started");
    assert_eq!(environment.load_state(&packages[0]).await, "RESTORING");

    // The order is recorded. The schedule runs it once it is overdue.
    environment.make_due().await;
    let task = json!({"task": "resume"});
    assert_eq!(function.invoke(task).await.unwrap(), json!({"batchItemFailures": []}));
    assert_eq!(environment.load_state(&packages[0]).await, "READY");
    assert_eq!(environment.load_state(&packages[1]).await, "READY");
    let task = json!({"task": "maintain"});
    assert_eq!(function.invoke(task).await.unwrap(), json!({"batchItemFailures": []}));
}

/// A worker in this process, so that the test can set its clock ahead.
pub(crate) async fn build_worker(environment: &TestEnvironment) -> Worker {
    let mut variables = environment.variables.clone();
    variables.insert("AWS_REGION", "us-east-1".to_owned());
    let config = RestoreConfig::read(Host::Lambda, &|name| variables.get(name).cloned()).unwrap();
    let builder = HostBuilder::from_environment(config.platform.clone()).unwrap();
    let queue = builder.require_restore_queue(config.restore_queue_url.as_ref()).unwrap();
    let restorer = builder.build_restorer(config.clone(), builder.connect_db().await.unwrap()).unwrap();
    Worker { restorer, queue, stray_max_age: config.stray_max_age }
}

/// Hands an event to a worker that has this much time.
pub(crate) async fn handle_within(worker: &Worker, event: &Value, time: Duration) -> Value {
    let mut context = Context::default();
    context.deadline = (Clock::System.now() + time.as_secs()) * 1000;
    let event = LambdaEvent::new(event.clone(), context);
    let response = Box::pin(lambda::restore::handle_event(worker, event)).await.unwrap();
    serde_json::to_value(response).unwrap()
}

#[tokio::test]
async fn stops_a_long_restore_before_the_deadline() {
    const TIME: Duration = Duration::from_mins(1);
    let environment = TestEnvironment::start().await;
    let worker = Box::pin(build_worker(&environment)).await;
    let packages = [environment.create_restoring("a.txt").await, environment.create_restoring("b.txt").await];
    let messages = packages.each_ref().map(|package| environment.restore_message(package));
    let event = build_event(&messages, 1);
    environment.faults.hold_requests("DeleteObjects");

    let started = Instant::now();
    let stop = async {
        wait_until("S3 gets DeleteObjects", || environment.faults.count_requests("DeleteObjects") == 1).await;
        // Four seconds before the deadline.
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(56).saturating_sub(started.elapsed())).await;
        tokio::time::resume();
    };
    let (response, ()) = tokio::join!(handle_within(&worker, &event, TIME), stop);
    assert_eq!(response, failures_response(&event, &[0, 1]));
    assert!(started.elapsed() < TIME, "{:?}", started.elapsed());
    assert_eq!(environment.faults.count_requests("DeleteObjects"), 1, "the second message was not started");

    environment.faults.reset();
    assert_eq!(handle_within(&worker, &event, TIME).await, failures_response(&event, &[]));
    assert_eq!(environment.load_state(&packages[1]).await, "READY");
}

#[tokio::test]
async fn a_killed_function_loses_nothing() {
    let environment = TestEnvironment::start().await;
    let mut function = Function::start(RESTORE, &environment.variables).await;
    let package = environment.create_restoring("a.txt").await;
    let event = build_event(&[environment.restore_message(&package)], 1);
    environment.faults.delay_requests("DeleteObjects", Duration::from_mins(1));
    let reached =
        wait_until("S3 gets DeleteObjects", || environment.faults.count_requests("DeleteObjects") > 0);
    tokio::select! {
        response = function.invoke(event.clone()) => panic!("{response:?}"),
        () = reached => {}
    }
    function.process.kill().await.unwrap();
    assert_eq!(environment.load_state(&package).await, "RESTORING");

    environment.faults.reset();
    let next = Function::start(RESTORE, &environment.variables).await;
    assert_eq!(next.invoke(event.clone()).await.unwrap(), failures_response(&event, &[]));
    assert_eq!(environment.load_state(&package).await, "READY");
    assert!(environment.is_visible(&package).await);
}

#[tokio::test]
async fn rejects_unknown_events() {
    let environment = TestEnvironment::start().await;
    let function = Function::start(RESTORE, &environment.variables).await;
    for event in [json!({}), json!({"Records": [{"body": "hunter2"}]}), json!("hunter2")] {
        let error = function.invoke(event).await.unwrap_err();
        assert_eq!(error["errorMessage"], "unknown event: expected SQS messages or a schedule's task");
    }
    let none = json!({"Records": []});
    assert_eq!(function.invoke(none).await.unwrap(), json!({"batchItemFailures": []}));
    assert!(!function.stdout().contains("hunter2"));
}
