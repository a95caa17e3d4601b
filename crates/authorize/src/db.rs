//! Queries on `pennsieve.*` and the role columns: who a caller is, and which role they have in one dataset.

use serde::Deserialize;
use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use database::{Db, Error, Param};
use packages::{
    access::{Claims, DatasetClaim, DatasetRole, Member, TeamClaim, UserClaim, WorkspaceClaim},
    id::{DatasetId, DatasetNodeId, PackageNodeId, UserNodeId, WorkspaceId},
};

/// Whom a verified token identifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A person who logged in: `users.cognito_id`.
    User(Uuid),
    /// An API key: `tokens.token`. It acts for its owner in the workspace that it was created in.
    ApiKey(String),
}

/// Finds the member with an identity. `None`: the identity is unknown, or does not belong to its workspace.
///
/// A person's workspace is the one they last chose, an API key's the one that it was created in. A token's own
/// `custom:organization_id` is not used: Cognito puts custom attributes into ID tokens, which are not accepted, and the
/// database is more recent than the login.
pub async fn find_member(db: &Db, identity: &Identity) -> Result<Option<Member>, Error> {
    const COLUMNS: &str = "u.id AS user_id, u.node_id AS user_node_id, coalesce(u.is_super_admin, false) AS is_super_admin,
        o.id AS workspace_id, o.node_id AS workspace_node_id, coalesce(m.permission_bit, 0) AS workspace_role";
    let row = match identity {
        Identity::User(cognito_id) => {
            let sql = format!(
                "SELECT {COLUMNS} FROM pennsieve.users u
                 JOIN pennsieve.organizations o ON o.id = u.preferred_org_id
                 JOIN pennsieve.organization_user m ON m.organization_id = o.id AND m.user_id = u.id
                 WHERE u.cognito_id = $1"
            );
            db.query_opt(&sql, &[(cognito_id, Type::UUID)]).await?
        }
        Identity::ApiKey(token) => {
            let sql = format!(
                "SELECT {COLUMNS} FROM pennsieve.tokens t
                 JOIN pennsieve.users u ON u.id = t.user_id
                 JOIN pennsieve.organizations o ON o.id = t.organization_id
                 JOIN pennsieve.organization_user m ON m.organization_id = o.id AND m.user_id = u.id
                 WHERE t.token = $1"
            );
            db.query_opt(&sql, &[(token, Type::TEXT)]).await?
        }
    };
    Ok(row.map(|row| read_member(&row)).transpose()?.flatten())
}

fn read_member(row: &Row) -> Result<Option<Member>, Error> {
    let node_id: Option<&str> = row.try_get("user_node_id")?;
    let Some(node_id) = node_id.and_then(|id| UserNodeId::parse(id).ok()) else { return Ok(None) };
    Ok(Some(Member {
        user: UserClaim {
            id: row.try_get::<_, i32>("user_id")?.into(),
            node_id,
            is_super_admin: row.try_get("is_super_admin")?,
        },
        workspace: WorkspaceClaim {
            id: WorkspaceId(row.try_get("workspace_id")?),
            node_id: row.try_get::<_, Option<String>>("workspace_node_id")?.unwrap_or_default(),
            role: row.try_get::<_, i32>("workspace_role")?.into(),
        },
    }))
}

/// Finds the claims of a member on one dataset of their workspace. `None`: the dataset does not exist, or the member has no
/// role in it.
pub async fn find_claims(db: &Db, member: Member, dataset: &DatasetNodeId) -> Result<Option<Claims>, Error> {
    let sql = claims_sql(member.workspace.id, "d.node_id = $3 ORDER BY d.id LIMIT 1");
    let row = query_claims(db, &member, &sql, (&dataset.as_str(), Type::TEXT)).await?.into_iter().next();
    row.map(|row| read_claims(&row, &member)).transpose().map(Option::flatten)
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
        r#"d.id IN (SELECT dataset_id FROM "{workspace}".packages WHERE node_id = ANY($3)) AND d.node_id IS NOT NULL"#
    );
    let packages: Vec<&str> = packages.iter().map(PackageNodeId::as_str).collect();
    let sql = claims_sql(workspace, &has_package);
    let rows = query_claims(db, member, &sql, (&packages, Type::TEXT_ARRAY)).await?;
    rows.iter().map(|row| read_claims(row, member)).filter_map(Result::transpose).collect()
}

