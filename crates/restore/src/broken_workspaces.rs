//! Workspaces that maintenance cannot read, as one whose migration is half done. Each is logged once, and not in every round.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use database::Error;
use packages::id::WorkspaceId;

/// The workspaces that failed in the last round of this process, with the error that was logged.
#[derive(Debug, Clone, Default)]
pub struct BrokenWorkspaces(Arc<Mutex<HashMap<WorkspaceId, String>>>);

impl BrokenWorkspaces {
    /// Logs the error, unless it is that of the last round.
    pub(crate) fn record_failure(&self, workspace: WorkspaceId, error: &Error) {
        let text = error.to_string();
        let known = self.lock().insert(workspace, text.clone());
        if known.as_deref() != Some(text.as_str()) {
            tracing::warn!(workspace = workspace.0, error = text, "maintenance of a workspace failed");
        }
    }

    /// Logs it, if the workspace failed in the last round.
    pub(crate) fn record_success(&self, workspace: WorkspaceId) {
        if self.lock().remove(&workspace).is_some() {
            tracing::info!(workspace = workspace.0, "maintenance of a workspace works again");
        }
    }

    /// Sorts the workspaces that failed in the last round behind the others, which then do not wait for them. Forgets those that
    /// no longer exist.
    pub(crate) fn move_to_end(&self, workspaces: &mut [WorkspaceId]) {
        let mut broken = self.lock();
        broken.retain(|workspace, _| workspaces.contains(workspace));
        workspaces.sort_by_key(|workspace| broken.contains_key(workspace));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<WorkspaceId, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
