//! One audit event for each decision, on every host: who, what, which dataset, and why not. It has the target `audit`, and
//! never a credential.

use packages::{
    access::{Claims, Member},
    id::DatasetNodeId,
};

use crate::{AuthenticationError, credential::Credential, denial::Denial};

/// Logs who a caller is, and their role in the dataset. What they may do with it depends on the request.
pub(crate) fn log_caller_identified(credential: &Credential, claims: &Claims) {
    tracing::info!(
        target: "audit",
        user = %claims.user.node_id, workspace = claims.workspace.id.0, dataset = %claims.dataset.node_id,
        role = ?claims.dataset.role, credential = %credential.describe(), "caller identified",
    );
}

/// Logs that a caller is a member of a workspace, for a request that names no dataset.
pub(crate) fn log_member_identified(credential: &Credential, member: &Member) {
    tracing::info!(
        target: "audit",
        user = %member.user.node_id, workspace = member.workspace.id.0, credential = %credential.describe(),
        "caller identified",
    );
}

/// Logs that a known credential gives no access.
pub(crate) fn log_access_refused(credential: &Credential, dataset: Option<&DatasetNodeId>, denial: &Denial) {
    tracing::info!(
        target: "audit",
        user = denial.user.as_ref().map(tracing::field::display),
        workspace = denial.workspace.map(|workspace| workspace.0),
        dataset = dataset.map(tracing::field::display),
        credential = %credential.describe(), reason = %denial.reason, "access refused",
    );
}

/// Logs that a credential is not accepted, or that this could not be decided.
pub(crate) fn log_authentication_failed(
    credential: &Credential,
    dataset: Option<&DatasetNodeId>,
    error: &AuthenticationError,
) {
    let (dataset, credential) = (dataset.map(tracing::field::display), credential.describe());
    match error {
        AuthenticationError::Invalid(reason) => tracing::info!(
            target: "audit", dataset, %credential, %reason, "access refused",
        ),
        AuthenticationError::Unavailable(_) | AuthenticationError::ValidatorUnavailable => tracing::info!(
            target: "audit", dataset, %credential, reason = %error, "access not decided",
        ),
    }
}

/// Logs a request whose credential or dataset cannot be read, for a host.
pub fn log_malformed_credential(reason: &'static str) {
    tracing::info!(target: "audit", reason, "access refused");
}
