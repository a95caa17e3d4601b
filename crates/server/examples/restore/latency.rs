//! How long a link takes while a large folder is restored.

use std::time::{Duration, Instant};

use axum::body::Body;
use local::workspace::Shape;
use tokio::{
    sync::oneshot,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tower::ServiceExt as _;

use crate::{
    app::{TestApp, request},
    measure::{restore, trashed},
};

/// A request each, whether or not the one before is answered.
const EVERY: Duration = Duration::from_millis(5);

/// How long links are timed while nothing else goes on.
const IDLE: Duration = Duration::from_secs(5);

pub(crate) async fn report(app: &TestApp, shape: Shape, files: usize) {
    let token = app.token("editor").await;
    let trashed = trashed(app, shape, files).await;
    let package = app.file(None, "linked", b"-").await;
    app.workspace.analyze().await.unwrap();
    let path = app.presign_path(&package, "");
    let links = || Links { router: app.router.clone(), path: path.clone(), token: token.clone() };

    println!("\nLinks, one every {EVERY:?}:\n");
    let (stop, stopped) = oneshot::channel();
    let idle = tokio::spawn(links().time(stopped));
    tokio::time::sleep(IDLE).await;
    stop.send(()).unwrap();
    print("nothing else goes on", idle.await.unwrap());

    let (stop, stopped) = oneshot::channel();
    let busy = tokio::spawn(links().time(stopped));
    let begun = Instant::now();
    restore(app, &token, &[&trashed.tree.root.node_id]).await;
    let took = begun.elapsed().as_secs_f64();
    stop.send(()).unwrap();
    print(&format!("{files} files are restored ({shape:?}, {took:.2} s)"), busy.await.unwrap());
}

struct Links {
    router: axum::Router,
    path: String,
    token: String,
}

impl Links {
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
