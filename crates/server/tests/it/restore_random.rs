//! Restores of random trees, ordered at random, stopped at random, while S3 fails, sessions are cut and the platform goes on
//! deleting. Whatever happened, the end is the same: nothing is held, nothing is lost, counters equal a recount, and what can
//! be back is back.
//!
//! `RESTORE_ROUNDS=5000` runs more of them, `RESTORE_SEED=42` a single one, which a failure names.

mod dice;
mod scene;

use std::time::Duration;

use local::faults::InjectedError;
use tokio::task::JoinSet;

use self::{dice::Dice, scene::Scene};
use crate::{app::TestApp, interrupt::interrupted};

/// Rounds where nothing else is said: what the suite has time for.
const ROUNDS: u64 = 1000;

/// Rounds at once, each in a database of its own: most of a round's time is waiting.
const LANES: u64 = 4;

fn variable(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "a test is told how long it may take")]
    std::env::var(name).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_restores_end_well() {
    let seeds = match variable("RESTORE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..variable("RESTORE_ROUNDS").unwrap_or(ROUNDS),
    };
    let mut lanes = JoinSet::new();
    for lane in 0..LANES {
        lanes.spawn(play_all(seeds.clone().filter(move |seed| seed % LANES == lane)));
    }
    let mut total = Tally::default();
    while let Some(tally) = lanes.join_next().await {
        // The first failure ends all lanes, and its seed is the last thing to read.
        total.add(tally.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic())));
    }
    println!(
        "{} stops, {} deletions meanwhile, {} packages back",
        total.stops, total.deletions, total.restored
    );
}

/// What happened in some rounds.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    stops: u64,
    deletions: u64,
    restored: usize,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.stops += other.stops;
        self.deletions += other.deletions;
        self.restored += other.restored;
    }
}

/// One round after the other.
async fn play_all(seeds: impl Iterator<Item = u64>) -> Tally {
    let mut tally = Tally::default();
    let mut seeds = seeds.peekable();
    if seeds.peek().is_none() {
        return tally;
    }
    let mut app = TestApp::start_alone().await;
    app.restorer.limits.retry_delays = [Duration::ZERO; 2];
    let token = app.token("editor").await;
    for seed in seeds {
        tally.add(Box::pin(play(&mut app, &token, seed)).await);
    }
    tally
}

async fn play(app: &mut TestApp, token: &str, seed: u64) -> Tally {
    let mut dice = Dice::new(seed);
    app.restorer.limits.batch_size = 1 + u32::try_from(dice.below(8)).unwrap();
    let mut scene = Scene::set(app, &mut dice).await;
    for _ in 0..=dice.below(3) {
        scene.order(app, token, &mut dice).await;
    }
    for _ in 0..dice.below(5) {
        Box::pin(disturb(app, token, &mut scene, &mut dice)).await;
    }
    app.faults.reset();
    finish(app).await;
    let fault = scene.fault(app).await;
    assert!(fault.is_none(), "RESTORE_SEED={seed}: {}", fault.unwrap());
    Tally { stops: scene.stops, deletions: scene.deletions, restored: scene.restored(app).await }
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
            app.expire_leases().await;
        }
        2 => app.faults.fail_key(&scene.any_key(dice), 1, InjectedError::InternalError),
        3 => {
            let key = scene.any_key(dice);
            scene.refuse(&key);
            app.faults.fail_key(&key, 1000, InjectedError::AccessDenied);
        }
        4 => app.faults.drop_responses("DeleteObjects", 1),
        5 => {
            let cut = async {
                tokio::time::sleep(Duration::from_millis(dice.below(15) as u64)).await;
                cut_sessions(app).await;
            };
            scene.stops += u64::from(tokio::join!(app.run(), cut).0.is_err());
            app.expire_leases().await;
        }
        6 => drop(tokio::join!(app.run(), app.run())),
        7 => scene.delete(app, dice).await,
        _ => Box::pin(delete_meanwhile(app, token, scene, dice)).await,
    }
}

/// The platform deletes something while a worker waits for S3, and perhaps a person orders it again.
async fn delete_meanwhile(app: &TestApp, token: &str, scene: &mut Scene, dice: &mut Dice) {
    app.faults.hold_requests("DeleteObjects");
    let asked = app.faults.count_requests("DeleteObjects");
    let is_asked = async {
        while app.faults.count_requests("DeleteObjects") == asked {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let mut run = Box::pin(app.run());
    tokio::select! {
        _ = &mut run => app.faults.release_requests("DeleteObjects"),
        () = is_asked => {
            let meanwhile = async {
                scene.delete(app, dice).await;
                if dice.below(2) == 0 {
                    scene.order(app, token, dice).await;
                }
                app.faults.release_requests("DeleteObjects");
            };
            // Together: what the run holds in Postgres it holds until it goes on.
            drop(tokio::join!(run, meanwhile));
        }
    }
}

/// Carries out what is left, as a worker would after all these disturbances.
async fn finish(app: &TestApp) {
    app.expire_leases().await;
    app.sql("UPDATE packages_service.restore_queue SET attempts = 0 WHERE workspace_id = WORKSPACE").await;
    app.work().await;
    app.deliver_all().await;
}

/// Ends the sessions of the service, and not that of the test.
async fn cut_sessions(app: &TestApp) {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    app.workspace.client.query(sql, &[]).await.unwrap();
}
