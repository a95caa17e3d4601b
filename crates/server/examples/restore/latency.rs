//! The latency of links and of a small restore during a large restore, and of requests to a large tenant.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use axum::body::Body;
use local::workspace::{Dataset, Package, TreeShape};
use restore::{Restorer, queue::WorkerQueue};
use server::worker::WorkerThread;
use tokio::{
    runtime::Runtime,
    sync::{Notify, oneshot},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};
use tower::ServiceExt as _;

use crate::{
    app::{TestApp, build_request, build_router},
    measure::create_deleted_tree,
};

/// A request starts at each interval, whether or not the previous one is answered.
const REQUEST_INTERVAL: Duration = Duration::from_millis(5);

/// How long links are timed on an idle service.
const IDLE_DURATION: Duration = Duration::from_secs(5);

/// How long the large restore runs before the small one is ordered.
const ORDER_DELAY: Duration = Duration::from_secs(1);

/// Requests of each kind to a large tenant.
const REQUEST_COUNT: usize = 200;

/// Restores have their own thread, as in a server. So have the links: S3 and Postgres of this program are not part of the
/// service.
pub(crate) async fn report_latency(mut app: TestApp, shape: TreeShape, files: usize) {
    let token = app.create_token("editor").await;
    let trashed = create_deleted_tree(&app, shape, files).await;
    let (other_dataset, other_file) = app.trash_in_other_dataset().await;
    let package = app.create_file(None, "linked", b"-").await;
    app.workspace.analyze_tables().await.unwrap();
    let links = LinkLoad { app: &app, path: app.presign_path(&package, ""), token: token.clone() };

    println!("\nLinks, one every {REQUEST_INTERVAL:?}:\n");
    let idle = links.start();
    sleep(IDLE_DURATION).await;
    print_percentiles("nothing else goes on", idle.stop());

    let wake = Arc::new(Notify::new());
    app.app.queue = WorkerQueue::Local(Arc::clone(&wake));
    app.router = build_router(&app.app);
    let restorer = Restorer { db: app.open_db(4), ..app.restorer.clone() };
    let _workers = WorkerThread::start(restorer, wake, Duration::from_hours(24)).unwrap();
    let links = LinkLoad { app: &app, path: app.presign_path(&package, ""), token: token.clone() };
    let busy = links.start();
    let started = Instant::now();
    app.order_restore(&token, &[&trashed.tree.root.node_id]).await;
    sleep(ORDER_DELAY).await;
    let single = time_single(&mut app, other_dataset, &other_file).await;
    wait_until_finished(&app, &token, &trashed.tree.root).await;
    let took = started.elapsed().as_secs_f64();
    print_percentiles(&format!("{files} files are restored ({shape:?}, {took:.2} s)"), busy.stop());
    println!(
        "\nA file of another dataset was restored within {:.0} ms during this.",
        single.as_secs_f64() * 1e3
    );
}

/// The time from the order of the file in the other dataset until it is restored.
async fn time_single(app: &mut TestApp, dataset: Dataset, file: &Package) -> Duration {
    let home = std::mem::replace(&mut app.dataset, dataset);
    let token = app.create_token("editor").await;
    let started = Instant::now();
    assert_eq!(app.order_restore(&token, &[&file.node_id]).await.status, 200);
    while app.load_row(file.id).await.0 != "READY" {
        sleep(REQUEST_INTERVAL).await;
    }
    app.dataset = home;
    started.elapsed()
}

async fn wait_until_finished(app: &TestApp, token: &str, folder: &Package) {
    while app.load_progress(token, folder).await["order"] != "finished" {
        sleep(Duration::from_millis(100)).await;
    }
}

/// Times requests to a tenant with many packages: the progress of an order, and pages of the trash.
pub(crate) async fn report_requests(app: &TestApp, folder: &Package) {
    let token = app.create_token("viewer").await;
    let (dataset, id) = (&app.dataset.node_id, &folder.node_id);
    println!();
    for path in [
        format!("restore?dataset_id={dataset}&package_id={id}"),
        format!("trash?dataset_id={dataset}"),
        format!("trash?dataset_id={dataset}&parent={id}"),
    ] {
        let mut times = Vec::new();
        for _ in 0..REQUEST_COUNT {
            let started = Instant::now();
            assert_eq!(app.get(&format!("/packages/{path}"), &token).await.status, 200);
            times.push(started.elapsed());
        }
        print_percentiles(&format!("GET /packages/{}", path.split('?').next().unwrap()), times);
    }
}

/// Requests for one link.
struct LinkLoad<'a> {
    app: &'a TestApp,
    path: String,
    token: String,
}

/// Link requests on another thread.
struct RunningLoad {
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<Vec<Duration>>,
}

impl RunningLoad {
    fn stop(self) -> Vec<Duration> {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap()
    }
}

impl LinkLoad<'_> {
    fn start(&self) -> RunningLoad {
        let mut app = self.app.app.clone();
        app.db = self.app.open_db(4);
        let asking =
            LinkLoop { router: build_router(&app), path: self.path.clone(), token: self.token.clone() };
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(|| Runtime::new().unwrap().block_on(asking.time(stopped)));
        RunningLoad { stop, thread }
    }
}

struct LinkLoop {
    router: axum::Router,
    path: String,
    token: String,
}

impl LinkLoop {
    /// Requests links until it is stopped. Returns the latencies, including the time in the queue.
    async fn time(self, mut stopped: oneshot::Receiver<()>) -> Vec<Duration> {
        let mut ticks = interval(REQUEST_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut asked = JoinSet::new();
        loop {
            tokio::select! {
                _ = &mut stopped => return asked.join_all().await,
                due = ticks.tick() => {
                    let response = self.router.clone().oneshot(build_request("GET", &self.path, &self.token, Body::empty()));
                    asked.spawn(async move {
                        let status = response.await.unwrap().status();
                        assert_eq!(status, 307);
                        due.elapsed()
                    });
                }
            }
        }
    }
}

fn print_percentiles(when: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!("p50 {:>7.2} ms   p99 {:>7.2} ms   of {:>6} while {when}", at(50), at(99), times.len());
}
