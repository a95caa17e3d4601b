//! Statements whose answer nobody waits for any more: the server is told to stop them, and nobody else gets their connection.

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

/// How long telling the server may take, and then how long the connection may take to end by itself.
const STOP: Duration = Duration::from_secs(2);

/// One connection, and how its statements are stopped.
pub(crate) struct Canceller {
    token: CancelToken,
    /// How to make sure of the server, where the connection is encrypted: asking it to stop takes a connection of its own.
    tls: Option<MakeRustlsConnect>,
    /// The task that does the connection's work.
    work: AbortHandle,
    abandoned: AtomicBool,
}

impl Canceller {
    pub(crate) fn new(token: CancelToken, tls: Option<MakeRustlsConnect>, work: AbortHandle) -> Arc<Self> {
        Arc::new(Self { token, tls, work, abandoned: AtomicBool::new(false) })
    }

    /// Whether a statement's answer was once not waited for. Such a connection is never used again: what is to stop that
    /// statement may come late, and stop the next.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Relaxed)
    }

    /// Notes that a statement is under way.
    pub(crate) fn begin(self: &Arc<Self>) -> Pending {
        Pending { canceller: Arc::clone(self), answered: false }
    }

    /// Tells the server, and then closes the connection, so that it does not outlive its use by as long as the statement
    /// takes. An RDS Proxy takes no such request (Amazon RDS User Guide, limitations of RDS Proxy for PostgreSQL): what the
    /// statement waits for is bounded by the role's own limits there, and all that is ours is the connection.
    async fn stop(&self) {
        match time::timeout(STOP, self.ask()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "a statement that nobody waits for could not be cancelled");
            }
            Err(_) => tracing::warn!("a statement that nobody waits for could not be cancelled in time"),
        }
        // The server's last words make for an orderly end, if they come.
        time::sleep(STOP).await;
        self.work.abort();
    }

    async fn ask(&self) -> Result<(), tokio_postgres::Error> {
        match &self.tls {
            Some(tls) => self.token.cancel_query(tls.clone()).await,
            None => self.token.cancel_query(NoTls).await,
        }
    }
}

/// A statement that is under way. Dropped without [`Pending::answered`] it is stopped.
pub(crate) struct Pending {
    canceller: Arc<Canceller>,
    answered: bool,
}

impl Pending {
    pub(crate) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        self.canceller.abandoned.store(true, Relaxed);
        // Without a runtime the process is about to end, and with it every connection.
        if let Ok(runtime) = Handle::try_current() {
            let canceller = Arc::clone(&self.canceller);
            runtime.spawn(async move { canceller.stop().await });
        }
    }
}
