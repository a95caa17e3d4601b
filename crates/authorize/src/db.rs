//! `pennsieve.*` and the role columns: who somebody is, and which role they have in one dataset.

use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use database::{Db, Error};
use packages::{
    access::{Claims, DatasetClaim, DatasetRole, TeamClaim, UserClaim, WorkspaceClaim},
    id::{DatasetId, DatasetNodeId, UserNodeId, WorkspaceId},
};

/// How a verified token names its bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A person who logged in: `users.cognito_id`.
    User(Uuid),
    /// An API key: `tokens.token`. It acts for its owner in the workspace that it was made in.
    ApiKey(String),
}

/// A person, and the workspace that they are active in and belong to.
#[derive(Debug, Clone)]
pub struct Member {
    /// Who.
    pub user: UserClaim,
    /// Where.
    pub workspace: WorkspaceClaim,
}

/// The member behind an identity; `None` for an unknown one, and for one that does not belong to its workspace.
///
/// A person's workspace is the one they last chose, an API key's the one that it was made in. A token's own
/// `custom:organization_id` is not asked: Cognito puts custom attributes into ID tokens, which are not believed, and what
/// the database says now counts for more than what was true when somebody logged in.
pub async fn find_member(db: &Db, identity: &Identity) -> Result<Option<Member>, Error> {
    const SELECT: &str =
        "u.id, u.node_id, coalesce(u.is_super_admin, false), o.id, o.node_id, coalesce(m.permission_bit, 0)";
    let row = match identity {
        Identity::User(cognito_id) => {
            let sql = format!(
                "SELECT {SELECT} FROM pennsieve.users u
                 JOIN pennsieve.organizations o ON o.id = u.preferred_org_id
                 JOIN pennsieve.organization_user m ON m.organization_id = o.id AND m.user_id = u.id
                 WHERE u.cognito_id = $1"
            );
            db.query_opt(&sql, &[(cognito_id, Type::UUID)]).await?
        }
        Identity::ApiKey(token) => {
            let sql = format!(
                "SELECT {SELECT} FROM pennsieve.tokens t
                 JOIN pennsieve.users u ON u.id = t.user_id
                 JOIN pennsieve.organizations o ON o.id = t.organization_id
                 JOIN pennsieve.organization_user m ON m.organization_id = o.id AND m.user_id = u.id
                 WHERE t.token = $1"
            );
            db.query_opt(&sql, &[(token, Type::TEXT)]).await?
        }
    };
    Ok(row.map(|row| member(&row)).transpose()?.flatten())
}

fn member(row: &Row) -> Result<Option<Member>, Error> {
    let Some(node_id) = row.try_get::<_, Option<&str>>(1)?.and_then(|id| UserNodeId::parse(id).ok()) else {
        return Ok(None);
    };
    Ok(Some(Member {
        user: UserClaim { id: row.try_get::<_, i32>(0)?.into(), node_id, is_super_admin: row.try_get(2)? },
        workspace: WorkspaceClaim {
            id: WorkspaceId(row.try_get(3)?),
            node_id: row.try_get::<_, Option<String>>(4)?.unwrap_or_default(),
            role: row.try_get::<_, i32>(5)?.into(),
        },
    }))
}

/// What a member may do in one dataset of their workspace: the greatest of the role that the dataset gives to
/// everybody, those of the member's teams, and their own. `None`: there is no such dataset, or no role in it.
pub async fn find_claims(db: &Db, member: Member, dataset: &DatasetNodeId) -> Result<Option<Claims>, Error> {
    let workspace = member.workspace.id;
    let sql = format!(
        r#"SELECT d.id, d.role,
                  ARRAY(SELECT dt.role::text FROM "{workspace}".dataset_team dt
                        JOIN pennsieve.team_user tu ON tu.team_id = dt.team_id AND tu.user_id = $2
                        WHERE dt.dataset_id = d.id AND dt.role IS NOT NULL),
                  (SELECT du.role FROM "{workspace}".dataset_user du WHERE du.dataset_id = d.id AND du.user_id = $2),
                  ARRAY(SELECT jsonb_build_array(t.id, t.name, t.node_id, coalesce(tu.permission_bit, 0),
                                                 coalesce(within.system_team_type, '<none>'))
                        FROM pennsieve.team_user tu
                        JOIN pennsieve.teams t ON t.id = tu.team_id
                        JOIN pennsieve.organization_team within ON within.team_id = t.id AND within.organization_id = $3
                        WHERE tu.user_id = $2 ORDER BY t.id)
           FROM "{workspace}".datasets d WHERE d.node_id = $1 ORDER BY d.id LIMIT 1"#
    );
    let user = i32::try_from(member.user.id).unwrap_or_default();
    let row = db
        .query_opt(&sql, &[(&dataset.as_str(), Type::TEXT), (&user, Type::INT4), (&workspace.0, Type::INT4)])
        .await?;
    let Some(row) = row else { return Ok(None) };
    let role = greatest_role(&row)?;
    if role == DatasetRole::None {
        return Ok(None);
    }
    Ok(Some(Claims {
        dataset: DatasetClaim { id: DatasetId(row.try_get(0)?), node_id: dataset.clone(), role },
        teams: row.try_get::<_, Vec<serde_json::Value>>(4)?.iter().filter_map(team).collect(),
        user: member.user,
        workspace: member.workspace,
    }))
}

fn greatest_role(row: &Row) -> Result<DatasetRole, Error> {
    let everybody: Option<&str> = row.try_get(1)?;
    let teams: Vec<&str> = row.try_get(2)?;
    let own: Option<&str> = row.try_get(3)?;
    let roles = everybody.into_iter().chain(teams).chain(own).map(DatasetRole::from_column);
    Ok(roles.max().unwrap_or(DatasetRole::None))
}

fn team(row: &serde_json::Value) -> Option<TeamClaim> {
    let text = |at: usize| row.get(at).and_then(|value| value.as_str()).map(str::to_owned);
    Some(TeamClaim {
        id: row.get(0)?.as_i64()?,
        name: text(1)?,
        node_id: text(2).unwrap_or_default(),
        permission: row.get(3)?.as_i64()?,
        team_type: text(4)?,
    })
}
