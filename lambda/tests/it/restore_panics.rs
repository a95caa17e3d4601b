//! Panics, and failures before a run, in the restore function: no package stays RESTORING without an order.

use std::time::Duration;

use local::testing::PanickingRecorder;
use metric_names::RESTORES_ADOPTED_TOTAL;
use metrics::set_default_local_recorder;
use restore::MAX_ATTEMPTS;
use serde_json::Value;

use crate::{
    environment::TestEnvironment,
    function::{Function, RESTORE},
    restore::{build_event, build_worker, handle_within},
};

/// The longest time that a function has.
const TIME: Duration = Duration::from_mins(15);

fn is_handed_back(answer: &Value) -> bool {
    !answer["batchItemFailures"].as_array().unwrap().is_empty()
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
        let answer =
            function.invoke(build_event(&[environment.restore_message(&package)], attempt)).await.unwrap();
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
        (Box::pin(build_worker(&environment)).await, environment.create_restoring("a.txt").await);
    let recorder = PanickingRecorder::new(RESTORES_ADOPTED_TOTAL.name);
    let guard = set_default_local_recorder(&recorder);
    assert!(is_handed_back(
        &handle_within(&worker, &build_event(&[environment.restore_message(&package)], 1), TIME).await
    ));
    assert_eq!(environment.load_state(&package).await, "RESTORING");
    assert!(!is_handed_back(
        &handle_within(&worker, &build_event(&[environment.restore_message(&package)], 2), TIME).await
    ));
    drop(guard);
    assert!(recorder.has_panicked());
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
        let answer =
            function.invoke(build_event(&[environment.restore_message(&package)], attempt)).await.unwrap();
        assert!(is_handed_back(&answer), "attempt {attempt}");
    }
    assert_eq!(environment.load_state(&package).await, "DELETED");
    assert!(function.stdout().contains("restore given up"));
}
