//! The signals that stop the process.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Completes on Ctrl-C, or on SIGTERM from a supervisor. A signal counts from this call on, also before the future is polled.
pub(crate) fn shutdown_signal() -> impl Future<Output = ()> {
    let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async {
        tokio::select! {
            () = wait_for(interrupt) => {}
            () = wait_for(terminate) => {}
        }
    }
}

async fn wait_for(signal: io::Result<Signal>) {
    match signal {
        Ok(mut signal) => drop(signal.recv().await),
        // Without a handler the signal itself still ends the process.
        Err(_) => std::future::pending().await,
    }
}
