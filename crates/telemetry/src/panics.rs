//! Panics as log events.

use std::{panic, thread};

/// Logs the location of every panic. The message is left out, because it may hold what a client sent.
pub(crate) fn install_panic_hook() {
    panic::set_hook(Box::new(|info| {
        let location = info.location().map(ToString::to_string);
        let thread = thread::current();
        tracing::error!(target: "panic", location, thread = thread.name(), "a thread panicked");
    }));
}
