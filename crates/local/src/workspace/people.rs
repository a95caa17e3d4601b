//! Who is in a workspace, and their roles in its datasets: a person's own, their teams', everybody's.

use packages::id::UserNodeId;
use tokio_postgres::Error;
use uuid::Uuid;

use super::{Dataset, Workspace, known};

/// A person.
#[derive(Debug, Clone)]
pub struct User {
    /// Primary key.
    pub id: i32,
    /// Public id.
    pub node_id: UserNodeId,
    /// Address.
    pub email: String,
    /// What the identity provider knows them by.
    pub cognito_id: Uuid,
}

/// Some people of a workspace.
#[derive(Debug, Clone)]
pub struct Team {
    /// Primary key.
    pub id: i32,
    /// Public id: `N:team:…`.
    pub node_id: String,
}

impl Workspace {
    /// A person who belongs to the workspace and is active in it.
    pub async fn user(&self, email: &str) -> Result<User, Error> {
        let node_id = format!("N:user:{}", Uuid::new_v4());
        let cognito_id = Uuid::new_v4();
        let sql = "WITH made AS (
                       INSERT INTO pennsieve.users (email, first_name, last_name, is_super_admin, preferred_org_id, node_id, cognito_id)
                       VALUES ($1, '', '', false, $2, $3, $4) RETURNING id
                   ), joined AS (
                       INSERT INTO pennsieve.organization_user (organization_id, user_id, permission_bit) SELECT $2, id, 8 FROM made
                   )
                   SELECT id FROM made";
        let row = self.client.query_one(sql, &[&email, &self.id.0, &node_id, &cognito_id]).await?;
        Ok(User {
            id: row.get(0),
            node_id: known(UserNodeId::parse(&node_id)),
            email: email.to_owned(),
            cognito_id,
        })
    }

    /// An API key of the workspace that acts for a person: its public half.
    pub async fn api_key(&self, owner: &User) -> Result<String, Error> {
        let token = Uuid::new_v4().to_string();
        let sql = "INSERT INTO pennsieve.tokens (name, token, organization_id, user_id, cognito_id)
                   VALUES ('key', $1, $2, $3, $4)";
        self.client.execute(sql, &[&token, &self.id.0, &owner.id, &Uuid::new_v4()]).await?;
        Ok(token)
    }

    /// A team of the workspace.
    pub async fn team(&self, name: &str, members: &[&User]) -> Result<Team, Error> {
        let node_id = format!("N:team:{}", Uuid::new_v4());
        let sql = "WITH made AS (
                       INSERT INTO pennsieve.teams (name, node_id) VALUES ($1, $2) RETURNING id
                   ), owned AS (
                       INSERT INTO pennsieve.organization_team (organization_id, team_id, permission_bit) SELECT $3, id, 8 FROM made
                   ), joined AS (
                       INSERT INTO pennsieve.team_user (team_id, user_id, permission_bit)
                       SELECT made.id, member, 8 FROM made, unnest($4::int[]) AS member
                   )
                   SELECT id FROM made";
        let members: Vec<i32> = members.iter().map(|user| user.id).collect();
        let row = self.client.query_one(sql, &[&name, &node_id, &self.id.0, &members]).await?;
        Ok(Team { id: row.get(0), node_id })
    }

    /// Gives a person a role in a dataset: `viewer`, `editor`, …
    pub async fn grant(&self, dataset: &Dataset, user: &User, role: &str) -> Result<(), Error> {
        self.grant_to("user", dataset, user.id, role).await
    }

    /// Gives each member of a team a role in a dataset.
    pub async fn grant_team(&self, dataset: &Dataset, team: &Team, role: &str) -> Result<(), Error> {
        self.grant_to("team", dataset, team.id, role).await
    }

    /// Gives everybody in the workspace a role in a dataset.
    pub async fn grant_everyone(&self, dataset: &Dataset, role: &str) -> Result<(), Error> {
        let sql = format!(r#"UPDATE "{}".datasets SET role = $2 WHERE id = $1"#, self.id);
        self.client.execute(&sql, &[&dataset.id.0, &role]).await.map(drop)
    }

    async fn grant_to(&self, whom: &str, dataset: &Dataset, id: i32, role: &str) -> Result<(), Error> {
        let sql = format!(
            r#"INSERT INTO "{}".dataset_{whom} (dataset_id, {whom}_id, role) VALUES ($1, $2, $3)
               ON CONFLICT (dataset_id, {whom}_id) DO UPDATE SET role = excluded.role"#,
            self.id
        );
        self.client.execute(&sql, &[&dataset.id.0, &id, &role]).await.map(drop)
    }
}
