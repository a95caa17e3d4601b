//! Panics, and failures before a run, in the restore function: no package stays RESTORING without an order.

use aws::Clock;
use hosting::{
    HostBuilder,
    config::{Host, RestoreConfig},
};
use lambda::restore::{Worker, handle};
use lambda_runtime::{Context, LambdaEvent};
use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    set_default_local_recorder,
};
use restore::MAX_ATTEMPTS;
use serde_json::{Value, json};

use crate::{
    environment::TestEnvironment,
    function::{Function, RESTORE, load_event},
};

/// An event with this message, as the queue's `attempt` at it.
fn event(body: &str, attempt: u32) -> Value {
    let mut event = load_event("sqs");
    event["Records"].as_array_mut().unwrap().truncate(1);
    event["Records"][0]["body"] = json!(body);
    event["Records"][0]["attributes"]["ApproximateReceiveCount"] = json!(attempt.to_string());
    event
}

fn is_handed_back(answer: &Value) -> bool {
    !answer["batchItemFailures"].as_array().unwrap().is_empty()
}

/// A recorder of metrics that panics at one counter.
struct PanicAt(&'static str);

impl Recorder for PanicAt {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        assert_ne!(key.name(), self.0, "a panic on purpose");
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// The function's worker in this process, where a test can make it panic.
async fn start_worker(environment: &TestEnvironment) -> Worker {
    // Lambda sets the region.
    let lookup = |name: &str| match name {
        "AWS_REGION" => Some("us-east-1".to_owned()),
        _ => environment.variables.get(name).cloned(),
    };
    let config = RestoreConfig::read(Host::Lambda, &lookup).unwrap();
    let builder = HostBuilder::from_environment(config.platform.clone()).unwrap();
    Worker {
        queue: builder.sqs_queue(config.restore_queue_url.clone().unwrap()).unwrap(),
        stray_max_age: config.stray_max_age,
        restorer: builder.build_restorer(config, builder.connect_db().await.unwrap()).unwrap(),
    }
}

async fn invoke(worker: &Worker, event: Value) -> Value {
    let mut context = Context::default();
    context.deadline = (Clock::System.now() + 900) * 1000;
    serde_json::to_value(Box::pin(handle(worker, LambdaEvent::new(event, context))).await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_run_that_panics_is_tried_again_and_given_up() {
    let environment = TestEnvironment::start().await;
    let function = Function::start(RESTORE, &environment.variables).await;
    let package = environment.create_restoring("a.txt").await;
    // Two sizes whose sum overflows: a panic where overflow is checked, as in the tests' profile.
    let sql = format!(
        r#"INSERT INTO "{0}".files (package_id, s3_bucket, s3_key, size, object_type, processing_state)
           SELECT {1}, 'b', 'k', 9223372036854775807, 'source', 'unprocessed' FROM generate_series(1, 2)"#,
        environment.workspace.id, package.id
    );
    environment.workspace.client.batch_execute(&sql).await.unwrap();
    for attempt in 1..=MAX_ATTEMPTS {
        assert_eq!(environment.load_state(&package).await, "RESTORING");
        let answer = function.invoke(event(&environment.restore_message(&package), attempt)).await.unwrap();
        assert!(is_handed_back(&answer), "attempt {attempt}");
        environment.make_due().await;
    }
    assert_eq!(environment.load_state(&package).await, "DELETED");
    assert!(function.stdout().contains("restore given up"));
}

#[tokio::test]
async fn a_panic_before_the_run_is_caught_and_the_next_delivery_restores() {
    let environment = TestEnvironment::start().await;
    let (worker, package) =
        (Box::pin(start_worker(&environment)).await, environment.create_restoring("a.txt").await);
    let recorder = PanicAt("restores_adopted_total");
    let guard = set_default_local_recorder(&recorder);
    assert!(is_handed_back(&invoke(&worker, event(&environment.restore_message(&package), 1)).await));
    assert_eq!(environment.load_state(&package).await, "RESTORING");
    assert!(!is_handed_back(&invoke(&worker, event(&environment.restore_message(&package), 2)).await));
    drop(guard);
    assert_eq!(environment.load_state(&package).await, "READY");
}

#[tokio::test]
async fn a_package_whose_order_cannot_be_recorded_goes_back_after_the_last_attempt() {
    let environment = TestEnvironment::start_with_own_database().await;
    let function = Function::start(RESTORE, &environment.variables).await;
    let package = environment.create_restoring("a.txt").await;
    let broken =
        "ALTER TABLE packages_service.restore_orders ADD CONSTRAINT broken CHECK (package_id < 0) NOT VALID";
    environment.workspace.client.batch_execute(broken).await.unwrap();
    for attempt in 1..=MAX_ATTEMPTS {
        assert_eq!(environment.load_state(&package).await, "RESTORING");
        let answer = function.invoke(event(&environment.restore_message(&package), attempt)).await.unwrap();
        assert!(is_handed_back(&answer), "attempt {attempt}");
    }
    assert_eq!(environment.load_state(&package).await, "DELETED");
    assert!(function.stdout().contains("restore given up"));
}
