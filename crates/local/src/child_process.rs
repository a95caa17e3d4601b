//! Starts a program that ends when this process ends.

use std::{
    io,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    sync::{LazyLock, mpsc},
    thread,
};

/// A program to start, and the channel for the result.
struct SpawnRequest {
    command: Command,
    result: mpsc::SyncSender<io::Result<Child>>,
}

/// The thread that starts all programs. It lives as long as the process. Linux ends a child "with its parent" when the
/// *thread* that forked it ends (prctl(2), `PR_SET_PDEATHSIG`), so the caller's thread must not fork.
static SPAWNER: LazyLock<mpsc::Sender<SpawnRequest>> = LazyLock::new(|| {
    let (sender, requests) = mpsc::channel::<SpawnRequest>();
    let run = move || {
        for SpawnRequest { mut command, result } in requests {
            // The caller waits for the result. Sending fails only if the caller panicked.
            let _ = result.send(command.spawn());
        }
    };
    // If the thread does not start, the receiver is dropped and `spawn_child` returns an error.
    let _ = thread::Builder::new().name("spawner".to_owned()).spawn(run);
    sender
});

/// Starts a program in its own process group, so that Ctrl-C at the terminal reaches only this process. When this process
/// ends, the program gets an interrupt.
pub(crate) fn spawn_child(mut command: Command) -> io::Result<Child> {
    // The account that the program runs as may have no access to our working directory.
    command.current_dir("/").process_group(0).stdin(Stdio::null()).stdout(Stdio::null());
    // It does not get the Ctrl-C of the terminal, so it needs another signal.
    end_with_parent(&mut command);
    let (result, spawned) = mpsc::sync_channel(1);
    let ended = || io::Error::other("the thread that starts programs has ended");
    SPAWNER.send(SpawnRequest { command, result }).map_err(|_| ended())?;
    spawned.recv().map_err(|_| ended())?
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the child must ask for the signal itself, between fork and exec")]
fn end_with_parent(command: &mut Command) {
    let parent_id = std::process::id();
    let request_signal = move || {
        // SAFETY: both are plain system calls without pointers, safe after a fork.
        let (result, parent) =
            unsafe { (libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGINT), libc::getppid()) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        // If the parent ended before the call, the signal would never arrive.
        if parent.cast_unsigned() == parent_id {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(libc::ESRCH))
        }
    };
    // SAFETY: `request_signal` neither allocates nor takes a lock. A child of a process with several threads must do neither.
    unsafe { command.pre_exec(request_signal) };
}

/// Other systems have no such signal: the program keeps running if this process is killed.
#[cfg(not(target_os = "linux"))]
fn end_with_parent(_: &mut Command) {}
