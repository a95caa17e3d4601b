//! The roles of a person in datasets: the text of their query, and its rows.

use packages::{
    access::{DatasetRole, TeamClaim},
    id::DatasetId,
};
use serde::Deserialize;

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
}

impl RolesQuery<'_> {
    /// The text of the query. Each row is a [`RolesRow`].
    pub(super) fn to_sql(&self) -> String {
        let Self { schema, workspace, user, condition } = self;
        format!(
            "SELECT d.id AS dataset_id, d.node_id AS dataset_node_id,
                    -- What the dataset gives to all members of the workspace.
                    d.role AS default_role,
                    -- OFFSET 0 keeps the look-ups by index: `team_user` has none that begins with the person, and all
                    -- workspaces' teams are in it.
                    ARRAY(SELECT dt.role FROM {schema}.dataset_team dt
                          CROSS JOIN LATERAL (SELECT FROM pennsieve.team_user tu
                                              WHERE tu.team_id = dt.team_id AND tu.user_id = {user} OFFSET 0) tu
                          WHERE dt.dataset_id = d.id AND dt.role IS NOT NULL) AS team_roles,
                    (SELECT du.role FROM {schema}.dataset_user du
                     WHERE du.dataset_id = d.id AND du.user_id = {user}) AS user_role,
                    -- All teams of the person in the workspace, as the claims list them.
                    ARRAY(SELECT jsonb_build_object('id', t.id, 'name', t.name, 'node_id', t.node_id,
                                                    'permission', coalesce(tu.permission_bit, 0),
                                                    'team_type', coalesce(org_team.system_team_type, '<none>'))
                          FROM pennsieve.organization_team org_team
                          CROSS JOIN LATERAL (SELECT tu.permission_bit FROM pennsieve.team_user tu
                                              WHERE tu.team_id = org_team.team_id AND tu.user_id = {user} OFFSET 0) tu
                          JOIN pennsieve.teams t ON t.id = org_team.team_id
                          WHERE org_team.organization_id = {workspace} ORDER BY t.id) AS teams
             FROM {schema}.datasets d WHERE {condition}"
        )
    }
}

/// A dataset, and what gives a person a role in it.
#[derive(Debug, Deserialize)]
pub(super) struct RolesRow {
    dataset_id: i32,
    pub(super) dataset_node_id: Option<String>,
    default_role: Option<String>,
    team_roles: Vec<String>,
    user_role: Option<String>,
    teams: Vec<TeamRow>,
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
    pub(super) fn dataset(&self) -> DatasetId {
        DatasetId(self.dataset_id)
    }

    /// The highest of the dataset's default role, those of the person's teams, and their own.
    pub(super) fn highest_role(&self) -> DatasetRole {
        let roles = self.default_role.iter().chain(&self.team_roles).chain(&self.user_role);
        roles.map(|text| DatasetRole::from_column(text)).max().unwrap_or(DatasetRole::None)
    }

    /// The person's teams in the workspace. A team without a name is left out.
    pub(super) fn into_teams(self) -> Vec<TeamClaim> {
        let read_team = |team: TeamRow| {
            Some(TeamClaim {
                id: team.id,
                name: team.name?,
                node_id: team.node_id.unwrap_or_default(),
                permission: team.permission,
                team_type: team.team_type,
            })
        };
        self.teams.into_iter().filter_map(read_team).collect()
    }
}
