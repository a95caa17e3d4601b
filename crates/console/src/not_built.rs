//! What is served in place of an app that was not built.

use bytes::Bytes;

use crate::files::AppFile;

/// The path of the page's style sheet: a style in the page itself would not be allowed.
const STYLE_PATH: &str = "/console/not-built.css";

/// The page that says how to build the app.
pub(crate) fn page() -> AppFile {
    AppFile::new(Bytes::from_static(include_bytes!("not_built/index.html")), (None, None))
}

/// The page's style sheet, if this is its path.
pub(crate) fn find_style(path: &str) -> Option<AppFile> {
    let style = include_bytes!("not_built/not-built.css");
    (path == STYLE_PATH).then(|| AppFile::new(Bytes::from_static(style), (None, None)))
}
