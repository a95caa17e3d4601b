//! Random trees, orders, interruptions, S3 failures, ended sessions and deletions. In the end nothing is held, nothing is lost,
//! counters equal a recount, and every package that can be restored is restored.
//!
//! `RESTORE_ROUNDS=5000` sets the number of rounds. `RESTORE_SEED=42` repeats the round that a failure names.

mod seeded;
mod tree;

use std::time::Duration;

use local::faults::InjectedError;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use self::{seeded::SeededRandom, tree::RandomTree};
use crate::{app::TestApp, interrupt::run_for_polls};

/// Rounds without `RESTORE_ROUNDS`.
const ROUNDS: u64 = 300;

/// Rounds run concurrently, each in its own database: a round mostly waits.
const CONCURRENT_LANES: u64 = 4;

fn read_variable(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "the number of rounds is configurable")]
    std::env::var(name).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_restores_end_in_a_consistent_state() {
    let seeds = match read_variable("RESTORE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..read_variable("RESTORE_ROUNDS").unwrap_or(ROUNDS),
    };
    let mut lanes = JoinSet::new();
    for lane in 0..CONCURRENT_LANES {
        lanes.spawn(run_rounds(seeds.clone().filter(move |seed| seed % CONCURRENT_LANES == lane)));
    }
    let mut total = RoundStats::default();
    while let Some(stats) = lanes.join_next().await {
        // The first failure ends all lanes, so its seed is the last output.
        total.add(stats.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic())));
    }
    println!(
        "{} interruptions, {} deletions during restores, {} packages restored",
        total.stops, total.deletions, total.restored
    );
}

/// What happened in some rounds.
#[derive(Debug, Clone, Copy, Default)]
struct RoundStats {
    stops: u64,
    deletions: u64,
    restored: usize,
}

impl RoundStats {
    fn add(&mut self, other: Self) {
        self.stops += other.stops;
        self.deletions += other.deletions;
        self.restored += other.restored;
    }
}

/// Runs rounds one after another.
async fn run_rounds(seeds: impl Iterator<Item = u64>) -> RoundStats {
    let mut stats = RoundStats::default();
    let mut seeds = seeds.peekable();
    if seeds.peek().is_none() {
        return stats;
    }
    let mut app = TestApp::start_with_own_database().await;
    app.restorer.limits.retry_delays = [Duration::ZERO; 2];
    let token = app.create_token("editor").await;
    for seed in seeds {
        stats.add(Box::pin(run_round(&mut app, &token, seed)).await);
    }
    stats
}

async fn run_round(app: &mut TestApp, token: &str, seed: u64) -> RoundStats {
    let mut random = SeededRandom::new(seed);
    app.restorer.limits.batch_size = 1 + u32::try_from(random.next_below(8)).unwrap();
    let mut tree = RandomTree::create(app, &mut random).await;
    for _ in 0..=random.next_below(3) {
        tree.order_random_packages(app, token, &mut random).await;
    }
    for _ in 0..random.next_below(5) {
        Box::pin(inject_disturbance(app, token, &mut tree, &mut random)).await;
    }
    app.faults.reset();
    run_remaining_orders(app).await;
    let violation = tree.find_violation(app).await;
    assert!(violation.is_none(), "RESTORE_SEED={seed}: {}", violation.unwrap());
    RoundStats { stops: tree.stops, deletions: tree.deletions, restored: tree.count_restored(app).await }
}

/// One failure, interruption or deletion.
async fn inject_disturbance(app: &TestApp, token: &str, tree: &mut RandomTree, random: &mut SeededRandom) {
    // Earlier orders may be finished by now.
    if random.next_below(2) == 0 {
        tree.order_random_packages(app, token, random).await;
    }
    match random.next_below(9) {
        0 | 1 => {
            tree.stops +=
                u64::from(run_for_polls(1 + random.next_below(60), app.run_worker()).await.is_none());
            app.expire_leases().await;
        }
        2 => app.faults.fail_key(&tree.pick_key(random), 1, InjectedError::InternalError),
        3 => {
            let key = tree.pick_key(random);
            tree.expect_refusal(&key);
            app.faults.fail_key(&key, 1000, InjectedError::AccessDenied);
        }
        4 => app.faults.drop_responses("DeleteObjects", 1),
        5 => {
            let cut = async {
                sleep(Duration::from_millis(random.next_below(15) as u64)).await;
                terminate_sessions(app).await;
            };
            tree.stops += u64::from(tokio::join!(app.run_worker(), cut).0.is_err());
            app.expire_leases().await;
        }
        6 => drop(tokio::join!(app.run_worker(), app.run_worker())),
        7 => tree.delete_random_package(app, random).await,
        _ => Box::pin(delete_during_undelete(app, token, tree, random)).await,
    }
}

/// The platform deletes a package while a worker waits for S3. Sometimes it is ordered again.
async fn delete_during_undelete(
    app: &TestApp,
    token: &str,
    tree: &mut RandomTree,
    random: &mut SeededRandom,
) {
    app.faults.hold_requests("DeleteObjects");
    let asked = app.faults.count_requests("DeleteObjects");
    // No `wait_until`: the compiler cannot prove that its closure is `Send`.
    let is_asked = timeout(Duration::from_secs(30), async {
        while app.faults.count_requests("DeleteObjects") == asked {
            sleep(Duration::from_millis(2)).await;
        }
    });
    let mut run = Box::pin(app.run_worker());
    tokio::select! {
        _ = &mut run => app.faults.release_requests("DeleteObjects"),
        waited = is_asked => {
            waited.expect("S3 must get DeleteObjects");
            let meanwhile = async {
                tree.delete_random_package(app, random).await;
                if random.next_below(2) == 0 {
                    tree.order_random_packages(app, token, random).await;
                }
                app.faults.release_requests("DeleteObjects");
            };
            // Both at once: the run may hold rows that the deletion waits for.
            drop(tokio::join!(run, meanwhile));
        }
    }
}

/// Runs what is left, as an undisturbed worker.
async fn run_remaining_orders(app: &TestApp) {
    app.expire_leases().await;
    app.run_sql("UPDATE packages_service.restore_queue SET attempts = 0 WHERE workspace_id = WORKSPACE")
        .await;
    app.run_orders().await;
    app.deliver_outbox().await;
}

/// Ends all sessions but the test's own.
async fn terminate_sessions(app: &TestApp) {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    app.workspace.client.query(sql, &[]).await.unwrap();
}
