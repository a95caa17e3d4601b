//! The main process of the server ("postmaster"): readiness, shutdown, and servers that a killed process left running.
//!
//! The process describes itself in `postmaster.pid`, a file of eight lines: the process id first, the status last
//! ("Database File Layout" in PostgreSQL's manual).

use std::{
    fs, io,
    os::unix::ffi::OsStrExt as _,
    path::Path,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use super::{
    PostgresError,
    error::{io_context, io_error},
};

/// The signals that stop a server, each with a timeout. SIGINT is a fast shutdown: it ends sessions and writes a
/// checkpoint. SIGQUIT is an immediate shutdown: the next start has to recover.
const SHUTDOWN_SIGNALS: [(libc::c_int, Duration); 3] = [
    (libc::SIGINT, Duration::from_secs(30)),
    (libc::SIGQUIT, Duration::from_secs(10)),
    (libc::SIGKILL, Duration::from_secs(5)),
];

/// Pause between two checks.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Waits until the server accepts connections. Returns false if it exited. Stops a server that is too slow.
pub(super) fn wait_until_ready(server: &mut Child, data_dir: &Path, timeout: Duration) -> io::Result<bool> {
    let pid = server.id();
    poll_until(timeout, || Ok(is_ready(data_dir, pid) || server.try_wait()?.is_some()))?;
    let is_running = is_ready(data_dir, pid) && server.try_wait()?.is_none();
    if !is_running {
        stop_server(server)?;
    }
    Ok(is_running)
}

fn is_ready(data_dir: &Path, pid: u32) -> bool {
    let Ok(text) = fs::read_to_string(data_dir.join("postmaster.pid")) else { return false };
    // The file of an earlier server may still be there, so the process id must match.
    let mut lines = text.lines();
    lines.next() == Some(pid.to_string().as_str())
        && lines.nth(6).is_some_and(|status| status.trim_end() == "ready")
}

/// Stops a server that this process started. Does nothing if the server has already exited.
pub(super) fn stop_server(server: &mut Child) -> io::Result<()> {
    for (signal, timeout) in SHUTDOWN_SIGNALS {
        // The system does not reuse the process id before the process was waited for.
        if server.try_wait()?.is_some() {
            return Ok(());
        }
        send_signal(server.id(), signal)?;
        poll_until(timeout, || Ok(server.try_wait()?.is_some()))?;
    }
    server.wait().map(drop)
}

/// Clears a data directory that a killed process used: stops its server if that still runs, or removes the stale file if
/// the id in it now belongs to another process.
pub(super) fn clear_stale_server(data_dir: &Path) -> Result<(), PostgresError> {
    let file = data_dir.join("postmaster.pid");
    let pid = fs::read_to_string(&file).ok().and_then(|text| text.lines().next()?.parse().ok());
    let Some(pid) = pid else { return Ok(()) };
    if is_server_process(pid, data_dir) {
        stop_orphan(pid, data_dir)?;
    }
    if !Path::new("/proc").join(pid.to_string()).exists() {
        return Ok(());
    }
    // Another process has this id now. PostgreSQL would take it for a running server and refuse to start.
    match fs::remove_file(&file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
    .map_err(io_error("cannot remove", &file))
}

fn stop_orphan(pid: u32, data_dir: &Path) -> Result<(), PostgresError> {
    let context = format!("cannot stop the server {pid} that still runs on {}", data_dir.display());
    for (signal, timeout) in SHUTDOWN_SIGNALS {
        match send_signal(pid, signal) {
            // It ended by itself.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(()),
            sent => sent.map_err(io_context(&context))?,
        }
        let has_ended = poll_until(timeout, || Ok(!is_server_process(pid, data_dir)));
        if has_ended.map_err(io_context(&context))? {
            return Ok(());
        }
    }
    Err(io_context(&context)(io::ErrorKind::TimedOut.into()))
}

/// Whether this process is a server on this data directory, by its command line. The id in a stale file may belong to any
/// process by now. The working directory would show it too, but in a container even root may not read that. On systems
/// without `/proc` the check of PostgreSQL itself has to do.
fn is_server_process(pid: u32, data_dir: &Path) -> bool {
    let path = Path::new("/proc").join(pid.to_string()).join("cmdline");
    let Ok(command_line) = fs::read(path) else { return false };
    let mut arguments = command_line.split(|&byte| byte == 0);
    arguments.next().is_some_and(|program| program.ends_with(b"postgres"))
        && arguments.any(|argument| argument == data_dir.as_os_str().as_bytes())
}

#[expect(unsafe_code, reason = "std can only kill")]
fn send_signal(pid: u32, signal: libc::c_int) -> io::Result<()> {
    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    // SAFETY: a plain system call without pointers.
    match unsafe { libc::kill(pid, signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Checks a condition repeatedly. Returns false after the timeout.
fn poll_until(timeout: Duration, mut condition: impl FnMut() -> io::Result<bool>) -> io::Result<bool> {
    let started_at = Instant::now();
    while !condition()? {
        if started_at.elapsed() > timeout {
            return Ok(false);
        }
        sleep(POLL_INTERVAL);
    }
    Ok(true)
}

#[expect(clippy::disallowed_methods, reason = "starting and stopping a server blocks, as documented")]
pub(super) fn sleep(duration: Duration) {
    thread::sleep(duration);
}
