//! Embeds the built web app, all files of `console/dist`, as `EMBEDDED`. Without them the program is built too, and says in
//! place of the app how to build it. This script runs no Node.js: `scripts/console` does.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// Where Vite writes the app.
const DIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../console/dist");

fn main() -> io::Result<()> {
    // scripts/console touches this file when it has built the app for the first time. A path that does not exist would make
    // cargo run this script, and link the program, at every build.
    println!("cargo::rerun-if-changed=build.rs");
    let dist = Path::new(DIST);
    let mut files = Vec::new();
    if dist.join("index.html").is_file() {
        println!("cargo::rerun-if-changed={DIST}");
        list_files(dist, &mut files)?;
        files.sort();
    }
    let out_dir = std::env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(Path::new(&out_dir).join("embedded.rs"), format_table(dist, &files)?)
}

fn list_files(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            list_files(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// The source of `EMBEDDED`: pairs of a path beneath `console/dist` and the file's bytes.
fn format_table(dist: &Path, files: &[PathBuf]) -> io::Result<String> {
    let mut table = "pub(crate) static EMBEDDED: &[(&str, &[u8])] = &[\n".to_owned();
    for file in files {
        let path = file.strip_prefix(dist).map_err(io::Error::other)?;
        let (path, file) = (path.display().to_string(), file.display().to_string());
        writeln!(table, "    ({path:?}, include_bytes!({file:?})),").map_err(io::Error::other)?;
    }
    table.push_str("];\n");
    Ok(table)
}
