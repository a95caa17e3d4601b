//! The log lines of one test.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing::{Dispatch, dispatcher::DefaultGuard, level_filters::LevelFilter, subscriber::NoSubscriber};

/// What this thread logs, from level INFO up, as long as this lives. A test has one thread.
pub(crate) struct LogCapture {
    text: Arc<Mutex<Vec<u8>>>,
    /// With only one dispatcher, `tracing` would remember for all threads what interests it. So there is a second one.
    _guards: (DefaultGuard, Dispatch),
}

impl LogCapture {
    pub(crate) fn start() -> Self {
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let writer = Arc::clone(&text);
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::INFO)
            .with_ansi(false)
            .with_writer(move || LogWriter(Arc::clone(&writer)))
            .finish();
        let uninterested = Dispatch::new(NoSubscriber::default());
        Self { text, _guards: (tracing::dispatcher::set_default(&subscriber.into()), uninterested) }
    }

    /// How many lines have this text.
    pub(crate) fn count(&self, text: &str) -> usize {
        let lines = self.text.lock().unwrap();
        String::from_utf8_lossy(&lines).lines().filter(|line| line.contains(text)).count()
    }
}

struct LogWriter(Arc<Mutex<Vec<u8>>>);

impl io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
