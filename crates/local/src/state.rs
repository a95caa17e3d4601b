//! The directory in which the local stack lives between two starts.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// What the stack keeps in its directory. `--fresh` removes these and nothing else.
const CONTENT: [&str; 8] =
    ["postgres", "postgres.log", "s3", "keys", "tokens", "changelog.jsonl", "demo.json", "stack.json"];

/// The stack's directory, held by one process at a time.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: File,
}

impl StateDir {
    /// Takes the directory, which is made where it is missing; it fails while another process has it.
    pub fn take(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let path = path.canonicalize()?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.join("lock"))?;
        if lock.try_lock().is_err() {
            let message =
                format!("{} is in use by another packages-service; stop that first", path.display());
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, message));
        }
        Ok(Self { path, _lock: lock })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Forgets everything.
    pub fn clear(&self) -> io::Result<()> {
        for name in CONTENT {
            let path = self.path.join(name);
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// A text that was made once and is kept, such as a key. Only its owner may read the file.
    pub fn keep<E: Into<io::Error>>(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<String, E>,
    ) -> io::Result<String> {
        let path = self.path.join(name);
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let text = make().map_err(Into::into)?;
                self.write(name, &text)?;
                Ok(text)
            }
            other => other,
        }
    }

    /// Replaces a file as a whole: a reader sees the old one or the new one. Only its owner may read it.
    pub fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.path.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let draft = path.with_extension("draft");
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        fs::rename(&draft, &path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_and_nothing_foreign_is_cleared() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::take(dir.path()).unwrap();
        assert_eq!(StateDir::take(dir.path()).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        state.write("stack.json", "{}").unwrap();
        fs::write(dir.path().join("thesis.txt"), "mine").unwrap();
        let kept =
            |text: &'static str| state.keep("keys/one", move || Ok::<_, io::Error>(text.to_owned())).unwrap();
        assert_eq!((kept("a"), kept("b")), ("a".to_owned(), "a".to_owned()));

        state.clear().unwrap();
        assert_eq!(kept("c"), "c");
        assert!(!dir.path().join("stack.json").exists());
        assert!(dir.path().join("thesis.txt").exists());
        drop(state);
        StateDir::take(dir.path()).unwrap();
    }
}
