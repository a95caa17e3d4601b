//! Starting a program that ends when we do.

use std::{
    io,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    sync::{LazyLock, mpsc},
    thread,
};

/// A program to start, and where to say how that went.
type Order = (Command, mpsc::SyncSender<io::Result<Child>>);

/// Takes orders for as long as the process lives. Linux ends a child "with its parent" when the *thread* that forked
/// it ends (prctl(2), `PR_SET_PDEATHSIG`), so a caller's thread will not do.
static LAUNCHER: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
    let (sender, orders) = mpsc::channel::<Order>();
    let work = move || {
        for (mut command, reply) in orders {
            // Who ordered waits for the reply; an error would mean that it panicked.
            let _ = reply.send(command.spawn());
        }
    };
    // Without the thread nobody receives, and that is how who orders learns of it.
    let _ = thread::Builder::new().name("launcher".to_owned()).spawn(work);
    sender
});

/// Starts a program in its own process group, so that Ctrl-C at the terminal reaches us alone; when this process ends,
/// the program gets an interrupt.
pub(crate) fn spawn(mut command: Command) -> io::Result<Child> {
    // We may be where the program's account cannot be.
    command.current_dir("/").process_group(0).stdin(Stdio::null()).stdout(Stdio::null());
    end_with_us(&mut command);
    let (reply, replied) = mpsc::sync_channel(1);
    let gone = || io::Error::other("the thread that starts programs is gone");
    LAUNCHER.send((command, reply)).map_err(|_| gone())?;
    replied.recv().map_err(|_| gone())?
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the child must ask for the signal itself, between fork and exec")]
fn end_with_us(command: &mut Command) {
    let us = std::process::id();
    let ask = move || {
        // SAFETY: both are plain system calls without pointers, safe after a fork.
        let (asked, parent) = unsafe { (libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGINT), libc::getppid()) };
        if asked != 0 {
            return Err(io::Error::last_os_error());
        }
        // Had we ended before the call, the signal would never come.
        if parent.cast_unsigned() == us { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
    };
    // SAFETY: `ask` neither allocates nor takes a lock, which is what a child of many threads must avoid.
    unsafe { command.pre_exec(ask) };
}

/// Elsewhere there is no such signal: the program outlives us if we are killed.
#[cfg(not(target_os = "linux"))]
fn end_with_us(_: &mut Command) {}
