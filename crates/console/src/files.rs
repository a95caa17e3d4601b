//! The files of the app, from the program or from a directory.

use std::{collections::HashMap, path::PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The page of all paths of the app.
pub(crate) const INDEX: &str = "index.html";

/// The extensions of precompressed copies, which Vite writes beside a file.
const BROTLI_EXTENSION: &str = ".br";
const GZIP_EXTENSION: &str = ".gz";

/// Bytes of SHA-256 in an entity tag.
const TAG_BYTES: usize = 16;

/// Where the files of the app are.
#[derive(Debug, Clone)]
pub enum AppFiles {
    /// In the program.
    Embedded(HashMap<&'static str, AppFile>),
    /// In a directory, which is read at each request: for people who work on the app.
    Directory(PathBuf),
}

/// A file, with its precompressed copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppFile {
    pub(crate) identity: Bytes,
    pub(crate) brotli: Option<Bytes>,
    pub(crate) gzip: Option<Bytes>,
    /// What distinguishes this content from others, without quotes.
    pub(crate) tag: String,
}

impl AppFiles {
    /// The files that were there when the program was built.
    #[must_use]
    pub fn embedded() -> Self {
        Self::from_table(EMBEDDED)
    }

    /// What to do about an app that is missing, for a log; `None` if there is one. Without one there is only the page that says how to
    /// build it.
    #[must_use]
    pub fn missing_app_advice(&self) -> Option<&'static str> {
        match self {
            Self::Embedded(files) => {
                (!files.contains_key(INDEX)).then_some("run `make console`, then build the program again")
            }
            Self::Directory(dir) => (!dir.join(INDEX).is_file())
                .then_some("build it into this directory (`npm run build` in `console`)"),
        }
    }

    pub(crate) fn from_table(table: &'static [(&'static str, &'static [u8])]) -> Self {
        let bytes: HashMap<&str, &'static [u8]> = table.iter().copied().collect();
        let find = |path: &str, extension: &str| {
            bytes.get(format!("{path}{extension}").as_str()).map(|bytes| Bytes::from_static(bytes))
        };
        let file = |(path, identity): &(&'static str, &'static [u8])| {
            let copies = (find(path, BROTLI_EXTENSION), find(path, GZIP_EXTENSION));
            (*path, AppFile::new(Bytes::from_static(identity), copies))
        };
        Self::Embedded(table.iter().filter(|(path, _)| !is_copy(path)).map(file).collect())
    }

    /// The file at a path beneath the app's folder, as it stands in a URL.
    pub(crate) async fn load(&self, path: &str) -> Option<AppFile> {
        match self {
            Self::Embedded(files) => files.get(path).cloned(),
            Self::Directory(dir) if is_plain_path(path) && !is_copy(path) => {
                let read = async |extension: &str| {
                    tokio::fs::read(dir.join(format!("{path}{extension}"))).await.ok().map(Bytes::from)
                };
                let copies = (read(BROTLI_EXTENSION).await, read(GZIP_EXTENSION).await);
                Some(AppFile::new(read("").await?, copies))
            }
            Self::Directory(_) => None,
        }
    }
}

impl AppFile {
    pub(crate) fn new(identity: Bytes, (brotli, gzip): (Option<Bytes>, Option<Bytes>)) -> Self {
        let hash = digest(&SHA256, &identity);
        let tag = hex::encode(hash.as_ref().get(..TAG_BYTES).unwrap_or_default());
        Self { identity, brotli, gzip, tag }
    }
}

/// Copies are not files of their own: they are chosen by `Accept-Encoding`.
fn is_copy(path: &str) -> bool {
    path.ends_with(BROTLI_EXTENSION) || path.ends_with(GZIP_EXTENSION)
}

/// Whether a path stays beneath the directory, and names no hidden file. Vite's names need no percent-encoding.
fn is_plain_path(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    path.split('/')
        .all(|segment| !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(is_plain))
}
