//! Restores of random trees, ordered at random, stopped at random, while S3 fails, sessions are cut and the platform goes on
//! deleting. Whatever happened, the end is the same: nothing is held, nothing is lost, counters equal a recount, and what can
//! be back is back.
//!
//! `RESTORE_ROUNDS=5000` runs more of them, `RESTORE_SEED=42` a single one, which a failure names.

mod dice;
mod scene;

use std::time::Duration;

use local::faults::Failure;
use packages::restore;

use self::{dice::Dice, scene::Scene};
use crate::{app::TestApp, interrupt::interrupted};

/// Rounds where nothing else is said: what the suite has time for.
const ROUNDS: u64 = 150;

fn variable(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "a test is told how long it may take")]
    std::env::var(name).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_restores_end_well() {
    let mut app = TestApp::start_alone().await;
    app.restorer.limits.retry_delays = [Duration::ZERO; 2];
    let seeds = match variable("RESTORE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..variable("RESTORE_ROUNDS").unwrap_or(ROUNDS),
    };
    let token = app.token("editor").await;
    let (mut stops, mut deletions, mut restored) = (0, 0, 0);
    for seed in seeds {
        let mut dice = Dice::new(seed);
        app.restorer.limits.batch_size = 1 + u32::try_from(dice.below(8)).unwrap();
        let mut scene = Scene::set(&app, &mut dice).await;
        for _ in 0..=dice.below(3) {
            scene.order(&app, &token, &mut dice).await;
        }
        for _ in 0..dice.below(5) {
            Box::pin(disturb(&app, &token, &mut scene, &mut dice)).await;
        }
        app.faults.reset();
        finish(&app).await;
        let fault = scene.fault(&app).await;
        assert!(fault.is_none(), "RESTORE_SEED={seed}: {}", fault.unwrap());
        stops += scene.stops;
        deletions += scene.deletions;
        restored += scene.restored(&app).await;
    }
    println!("{stops} stops, {deletions} deletions meanwhile, {restored} packages back");
}

/// One thing that goes wrong, or comes between.
async fn disturb(app: &TestApp, token: &str, scene: &mut Scene, dice: &mut Dice) {
    // Most of what was ordered may be done by now.
    if dice.below(2) == 0 {
        scene.order(app, token, dice).await;
    }
    match dice.below(9) {
        0 | 1 => {
            scene.stops += u64::from(interrupted(1 + dice.below(60), app.run()).await.is_none());
            expire_leases(app).await;
        }
        2 => app.faults.fail_key(&scene.any_key(dice), 1, Failure::InternalError),
        3 => {
            let key = scene.any_key(dice);
            scene.refuse(&key);
            app.faults.fail_key(&key, 1000, Failure::AccessDenied);
        }
        4 => app.faults.lose_answer("DeleteObjects", 1),
        5 => {
            let cut = async {
                tokio::time::sleep(Duration::from_millis(dice.below(15) as u64)).await;
                cut_sessions(app).await;
            };
            scene.stops += u64::from(tokio::join!(app.run(), cut).0.is_err());
            expire_leases(app).await;
        }
        6 => drop(tokio::join!(app.run(), app.run())),
        7 => scene.delete(app, dice).await,
        _ => Box::pin(delete_meanwhile(app, token, scene, dice)).await,
    }
}

/// The platform deletes something while a worker waits for S3, and perhaps a person orders it again.
async fn delete_meanwhile(app: &TestApp, token: &str, scene: &mut Scene, dice: &mut Dice) {
    app.faults.hold("DeleteObjects");
    let asked = app.faults.count("DeleteObjects");
    let meanwhile = async {
        for _ in 0..50 {
            if app.faults.count("DeleteObjects") > asked {
                scene.delete(app, dice).await;
                if dice.below(2) == 0 {
                    scene.order(app, token, dice).await;
                }
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        app.faults.release("DeleteObjects");
    };
    drop(tokio::join!(app.run(), meanwhile));
}

/// Carries out what is left, as a worker would after all these disturbances.
async fn finish(app: &TestApp) {
    expire_leases(app).await;
    app.sql("UPDATE packages_service.restore_queue SET attempts = 0 WHERE workspace_id = WORKSPACE").await;
    app.work().await;
    app.sql("UPDATE packages_service.restore_outbox SET due_at = now() WHERE workspace_id = WORKSPACE").await;
    restore::deliver(&app.restorer, Some(app.workspace.id)).await.unwrap();
}

async fn expire_leases(app: &TestApp) {
    app.sql("UPDATE packages_service.restore_queue SET leased_until = now() WHERE workspace_id = WORKSPACE")
        .await;
}

/// Ends the sessions of the service, and not that of the test.
async fn cut_sessions(app: &TestApp) {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    app.workspace.client.query(sql, &[]).await.unwrap();
}
