//! A panic is one line in the log, like everything else.

use std::{panic, thread};

/// Logs where a thread panics. Not why: the message may hold anything, also what a client sent.
pub(crate) fn log() {
    panic::set_hook(Box::new(|info| {
        let location = info.location().map(ToString::to_string);
        let thread = thread::current();
        tracing::error!(target: "panic", location, thread = thread.name(), "a thread panicked");
    }));
}
