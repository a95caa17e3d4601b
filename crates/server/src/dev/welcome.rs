//! The message that `dev` prints when it is ready: addresses, and commands to try.

use std::path::Path;

use crate::{
    dev::stack_file::{STACK_FILE_NAME, StackFile},
    print_line,
};

/// Prints the message. `state` is absolute, so that the commands work in any directory.
pub(crate) fn print_welcome(file: &StackFile, state: &Path, has_console: bool) {
    let header = |user: &str| shell_quote(&format!("@{}", state.join("tokens").join(user).display()));
    let (viewer, editor) = (header("viewer"), header("editor"));
    let (api, dataset) = (&file.api, &file.demo.dataset_node_id);
    let package = |name: &str| file.demo.packages.get(name).map_or("", String::as_str);
    let (table, spikes, folder) = (package("table"), package("spikes"), package("trashed_folder"));
    // First: it shows what the rest of the message tells.
    let console = file.api.strip_suffix("/packages").filter(|_| has_console);
    let console = console.map(|origin| format!("  Console   {origin}/\n")).unwrap_or_default();
    print_line(&format!(
        "
Ready.

{console}  API       {api}
  Edge      {edge}
  S3        {s3}
  Postgres  {database}
  More      {stack}: users, tokens, passwords and node ids

Download a file through a presigned link:

  curl -L -H {viewer} '{api}/presign/s3?dataset_id={dataset}&package_id={table}'

Read the first bytes of a Parquet file through a signed link to the edge:

  curl -r 0-3 \"$(curl -s -H {viewer} '{api}/cloudfront/sign?dataset_id={dataset}&package_id={spikes}&path=spikes.parquet' | cut -d '\"' -f 4)\"

Restore a folder with fifty files in five folders from the trash:

  curl -H {editor} '{api}/restore?dataset_id={dataset}' -d '{{\"nodeIds\":[\"{folder}\"]}}'

Show the progress:

  curl -H {viewer} '{api}/restore?dataset_id={dataset}&package_id={folder}'

Ctrl-C stops everything. The next start keeps the state; --fresh deletes it first.",
        edge = file.edge,
        s3 = file.s3.endpoint,
        database = without_password(&file.database_url),
        stack = state.join(STACK_FILE_NAME).display(),
    ));
}

/// A database URL for the eyes of others: a terminal is recorded and shared. `stack.json` has the whole URL.
fn without_password(url: &str) -> String {
    let parts = url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?)));
    let Some((scheme, (user, place))) = parts else { return url.to_owned() };
    let user = user.split_once(':').map_or(user, |(user, _)| user);
    format!("{scheme}://{user}@{place}")
}

/// Quotes a word for a POSIX shell.
fn shell_quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        for (url, shown) in [
            (
                "postgresql://postgres:hunter2@127.0.0.1:5432/db?x=y",
                "postgresql://postgres@127.0.0.1:5432/db?x=y",
            ),
            ("postgresql://postgres:hunt@er:2@127.0.0.1/db", "postgresql://postgres@127.0.0.1/db"),
            ("postgresql://postgres@127.0.0.1/db", "postgresql://postgres@127.0.0.1/db"),
            ("postgresql://127.0.0.1/db", "postgresql://127.0.0.1/db"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
