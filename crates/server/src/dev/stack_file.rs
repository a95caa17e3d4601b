//! `stack.json`: the addresses, users and node ids of the local stack, for programs.

use std::{collections::BTreeMap, io, path::Path};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The file's name in the state directory.
pub(crate) const STACK_FILE_NAME: &str = "stack.json";

/// A running local stack.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StackFile {
    /// Base URL of the API, with `/packages`.
    pub(crate) api: String,
    /// Base URL of the CDN's local replacement.
    pub(crate) edge: String,
    pub(crate) s3: S3,
    /// The connection URL of Postgres, with the owner's role.
    pub(crate) database_url: String,
    pub(crate) users: Vec<User>,
    pub(crate) demo: Demo,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct S3 {
    pub(crate) endpoint: String,
    pub(crate) region: String,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) storage_bucket: String,
    pub(crate) viewer_assets_bucket: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) email: String,
    pub(crate) node_id: String,
    pub(crate) workspace_id: i32,
    /// The role in the demo dataset; null for users of another workspace.
    pub(crate) role: Option<String>,
    /// The user's id at the identity provider.
    pub(crate) cognito_id: Uuid,
    pub(crate) token: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Demo {
    /// The workspace's number, which is the name of its schema.
    pub(crate) workspace_id: i32,
    pub(crate) dataset_node_id: String,
    /// The second dataset of the workspace. A state directory of an earlier version has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) course_dataset_node_id: Option<String>,
    /// A dataset of another workspace, to which the users have no access.
    pub(crate) other_dataset_node_id: String,
    /// Node ids of example packages, by name.
    #[serde(flatten)]
    pub(crate) packages: BTreeMap<String, String>,
}

impl User {
    /// The name before the `@`, which names the file with the token.
    pub(crate) fn name(&self) -> &str {
        self.email.split('@').next().unwrap_or_default()
    }
}

impl StackFile {
    /// Reads the file from a state directory.
    pub(crate) fn read(state_dir: &Path) -> io::Result<Self> {
        let path = state_dir.join(STACK_FILE_NAME);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let hint = "start the stack once: packages-service dev --state-dir DIR";
            io::Error::new(error.kind(), format!("cannot read {}: {error}; {hint}", path.display()))
        })?;
        serde_json::from_str(&text).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
    }
}