/// The roles that a person ($1) has in datasets of a workspace ($2).
fn claims_sql(workspace: WorkspaceId, condition: &str) -> String {
    format!(
        r#"SELECT d.id AS dataset_id, d.node_id AS dataset_node_id,
                  -- What the dataset gives to all members of the workspace.
                  d.role AS default_role,
                  ARRAY(SELECT dt.role::text FROM "{workspace}".dataset_team dt
                        JOIN pennsieve.team_user tu ON tu.team_id = dt.team_id AND tu.user_id = $1
                        WHERE dt.dataset_id = d.id AND dt.role IS NOT NULL) AS team_roles,
                  (SELECT du.role FROM "{workspace}".dataset_user du
                   WHERE du.dataset_id = d.id AND du.user_id = $1) AS user_role,
                  -- All teams of the member in the workspace, as the claims list them.
                  ARRAY(SELECT jsonb_build_object('id', t.id, 'name', t.name, 'node_id', t.node_id,
                                                  'permission', coalesce(tu.permission_bit, 0),
                                                  'team_type', coalesce(org_team.system_team_type, '<none>'))
                        FROM pennsieve.team_user tu
                        JOIN pennsieve.teams t ON t.id = tu.team_id
                        JOIN pennsieve.organization_team org_team ON org_team.team_id = t.id AND org_team.organization_id = $2
                        WHERE tu.user_id = $1 ORDER BY t.id) AS teams
           FROM "{workspace}".datasets d WHERE {condition}"#
    )
}

async fn query_claims(db: &Db, member: &Member, sql: &str, key: Param<'_>) -> Result<Vec<Row>, Error> {
    let user = i32::try_from(member.user.id).unwrap_or_default();
    db.query(sql, &[(&user, Type::INT4), (&member.workspace.id.0, Type::INT4), key]).await
}

/// The role is the highest of the dataset's default role, those of the member's teams, and their own. `None`: they have no
/// role.
fn read_claims(row: &Row, member: &Member) -> Result<Option<Claims>, Error> {
    let role = highest_role(row)?;
    let node_id = DatasetNodeId::parse(row.try_get("dataset_node_id")?).ok();
    let Some(node_id) = node_id.filter(|_| role != DatasetRole::None) else { return Ok(None) };
    let teams: Vec<serde_json::Value> = row.try_get("teams")?;
    Ok(Some(Claims {
        dataset: DatasetClaim { id: DatasetId(row.try_get("dataset_id")?), node_id, role },
        teams: teams.into_iter().filter_map(read_team).collect(),
        user: member.user.clone(),
        workspace: member.workspace.clone(),
    }))
}

fn highest_role(row: &Row) -> Result<DatasetRole, Error> {
    let default: Option<&str> = row.try_get("default_role")?;
    let teams: Vec<&str> = row.try_get("team_roles")?;
    let user: Option<&str> = row.try_get("user_role")?;
    let roles = default.into_iter().chain(teams).chain(user).map(DatasetRole::from_column);
    Ok(roles.max().unwrap_or(DatasetRole::None))
}

#[derive(Deserialize)]
struct TeamRow {
    id: i64,
    name: String,
    node_id: Option<String>,
    permission: i64,
    team_type: String,
}

/// A team without a name is left out.
fn read_team(team: serde_json::Value) -> Option<TeamClaim> {
    let TeamRow { id, name, node_id, permission, team_type } = serde_json::from_value(team).ok()?;
    Some(TeamClaim { id, name, node_id: node_id.unwrap_or_default(), permission, team_type })
}
