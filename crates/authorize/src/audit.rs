//! One audit event for each decision, on every host: who, what, which dataset, and why not. It has the target `audit`, and
//! never a credential.

use packages::{
    access::{Claims, Member},
    id::DatasetNodeId,
};

use crate::{AuthenticationError, credential::Credential, denial::Denial};

/// Logs that a caller has access to a dataset, with the role that they have.
pub(crate) fn log_access_granted(credential: &Credential, claims: &Claims) {
    tracing::info!(
        target: "audit",
        user = %claims.user.node_id, workspace = claims.workspace.id.0, dataset = %claims.dataset.node_id,
        role = ?claims.dataset.role, credential = credential.kind(), "access granted",
    );
}

/// Logs that a caller is a member of a workspace, for a request that names no dataset.
pub(crate) fn log_member_accepted(credential: &Credential, member: &Member) {
    tracing::info!(
        target: "audit",
        user = %member.user.node_id, workspace = member.workspace.id.0, credential = credential.kind(),
        "member accepted",
    );
}

/// Logs that a known credential gives no access.
pub(crate) fn log_access_refused(credential: &Credential, dataset: Option<&DatasetNodeId>, denial: &Denial) {
    tracing::info!(
        target: "audit",
        user = denial.user.as_ref().map(tracing::field::display),
        workspace = denial.workspace.map(|workspace| workspace.0),
        dataset = dataset.map(tracing::field::display),
        credential = credential.kind(), reason = %denial.reason, "access refused",
    );
}

/// Logs that a credential is not accepted, or could not be verified.
pub(crate) fn log_authentication_failed(
    credential: &Credential,
    dataset: Option<&DatasetNodeId>,
    error: &AuthenticationError,
) {
    tracing::info!(
        target: "audit",
        dataset = dataset.map(tracing::field::display), credential = credential.kind(), reason = %error,
        "access refused",
    );
}
