//! The signals that stop the process.

use tokio::signal::unix::{SignalKind, signal};

/// Completes on Ctrl-C, or on SIGTERM from a supervisor.
pub(crate) async fn shutdown_signal() {
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            // No handler: the default action of SIGTERM still ends the process.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}
