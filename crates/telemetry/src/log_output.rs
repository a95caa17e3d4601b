//! Where a server's log goes: lines of several threads at once, each line whole.
//!
//! `std::io::stderr` has one lock, which a thread keeps while the system writes. Where each request logs, the threads of the
//! runtime would put each other to sleep for most lines, which costs more than the lines themselves.

use std::{
    io::{self, Write},
    os::fd::AsFd,
    sync::{PoisonError, RwLock},
};

use rustix::io::{retry_on_intr, write};
use tracing_subscriber::fmt::MakeWriter;

/// The longest line that a pipe takes at once, `PIPE_BUF` (pipe(7)): other systems than Linux promise 512 bytes. A file takes a
/// line of any length at once.
const ATOMIC_BYTES: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };

/// An open file, such as standard error.
#[derive(Debug)]
pub(crate) struct LogOutput<F> {
    file: F,
    /// Short lines share it. A long one is alone, as no other line may come between its parts.
    turn: RwLock<()>,
}

impl LogOutput<io::Stderr> {
    /// Writes to standard error.
    pub(crate) fn stderr() -> Self {
        Self::new(io::stderr())
    }
}

impl<F: AsFd> LogOutput<F> {
    pub(crate) fn new(file: F) -> Self {
        Self { file, turn: RwLock::new(()) }
    }

    fn write_parts(&self, mut line: &[u8]) -> io::Result<()> {
        while !line.is_empty() {
            match retry_on_intr(|| write(&self.file, line))? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => line = line.get(written..).unwrap_or_default(),
            }
        }
        Ok(())
    }
}

impl<F: AsFd> Write for &LogOutput<F> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // The lock protects no data, so a panic leaves nothing half changed.
        if line.len() <= ATOMIC_BYTES {
            let _turn = self.turn.read().unwrap_or_else(PoisonError::into_inner);
            self.write_parts(line)?;
        } else {
            let _turn = self.turn.write().unwrap_or_else(PoisonError::into_inner);
            self.write_parts(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a, F: AsFd + 'static> MakeWriter<'a> for LogOutput<F> {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader},
        thread,
    };

    use super::*;

    /// Longer than a pipe's buffer, so that the writer has to wait in the middle of the line.
    const LONG: usize = 100_000;

    #[test]
    fn lines_of_several_threads_are_whole() {
        let (reader, writer) = io::pipe().unwrap();
        let output = LogOutput::new(writer);
        let reader = thread::spawn(move || {
            BufReader::new(reader).lines().map(Result::unwrap).collect::<Vec<String>>()
        });
        thread::scope(|scope| {
            for letter in ["a", "b", "c", "d"] {
                let output = &output;
                scope.spawn(move || {
                    for length in [1, ATOMIC_BYTES - 1, ATOMIC_BYTES, LONG].repeat(20) {
                        let mut output = output;
                        output.write_all(format!("{}\n", letter.repeat(length)).as_bytes()).unwrap();
                    }
                });
            }
        });
        drop(output);
        let lines = reader.join().unwrap();
        assert_eq!(lines.len(), 4 * 4 * 20);
        for line in lines {
            let letter = line.chars().next().unwrap();
            assert!([1, ATOMIC_BYTES - 1, ATOMIC_BYTES, LONG].contains(&line.len()), "{}", line.len());
            assert!(line.chars().all(|other| other == letter));
        }
    }

    #[test]
    fn a_closed_pipe_is_an_error() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = LogOutput::new(writer);
        assert_eq!((&output).write_all(b"line\n").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
