//! The directory with the state of the local stack between two starts.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use crate::lock_file::LockFile;

/// The files and directories of the stack. `--fresh` removes these and nothing else.
const ENTRIES: [&str; 9] = [
    "postgres",
    "postgres.log",
    "s3",
    "keys",
    "tokens",
    "changelog.jsonl",
    "demo.json",
    "stack.json",
    "serve.env",
];

/// The state directory, locked by one process at a time.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: LockFile,
}

impl StateDir {
    /// Locks the directory. Creates it if it is missing. Fails while another process has it locked.
    pub fn lock(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let path = path.canonicalize()?;
        let lock = LockFile::try_lock(&path.join("lock"))?.ok_or_else(|| {
            let message =
                format!("{} is in use by another packages-service: stop that one first", path.display());
            io::Error::new(io::ErrorKind::ResourceBusy, message)
        })?;
        Ok(Self { path, _lock: lock })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes all state.
    pub fn clear(&self) -> io::Result<()> {
        for name in ENTRIES {
            let path = self.path.join(name);
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads a file, or creates it with this content if it is missing. Only its owner may read it.
    pub fn read_or_create<E: Into<io::Error>>(
        &self,
        name: &str,
        create: impl FnOnce() -> Result<String, E>,
    ) -> io::Result<String> {
        let path = self.path.join(name);
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let text = create().map_err(Into::into)?;
                self.write_file(name, &text)?;
                Ok(text)
            }
            result => result,
        }
    }

    /// Creates a file that only its owner may read, or makes it one. Its content stays. Returns its path.
    pub fn create_private_file(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        Ok(path)
    }

    /// Replaces a file atomically: a reader sees the old content or the new one. Only its owner may read it.
    pub fn write_file(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.path.join(name);
        if let Some(parent) = path.parent().filter(|parent| *parent != self.path) {
            create_private_dir(parent)?;
        }
        let draft = path.with_extension("draft");
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        fs::rename(&draft, &path)
    }
}

/// Creates a directory that only its owner may enter, or makes it one.
pub(crate) fn create_private_dir(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    fs::set_permissions(dir, Permissions::from_mode(0o700))
}

#[cfg(test)]
mod tests {
    use aws::Clock;

    use super::*;
    use crate::s3::S3Store;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_the_owner_may_read_the_state() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::lock(dir.path()).unwrap();
        // Directories and files of an earlier version, which others may read.
        for (name, open) in [("keys", 0o755), ("s3", 0o755)] {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::set_permissions(dir.path().join(name), Permissions::from_mode(open)).unwrap();
        }
        fs::write(dir.path().join("changelog.jsonl"), "{}\n").unwrap();
        fs::set_permissions(dir.path().join("changelog.jsonl"), Permissions::from_mode(0o644)).unwrap();

        state.write_file("keys/one", "secret").unwrap();
        S3Store::open(&dir.path().join("s3"), Clock::Fixed(0)).unwrap();
        assert_eq!(
            fs::read_to_string(state.create_private_file("changelog.jsonl").unwrap()).unwrap(),
            "{}\n"
        );
        for (name, expected) in
            [("keys", 0o700), ("keys/one", 0o600), ("s3", 0o700), ("changelog.jsonl", 0o600)]
        {
            assert_eq!(mode(&dir.path().join(name)), expected, "{name}");
        }
    }

    #[test]
    fn locks_the_directory_and_clears_only_its_own_files() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::lock(dir.path()).unwrap();
        assert_eq!(StateDir::lock(dir.path()).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        state.write_file("stack.json", "{}").unwrap();
        fs::write(dir.path().join("thesis.txt"), "mine").unwrap();
        let read_or_create = |text: &'static str| {
            state.read_or_create("keys/one", move || Ok::<_, io::Error>(text.to_owned())).unwrap()
        };
        assert_eq!((read_or_create("a"), read_or_create("b")), ("a".to_owned(), "a".to_owned()));

        state.clear().unwrap();
        assert_eq!(read_or_create("c"), "c");
        assert!(!dir.path().join("stack.json").exists());
        assert!(dir.path().join("thesis.txt").exists());
        drop(state);
        StateDir::lock(dir.path()).unwrap();
    }
}
