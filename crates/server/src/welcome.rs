//! What `dev` says when it is ready: where everything is, and three things to try.

use std::path::Path;

use crate::{say, stack_file::StackFile};

/// Prints it.
pub(crate) fn print(file: &StackFile, state: &Path) {
    let state = std::env::current_dir().ok().and_then(|here| state.strip_prefix(here).ok()).unwrap_or(state);
    let state = state.display();
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
  More      {state}/stack.json: users and their tokens, node ids

A file, through a presigned link:

  curl -L -H @{state}/tokens/viewer '{api}/presign/s3?dataset_id={dataset}&package_id={table}'

A signed link to a Parquet file on the edge:

  curl -H @{state}/tokens/viewer '{api}/cloudfront/sign?dataset_id={dataset}&package_id={spikes}&path=spikes.parquet'

A folder of fifty files, back from the trash, and how far it is:

  curl -H @{state}/tokens/editor '{api}/restore?dataset_id={dataset}' -d '{{\"nodeIds\":[\"{folder}\"]}}'
  curl -H @{state}/tokens/viewer '{api}/restore?dataset_id={dataset}&package_id={folder}'

Ctrl-C stops everything.",
        edge = file.edge,
        s3 = file.s3.endpoint,
        database = file.database_url,
    ));
}
