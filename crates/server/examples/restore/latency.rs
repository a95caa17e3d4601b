//! How long a link takes while a large folder is restored, and a file elsewhere; and what is asked of a large tenant.

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
    app::{TestApp, request, router},
    measure::trashed,
};

/// A request each, whether or not the one before is answered.
const EVERY: Duration = Duration::from_millis(5);

/// How long links are timed while nothing else goes on.
const IDLE: Duration = Duration::from_secs(5);

/// How long it is waited, while a large folder is restored, until a file of another dataset is ordered.
const HEAD_START: Duration = Duration::from_secs(1);

/// How often each of the questions to a large tenant is asked.
const QUESTIONS: usize = 200;

/// As a server does it, restores have a thread of their own. So have the links here: the S3 and the Postgres of this program
/// are no part of the service.
pub(crate) async fn report(mut app: TestApp, shape: TreeShape, files: usize) {
    let token = app.token("editor").await;
    let trashed = trashed(&app, shape, files).await;
    let elsewhere = app.trash_elsewhere().await;
    let package = app.file(None, "linked", b"-").await;
    app.workspace.analyze_tables().await.unwrap();
    let links = Links { app: &app, path: app.presign_path(&package, ""), token: token.clone() };

    println!("\nLinks, one every {EVERY:?}:\n");
    let idle = links.start();
    sleep(IDLE).await;
    print("nothing else goes on", idle.stop());

    let wake = Arc::new(Notify::new());
    app.app.queue = WorkerQueue::Local(Arc::clone(&wake));
    app.router = router(&app.app);
    let restorer = Restorer { db: app.separate_db(4), ..app.restorer.clone() };
    let _workers = WorkerThread::start(restorer, wake, Duration::from_hours(24)).unwrap();
    let links = Links { app: &app, path: app.presign_path(&package, ""), token: token.clone() };
    let busy = links.start();
    let begun = Instant::now();
    app.order(&token, &[&trashed.tree.root.node_id]).await;
    sleep(HEAD_START).await;
    let single = time_single(&mut app, elsewhere).await;
    until_finished(&app, &token, &trashed.tree.root).await;
    let took = begun.elapsed().as_secs_f64();
    print(&format!("{files} files are restored ({shape:?}, {took:.2} s)"), busy.stop());
    println!("\nA file of another dataset came back within {:.0} ms meanwhile.", single.as_secs_f64() * 1e3);
}

/// How long it takes until the file of another dataset is back, from its order on.
async fn time_single(app: &mut TestApp, (dataset, file): (Dataset, Package)) -> Duration {
    let home = std::mem::replace(&mut app.dataset, dataset);
    let token = app.token("editor").await;
    let begun = Instant::now();
    assert_eq!(app.order(&token, &[&file.node_id]).await.status, 200);
    while app.row(file.id).await.0 != "READY" {
        sleep(EVERY).await;
    }
    app.dataset = home;
    begun.elapsed()
}

async fn until_finished(app: &TestApp, token: &str, folder: &Package) {
    while app.progress(token, folder).await["order"] != "finished" {
        sleep(Duration::from_millis(100)).await;
    }
}

/// Times what a person asks of a tenant with many packages: how far an order is, and a page of the trash.
pub(crate) async fn questions(app: &TestApp, folder: &Package) {
    let token = app.token("viewer").await;
    let (dataset, id) = (&app.dataset.node_id, &folder.node_id);
    println!();
    for path in [
        format!("restore?dataset_id={dataset}&package_id={id}"),
        format!("trash?dataset_id={dataset}"),
        format!("trash?dataset_id={dataset}&parent={id}"),
    ] {
        let mut times = Vec::new();
        for _ in 0..QUESTIONS {
            let begun = Instant::now();
            assert_eq!(app.get(&format!("/packages/{path}"), &token).await.status, 200);
            times.push(begun.elapsed());
        }
        print(&format!("GET /packages/{}", path.split('?').next().unwrap()), times);
    }
}

/// Requests for a link.
struct Links<'a> {
    app: &'a TestApp,
    path: String,
    token: String,
}

/// Links that are asked for on another thread.
struct AskedLinks {
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<Vec<Duration>>,
}

impl AskedLinks {
    fn stop(self) -> Vec<Duration> {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap()
    }
}

impl Links<'_> {
    fn start(&self) -> AskedLinks {
        let mut app = self.app.app.clone();
        app.db = self.app.separate_db(4);
        let asking = Asking { router: router(&app), path: self.path.clone(), token: self.token.clone() };
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(|| Runtime::new().unwrap().block_on(asking.time(stopped)));
        AskedLinks { stop, thread }
    }
}

struct Asking {
    router: axum::Router,
    path: String,
    token: String,
}

impl Asking {
    /// Asks for links until it is told to stop; how long each took, the time that it waited for its turn included.
    async fn time(self, mut stopped: oneshot::Receiver<()>) -> Vec<Duration> {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut asked = JoinSet::new();
        loop {
            tokio::select! {
                _ = &mut stopped => return asked.join_all().await,
                due = ticks.tick() => {
                    let answer = self.router.clone().oneshot(request("GET", &self.path, &self.token, Body::empty()));
                    asked.spawn(async move {
                        let status = answer.await.unwrap().status();
                        assert_eq!(status, 307);
                        due.elapsed()
                    });
                }
            }
        }
    }
}

fn print(when: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!("p50 {:>7.2} ms   p99 {:>7.2} ms   of {:>6} while {when}", at(50), at(99), times.len());
}
