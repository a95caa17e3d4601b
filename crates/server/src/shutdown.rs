//! When to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Ends with Ctrl-C, or when a supervisor says so.
pub(crate) async fn stop() {
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}
