//! The users of a workspace and their roles in its datasets. A role belongs to a user, a team or everybody in the workspace.

use packages::id::UserNodeId;
use tokio_postgres::Error;
use uuid::Uuid;

use super::{Dataset, Workspace, expect_node_id};

/// A user.
#[derive(Debug, Clone)]
pub struct User {
    /// The primary key.
    pub id: i32,
    /// The public id.
    pub node_id: UserNodeId,
    /// The email address.
    pub email: String,
    /// The id at the identity provider.
    pub cognito_id: Uuid,
}

/// A team of a workspace.
#[derive(Debug, Clone)]
pub struct Team {
    /// The primary key.
    pub id: i32,
    /// The public id: `N:team:…`.
    pub node_id: String,
}

impl Workspace {
    /// Creates a user who is a member of the workspace and prefers it.
    pub async fn create_user(&self, email: &str) -> Result<User, Error> {
        let node_id = format!("N:user:{}", Uuid::new_v4());
        let cognito_id = Uuid::new_v4();
        let sql = "WITH
                   -- The person.
                   created AS (
                       INSERT INTO pennsieve.users (email, first_name, last_name, is_super_admin, preferred_org_id, node_id, cognito_id)
                       VALUES ($1, '', '', false, $2, $3, $4) RETURNING id
                   ),
                   -- A member of the workspace. Permission 8 means delete. It makes an ordinary member.
                   joined AS (
                       INSERT INTO pennsieve.organization_user (organization_id, user_id, permission_bit) SELECT $2, id, 8 FROM created
                   )
                   SELECT id FROM created";
        let row = self.client.query_one(sql, &[&email, &self.id.0, &node_id, &cognito_id]).await?;
        Ok(User {
            id: row.get("id"),
            node_id: expect_node_id(UserNodeId::parse(&node_id)),
            email: email.to_owned(),
            cognito_id,
        })
    }

    /// Creates an API key of the workspace that acts for a user. Returns the public half.
    pub async fn create_api_key(&self, owner: &User) -> Result<String, Error> {
        let token = Uuid::new_v4().to_string();
        let sql = "INSERT INTO pennsieve.tokens (name, token, organization_id, user_id, cognito_id)
                   VALUES ('key', $1, $2, $3, $4)";
        self.client.execute(sql, &[&token, &self.id.0, &owner.id, &Uuid::new_v4()]).await?;
        Ok(token)
    }

    /// Creates a team of the workspace.
    pub async fn create_team(&self, name: &str, members: &[&User]) -> Result<Team, Error> {
        let node_id = format!("N:team:{}", Uuid::new_v4());
        let sql = "WITH
                   -- The team.
                   created AS (
                       INSERT INTO pennsieve.teams (name, node_id) VALUES ($1, $2) RETURNING id
                   ),
                   -- A team without a row here belongs to no workspace.
                   owned AS (
                       INSERT INTO pennsieve.organization_team (organization_id, team_id, permission_bit) SELECT $3, id, 8 FROM created
                   ),
                   -- Its members.
                   joined AS (
                       INSERT INTO pennsieve.team_user (team_id, user_id, permission_bit)
                       SELECT created.id, member, 8 FROM created, unnest($4::int[]) AS member
                   )
                   SELECT id FROM created";
        let members: Vec<i32> = members.iter().map(|user| user.id).collect();
        let row = self.client.query_one(sql, &[&name, &node_id, &self.id.0, &members]).await?;
        Ok(Team { id: row.get("id"), node_id })
    }

    /// Gives a user a role in a dataset: `viewer`, `editor`, …
    pub async fn grant_user_role(&self, dataset: &Dataset, user: &User, role: &str) -> Result<(), Error> {
        self.grant_role("user", user.id, dataset, role).await
    }

    /// Gives each member of a team a role in a dataset.
    pub async fn grant_team_role(&self, dataset: &Dataset, team: &Team, role: &str) -> Result<(), Error> {
        self.grant_role("team", team.id, dataset, role).await
    }

    /// Gives everybody in the workspace a role in a dataset.
    pub async fn grant_workspace_role(&self, dataset: &Dataset, role: &str) -> Result<(), Error> {
        let sql = format!(r#"UPDATE "{}".datasets SET role = $2 WHERE id = $1"#, self.id);
        self.client.execute(&sql, &[&dataset.id.0, &role]).await.map(drop)
    }

    /// `grantee` is `user` or `team`, the name in tables and columns.
    async fn grant_role(&self, grantee: &str, id: i32, dataset: &Dataset, role: &str) -> Result<(), Error> {
        let sql = format!(
            r#"INSERT INTO "{}".dataset_{grantee} (dataset_id, {grantee}_id, role) VALUES ($1, $2, $3)
               ON CONFLICT (dataset_id, {grantee}_id) DO UPDATE SET role = excluded.role"#,
            self.id
        );
        self.client.execute(&sql, &[&dataset.id.0, &id, &role]).await.map(drop)
    }
}
