//! Cancelling statements whose caller is gone or whose time is up. Their connections are not used again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{runtime::Handle, task::AbortHandle, time};
use tokio_postgres::{CancelToken, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long the cancel request may take.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the connection may take to end in order after the cancel request.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Cancels the statements of one connection.
pub(crate) struct Canceller {
    token: CancelToken,
    /// For an encrypted connection: a cancel request needs a connection of its own.
    tls: Option<MakeRustlsConnect>,
    /// The task that drives the connection.
    task: AbortHandle,
    abandoned: AtomicBool,
}

impl Canceller {
    pub(crate) fn new(token: CancelToken, tls: Option<MakeRustlsConnect>, task: AbortHandle) -> Arc<Self> {
        Arc::new(Self { token, tls, task, abandoned: AtomicBool::new(false) })
    }

    /// Whether a statement of this connection was abandoned. The connection must not be used again: the cancel request
    /// may arrive late and cancel the next statement.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Relaxed)
    }

    /// Marks the connection, so that it is not used again.
    pub(crate) fn abandon_connection(&self) {
        self.abandoned.store(true, Relaxed);
    }

    /// Guards a statement that is about to run.
    pub(crate) fn guard_statement(self: &Arc<Self>) -> StatementGuard {
        StatementGuard { canceller: Arc::clone(self), is_complete: false }
    }

    /// Asks the server to cancel, then closes the connection.
    ///
    /// RDS Proxy does not accept cancel requests (Amazon RDS User Guide, limitations of RDS Proxy for PostgreSQL). There
    /// only the role's own timeouts end the statement, and this frees our connection.
    async fn cancel(&self) {
        match time::timeout(CANCEL_TIMEOUT, self.send_cancel_request()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "an abandoned statement could not be cancelled"),
            Err(_) => tracing::warn!("an abandoned statement could not be cancelled in time"),
        }
        // Lets the server's error arrive, so that the connection ends in order.
        time::sleep(CLOSE_TIMEOUT).await;
        self.task.abort();
    }

    async fn send_cancel_request(&self) -> Result<(), tokio_postgres::Error> {
        match &self.tls {
            Some(tls) => self.token.cancel_query(tls.clone()).await,
            None => self.token.cancel_query(NoTls).await,
        }
    }
}

/// A running statement. Dropped before [`StatementGuard::complete`] it is cancelled.
pub(crate) struct StatementGuard {
    canceller: Arc<Canceller>,
    is_complete: bool,
}

impl StatementGuard {
    pub(crate) fn complete(mut self) {
        self.is_complete = true;
    }
}

impl Drop for StatementGuard {
    fn drop(&mut self) {
        if self.is_complete {
            return;
        }
        self.canceller.abandoned.store(true, Relaxed);
        // Without a runtime the process is about to exit, which closes all connections.
        if let Ok(runtime) = Handle::try_current() {
            let canceller = Arc::clone(&self.canceller);
            runtime.spawn(async move { canceller.cancel().await });
        }
    }
}
