//! The caller of a request, and how the database finds them.

use packages::{
    access::Member,
    id::{DatasetNodeId, UserNodeId, WorkspaceId},
};
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

/// The caller that a verified credential identifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A person who logged in: `users.cognito_id`.
    User(Uuid),
    /// An API key: `tokens.token`. It acts for its owner, in the workspace that it was created in and no other.
    ApiKey(String),
    /// A run of a service that acts for a person on one dataset.
    Callback(CallbackIdentity),
    /// A caller whom the gateway's authorizer identified.
    Member {
        /// The person's primary key.
        user: i64,
        /// The workspace that they are active in.
        workspace: WorkspaceId,
        /// Whether they may act in others, too.
        any_workspace: bool,
    },
}

/// The person for whom a service acts, and the dataset that it acts on, as its validator said (contract §1.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackIdentity {
    /// The person.
    pub user: UserNodeId,
    /// The workspace, `N:organization:…`.
    pub workspace_node_id: String,
    /// The only dataset.
    pub dataset: DatasetNodeId,
}

/// How a statement finds a caller. All texts are SQL.
pub(super) struct CallerQuery {
    /// The tables; `u` is `pennsieve.users`.
    pub(super) tables: &'static str,
    /// Which rows.
    pub(super) condition: &'static str,
    /// `$1`.
    pub(super) key: SqlValue,
    /// `$3`, if the texts have it.
    pub(super) workspace_node_id: Option<SqlValue>,
    /// The only workspace that the caller may act in; null for any.
    pub(super) only_workspace: String,
    /// The workspace where the platform has no table of the workspaces of datasets.
    pub(super) default_workspace: String,
}

/// A value for a parameter, and its type.
type SqlValue = (Box<dyn ToSql + Send + Sync>, Type);

impl Identity {
    /// The identity that a member has for the service.
    #[must_use]
    pub fn from_member(member: &Member) -> Self {
        Self::Member {
            user: member.user.id,
            workspace: member.workspace.id,
            any_workspace: member.any_workspace,
        }
    }

    /// Whether the caller may act in any workspace that they belong to: a person may, a key or a callback may not.
    #[must_use]
    pub(super) fn may_change_workspace(&self) -> bool {
        matches!(self, Self::User(_) | Self::Member { any_workspace: true, .. })
    }

    pub(super) fn query(&self) -> CallerQuery {
        const USERS: &str = "pennsieve.users u";
        let text = |text: &str| -> SqlValue { (Box::new(text.to_owned()), Type::TEXT) };
        let (tables, condition, key, workspace) = match self {
            Self::User(cognito_id) => {
                let key: SqlValue = (Box::new(*cognito_id), Type::UUID);
                (USERS, "u.cognito_id = $1", key, "u.preferred_org_id".to_owned())
            }
            Self::ApiKey(token) => (
                "pennsieve.tokens t JOIN pennsieve.users u ON u.id = t.user_id",
                "t.token = $1",
                text(token),
                // No workspace has the number 0.
                "coalesce(t.organization_id, 0)".to_owned(),
            ),
            Self::Callback(CallbackIdentity { user, .. }) => {
                let workspace = "coalesce((SELECT id FROM pennsieve.organizations WHERE node_id = $3 ORDER BY id LIMIT 1), 0)";
                (USERS, "u.node_id = $1", text(user.as_str()), workspace.to_owned())
            }
            Self::Member { user, workspace, .. } => {
                let key: SqlValue = (Box::new(*user), Type::INT8);
                (USERS, "u.id = $1", key, workspace.to_string())
            }
        };
        let only_workspace =
            if self.may_change_workspace() { "NULL::int".to_owned() } else { workspace.clone() };
        let workspace_node_id = match self {
            Self::Callback(callback) => Some(text(&callback.workspace_node_id)),
            _ => None,
        };
        CallerQuery {
            tables,
            condition,
            key,
            workspace_node_id,
            only_workspace,
            default_workspace: workspace,
        }
    }
}
