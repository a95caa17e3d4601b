//! The roles of a person in datasets: the text of their query, and its rows.

use database::Error;
use packages::{
    access::{DatasetRole, TeamClaim},
    id::DatasetId,
};
use serde::Deserialize;
use tokio_postgres::{Row, types::Json};

/// Whether claims list the caller's teams in the workspace. Teams grant nothing in this service, so only the gateway's authorizer
/// lists them, for others that read its claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TeamList {
    /// The claims list them.
    Included,
    /// The claims have an empty list, and the statement does not look for teams.
    Omitted,
}

/// The columns of a [`RolesRow`], with their types.
pub(super) const ROLES_COLUMNS: &str = "dataset_id int, dataset_node_id text, default_role text, team_roles text[], user_role text, teams jsonb[]";

/// What the text of a query of roles names: constants, columns or parameters.
pub(super) struct RolesQuery<'a> {
    /// The schema of the workspace, quoted.
    pub(super) schema: &'a str,
    /// The workspace's number.
    pub(super) workspace: &'a str,
    /// The person's number.
    pub(super) user: &'a str,
    /// Which datasets; `d` is `datasets`.
    pub(super) condition: &'a str,
    /// Whether the column `teams` has a list, or is null.
    pub(super) teams: TeamList,
}

impl RolesQuery<'_> {
    /// The text of the query. Each row is a [`RolesRow`].
    pub(super) fn to_sql(&self) -> String {
        let Self { schema, user, condition, .. } = self;
        let teams = self.teams_sql();
        format!(
            "SELECT d.id AS dataset_id, d.node_id::text AS dataset_node_id,
                    -- What the dataset gives to all members of the workspace.
                    d.role::text AS default_role,
                    -- OFFSET 0 keeps the look-ups by index: `team_user` has none that begins with the person, and all
                    -- workspaces' teams are in it.
                    ARRAY(SELECT dt.role::text FROM {schema}.dataset_team dt
                          CROSS JOIN LATERAL (SELECT FROM pennsieve.team_user tu
                                              WHERE tu.team_id = dt.team_id AND tu.user_id = {user} OFFSET 0) tu
                          WHERE dt.dataset_id = d.id AND dt.role IS NOT NULL) AS team_roles,
                    (SELECT du.role::text FROM {schema}.dataset_user du
                     WHERE du.dataset_id = d.id AND du.user_id = {user}) AS user_role,
                    {teams} AS teams
             FROM {schema}.datasets d WHERE {condition}"
        )
    }

    /// All teams of the person in the workspace.
    fn teams_sql(&self) -> String {
        let Self { workspace, user, teams, .. } = self;
        if *teams == TeamList::Omitted {
            return "NULL::jsonb[]".to_owned();
        }
        format!(
            "ARRAY(SELECT jsonb_build_object('id', t.id, 'name', t.name, 'node_id', t.node_id,
                                             'permission', coalesce(tu.permission_bit, 0),
                                             'team_type', coalesce(org_team.system_team_type, '<none>'))
                   FROM pennsieve.organization_team org_team
                   CROSS JOIN LATERAL (SELECT tu.permission_bit FROM pennsieve.team_user tu
                                       WHERE tu.team_id = org_team.team_id AND tu.user_id = {user} OFFSET 0) tu
                   JOIN pennsieve.teams t ON t.id = org_team.team_id
                   WHERE org_team.organization_id = {workspace} ORDER BY t.id)"
        )
    }
}

/// A dataset, and what gives a person a role in it.
#[derive(Debug)]
pub(super) struct RolesRow {
    dataset_id: i32,
    pub(super) dataset_node_id: Option<String>,
    default_role: Option<String>,
    team_roles: Vec<String>,
    user_role: Option<String>,
    teams: Option<Vec<Json<TeamRow>>>,
}

#[derive(Debug, Deserialize)]
struct TeamRow {
    id: i64,
    name: Option<String>,
    node_id: Option<String>,
    permission: i64,
    team_type: String,
}

impl RolesRow {
    /// Reads the columns of a row. `None`: it has no dataset.
    pub(super) fn read(row: &Row) -> Result<Option<Self>, Error> {
        let Some(dataset_id) = row.try_get("dataset_id")? else { return Ok(None) };
        Ok(Some(Self {
            dataset_id,
            dataset_node_id: row.try_get("dataset_node_id")?,
            default_role: row.try_get("default_role")?,
            team_roles: row.try_get("team_roles")?,
            user_role: row.try_get("user_role")?,
            teams: row.try_get("teams")?,
        }))
    }

    pub(super) fn dataset(&self) -> DatasetId {
        DatasetId(self.dataset_id)
    }

    /// The highest of the dataset's default role, those of the person's teams, and their own.
    pub(super) fn highest_role(&self) -> DatasetRole {
        let roles = self.default_role.iter().chain(&self.team_roles).chain(&self.user_role);
        roles.map(|text| DatasetRole::from_column(text)).max().unwrap_or(DatasetRole::None)
    }

    /// The person's teams in the workspace, if they were looked for. A team without a name is left out.
    pub(super) fn into_teams(self) -> Vec<TeamClaim> {
        let read_team = |Json(team): Json<TeamRow>| {
            Some(TeamClaim {
                id: team.id,
                name: team.name?,
                node_id: team.node_id.unwrap_or_default(),
                permission: team.permission,
                team_type: team.team_type,
            })
        };
        self.teams.into_iter().flatten().filter_map(read_team).collect()
    }
}
