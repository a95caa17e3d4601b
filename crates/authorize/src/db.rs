//! Queries on `pennsieve.*` and the role columns: who a caller is, and which role they have in a dataset.

mod datasets;
mod decision;
mod identity;
mod roles;

use packages::{
    access::{Claims, DatasetClaim, DatasetRole, Member, UserClaim, WorkspaceClaim},
    id::{DatasetNodeId, PackageNodeId, UserNodeId, WorkspaceId},
};
use tokio_postgres::{Row, types::Type};

pub use self::{
    datasets::{DatasetPage, DatasetPosition, DatasetsError, ListedDataset, ListedWorkspace, list_datasets},
    decision::{AccessRequest, DatasetPlace, Decision, decide_access},
    identity::{CallbackIdentity, Identity},
    roles::TeamList,
};
use self::{
    identity::CallerQuery,
    roles::{RolesQuery, RolesRow},
};
use database::{Db, Error};

/// Finds the member with an identity, in the workspace that an API key was created in, or that a person last chose. A person who
/// does not belong to that one is in the first of their workspaces. `None`: the identity is unknown, or belongs to no workspace.
///
/// A token's own `custom:organization_id` is not used: Cognito puts custom attributes into ID tokens, which are not accepted,
/// and the database is more recent than the login.
pub async fn find_member(db: &Db, identity: &Identity) -> Result<Option<Member>, Error> {
    if matches!(identity, Identity::Callback(_)) {
        // It acts on one dataset and not in a workspace.
        return Ok(None);
    }
    let any_workspace = identity.may_change_workspace();
    let CallerQuery { tables, condition, key, default_workspace, .. } = identity.query();
    let workspaces = if any_workspace { "IS NOT NULL".to_owned() } else { format!("= {default_workspace}") };
    let sql = format!(
        "SELECT u.id AS user_id, u.node_id AS user_node_id, coalesce(u.is_super_admin, false) AS is_super_admin,
                o.id AS workspace_id, o.node_id AS workspace_node_id, coalesce(m.permission_bit, 0) AS workspace_role
         FROM {tables}
         JOIN pennsieve.organization_user m ON m.user_id = u.id AND m.organization_id {workspaces}
         JOIN pennsieve.organizations o ON o.id = m.organization_id
         WHERE {condition}
         ORDER BY m.organization_id = {default_workspace} DESC NULLS LAST, m.organization_id"
    );
    let rows = db.query(&sql, &[(&*key.0, key.1)]).await?;
    let members = rows.iter().map(|row| read_member(row, any_workspace)).collect::<Result<Vec<_>, _>>()?;
    // An id that is not unique identifies nobody.
    let mut members = members.into_iter().flatten();
    let first = members.next();
    Ok(first.filter(|first| members.all(|other| other.user == first.user)))
}

fn read_member(row: &Row, any_workspace: bool) -> Result<Option<Member>, Error> {
    let node_id: Option<&str> = row.try_get("user_node_id")?;
    let Some(node_id) = node_id.and_then(|id| UserNodeId::parse(id).ok()) else { return Ok(None) };
    let user = UserClaim {
        id: row.try_get::<_, i32>("user_id")?.into(),
        node_id,
        is_super_admin: row.try_get("is_super_admin")?,
    };
    Ok(read_workspace(row)?.map(|workspace| Member { user, workspace, any_workspace }))
}

fn read_workspace(row: &Row) -> Result<Option<WorkspaceClaim>, Error> {
    let Some(id) = row.try_get("workspace_id")? else { return Ok(None) };
    Ok(Some(WorkspaceClaim {
        id: WorkspaceId(id),
        node_id: row.try_get::<_, Option<String>>("workspace_node_id")?.unwrap_or_default(),
        role: row.try_get::<_, i32>("workspace_role")?.into(),
    }))
}

/// Whether a schema, a table or a column does not exist, or may not be used (PostgreSQL documentation, "PostgreSQL Error Codes").
fn is_unreadable(error: &Error) -> bool {
    matches!(error.sql_state(), Some("3F000" | "42P01" | "42703" | "42501"))
}

/// Lists the claims of a member on the datasets of their workspace that have these packages. A dataset in which they have no
/// role is not listed.
pub async fn list_claims_by_packages(
    db: &Db,
    member: &Member,
    packages: &[PackageNodeId],
) -> Result<Vec<Claims>, Error> {
    let workspace = member.workspace.id;
    let has_package = format!(
        r#"d.id IN (SELECT dataset_id FROM "{workspace}".packages WHERE node_id = ANY($2)) AND d.node_id IS NOT NULL"#
    );
    let roles = RolesQuery {
        schema: &format!(r#""{workspace}""#),
        workspace: &workspace.to_string(),
        user: "$1",
        condition: &has_package,
        teams: TeamList::Omitted,
    };
    let packages: Vec<&str> = packages.iter().map(PackageNodeId::as_str).collect();
    let rows =
        db.query(&roles.to_sql(), &[(&member.user.id, Type::INT8), (&packages, Type::TEXT_ARRAY)]).await?;
    let claims =
        rows.iter().map(|row| Ok(RolesRow::read(row)?.and_then(|roles| member_claims(member, roles))));
    claims.filter_map(Result::transpose).collect()
}

/// `None`: the member has no role.
fn member_claims(member: &Member, roles: RolesRow) -> Option<Claims> {
    let role = roles.highest_role();
    let node_id = DatasetNodeId::parse(roles.dataset_node_id.as_deref()?).ok()?;
    (role != DatasetRole::None).then(|| Claims {
        user: member.user.clone(),
        workspace: member.workspace.clone(),
        dataset: DatasetClaim { id: roles.dataset(), node_id, role },
        teams: roles.into_teams(),
    })
}
