//! The server's main process: is it ready, is it an orphan, make it stop.
//!
//! It says about itself in `postmaster.pid`, a file of eight lines: the process id first, the status last ("Database
//! File Layout" in PostgreSQL's manual).

use std::{
    fs, io,
    os::unix::ffi::OsStrExt as _,
    path::Path,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use super::{PostgresError, error::Context as _};

/// What is asked of the server, in turn, and how long that may take: fast shutdown ends sessions and writes a
/// checkpoint; immediate shutdown leaves recovery to the next start; the last leaves no choice.
const ASKS: [(libc::c_int, Duration); 3] = [
    (libc::SIGINT, Duration::from_secs(30)),
    (libc::SIGQUIT, Duration::from_secs(10)),
    (libc::SIGKILL, Duration::from_secs(5)),
];

/// Between two looks.
const TICK: Duration = Duration::from_millis(2);

/// Waits until the server accepts connections; `false` means that it ended, or was ended for being too slow.
pub(super) fn wait_ready(server: &mut Child, data_dir: &Path, limit: Duration) -> io::Result<bool> {
    let pid = server.id();
    wait_until(limit, || Ok(is_ready(data_dir, pid) || server.try_wait()?.is_some()))?;
    let ready = is_ready(data_dir, pid) && server.try_wait()?.is_none();
    if !ready {
        stop(server)?;
    }
    Ok(ready)
}

fn is_ready(data_dir: &Path, pid: u32) -> bool {
    let Ok(said) = fs::read_to_string(data_dir.join("postmaster.pid")) else { return false };
    let mut lines = said.lines();
    lines.next() == Some(pid.to_string().as_str())
        && lines.nth(6).is_some_and(|status| status.trim_end() == "ready")
}

/// Stops a server that we started; one that is gone already is fine.
pub(super) fn stop(server: &mut Child) -> io::Result<()> {
    for (ask, limit) in ASKS {
        // Until it is waited for, its number cannot become another process's.
        if server.try_wait()?.is_some() {
            return Ok(());
        }
        signal(server.id(), ask)?;
        wait_until(limit, || Ok(server.try_wait()?.is_some()))?;
    }
    server.wait().map(drop)
}

/// Clears away what a killed predecessor left on this data directory: a server that outlived it, or the file of one
/// that did not.
pub(super) fn clear(data_dir: &Path) -> Result<(), PostgresError> {
    let file = data_dir.join("postmaster.pid");
    let named = fs::read_to_string(&file).ok().and_then(|said| said.lines().next()?.parse().ok());
    let Some(pid) = named else { return Ok(()) };
    if serves(pid, data_dir) {
        stop_orphan(pid, data_dir)?;
    }
    if !Path::new("/proc").join(pid.to_string()).exists() {
        return Ok(());
    }
    // PostgreSQL would see only that some process has this number, and refuse to start.
    match fs::remove_file(&file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
    .context(|| format!("cannot remove {}", file.display()))
}

fn stop_orphan(pid: u32, data_dir: &Path) -> Result<(), PostgresError> {
    let context = || format!("cannot stop the server {pid} that is still running on {}", data_dir.display());
    for (ask, limit) in ASKS {
        match signal(pid, ask) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(()),
            asked => asked.context(context)?,
        }
        if wait_until(limit, || Ok(!serves(pid, data_dir))).context(context)? {
            return Ok(());
        }
    }
    Err(io::Error::from(io::ErrorKind::TimedOut)).context(context)
}

/// Whether this process is a server on this data directory, by its command line: a stale file may name any process by
/// now. (Its working directory would tell as well, but even root may not read that in a container.) Where there is no
/// `/proc`, PostgreSQL's own check has to do.
fn serves(pid: u32, data_dir: &Path) -> bool {
    let Ok(line) = fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline")) else { return false };
    let mut words = line.split(|&byte| byte == 0);
    words.next().is_some_and(|program| program.ends_with(b"postgres"))
        && words.any(|word| word == data_dir.as_os_str().as_bytes())
}

#[expect(unsafe_code, reason = "std can only kill")]
fn signal(pid: u32, signal: libc::c_int) -> io::Result<()> {
    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    // SAFETY: a plain system call without pointers.
    match unsafe { libc::kill(pid, signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Looks again and again; `false` means that it never came true.
fn wait_until(limit: Duration, mut done: impl FnMut() -> io::Result<bool>) -> io::Result<bool> {
    let begun = Instant::now();
    while !done()? {
        if begun.elapsed() > limit {
            return Ok(false);
        }
        pause(TICK);
    }
    Ok(true)
}

#[expect(clippy::disallowed_methods, reason = "to start and to stop a server blocks, as is documented")]
pub(super) fn pause(time: Duration) {
    thread::sleep(time);
}
