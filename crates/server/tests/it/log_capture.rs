//! The log lines of one test.

use std::{
    io,
    sync::{Arc, Mutex},
};

use telemetry::logs::{self, JsonLayer};
use tracing::{Dispatch, dispatcher::DefaultGuard, level_filters::LevelFilter, subscriber::NoSubscriber};
use tracing_subscriber::{Layer, Registry, layer::SubscriberExt};

/// What this thread logs, from level INFO up, as long as this lives. A test has one thread.
pub(crate) struct LogCapture {
    text: Arc<Mutex<Vec<u8>>>,
    /// With only one dispatcher, `tracing` would remember for all threads what interests it. So there is a second one.
    _guards: (DefaultGuard, Dispatch),
}

impl LogCapture {
    pub(crate) fn start() -> Self {
        Self::start_with(|writer| {
            let subscriber = tracing_subscriber::fmt().with_max_level(LevelFilter::INFO).with_ansi(false);
            subscriber.with_writer(move || writer.clone()).finish().into()
        })
    }

    /// In the format of the service, and only these targets.
    pub(crate) fn start_json(targets: &'static [&'static str]) -> Self {
        Self::start_with(|writer| {
            let json = JsonLayer::new(move || writer.clone(), &Arc::default());
            Registry::default().with(json.with_filter(logs::log_filter("info", targets))).into()
        })
    }

    fn start_with(subscriber: impl FnOnce(LogWriter) -> Dispatch) -> Self {
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let subscriber = subscriber(LogWriter(Arc::clone(&text)));
        let uninterested = Dispatch::new(NoSubscriber::default());
        Self { text, _guards: (tracing::dispatcher::set_default(&subscriber), uninterested) }
    }

    /// Takes the text since the last call.
    pub(crate) fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.text.lock().unwrap())).unwrap()
    }

    /// How many lines have this text.
    pub(crate) fn count(&self, text: &str) -> usize {
        let lines = self.text.lock().unwrap();
        String::from_utf8_lossy(&lines).lines().filter(|line| line.contains(text)).count()
    }
}

#[derive(Clone)]
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
