//! Why a caller has no access to a dataset.

use packages::id::{UserNodeId, WorkspaceId};

/// A caller who has no access to a dataset, as far as they are known. It is for the audit log: a client learns none of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Denial {
    /// Why.
    pub reason: DenialReason,
    /// The person.
    pub user: Option<UserNodeId>,
    /// The workspace of the dataset.
    pub workspace: Option<WorkspaceId>,
}

impl From<DenialReason> for Denial {
    /// The denial of an unknown caller.
    fn from(reason: DenialReason) -> Self {
        Self { reason, user: None, workspace: None }
    }
}

/// Why a caller has no access to a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DenialReason {
    /// The platform has no such user or API key, or one without a node id.
    #[error("the caller is unknown")]
    UnknownCaller,
    /// No workspace has the dataset, or not the caller's.
    #[error("the dataset is unknown")]
    UnknownDataset,
    /// An API key or a callback belongs to another workspace than the dataset.
    #[error("the credential is for another workspace")]
    OtherWorkspace,
    /// A callback is for another dataset.
    #[error("the callback is for another dataset")]
    OtherDataset,
    /// The person does not belong to the dataset's workspace.
    #[error("the user is not a member of the workspace")]
    NotMember,
    /// The person has no role in the dataset.
    #[error("the user has no role in the dataset")]
    NoRole,
}
