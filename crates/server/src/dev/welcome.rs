//! What `dev` says when it is ready: where everything is, and what to try.

use std::path::Path;

use crate::{dev::stack_file::StackFile, say};

/// Prints it. `state` is absolute, so that the lines work in any terminal.
pub(crate) fn print(file: &StackFile, state: &Path) {
    let header = |user: &str| quoted(&format!("@{}", state.join("tokens").join(user).display()));
    let (viewer, editor) = (header("viewer"), header("editor"));
    let (api, dataset) = (&file.api, &file.demo.dataset_node_id);
    let package = |name: &str| file.demo.packages.get(name).map_or("", String::as_str);
    let (table, spikes, folder) = (package("table"), package("spikes"), package("trashed_folder"));
    say(&format!(
        "
Ready.

  API       {api}
  Edge      {edge}
  S3        {s3}
  Postgres  {database}
  More      {stack}: users and their tokens, node ids

A file, through a presigned link:

  curl -L -H {viewer} '{api}/presign/s3?dataset_id={dataset}&package_id={table}'

The first bytes of a Parquet file, through a signed link to the edge:

  curl -r 0-3 \"$(curl -s -H {viewer} '{api}/cloudfront/sign?dataset_id={dataset}&package_id={spikes}&path=spikes.parquet' | cut -d '\"' -f 4)\"

A folder with fifty files in five folders, back from the trash:

  curl -H {editor} '{api}/restore?dataset_id={dataset}' -d '{{\"nodeIds\":[\"{folder}\"]}}'

How far it is:

  curl -H {viewer} '{api}/restore?dataset_id={dataset}&package_id={folder}'

Ctrl-C stops everything; the next start goes on where this one ended, with --fresh it begins anew.",
        edge = file.edge,
        s3 = file.s3.endpoint,
        database = file.database_url,
        stack = state.join(crate::dev::stack_file::NAME).display(),
    ));
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
