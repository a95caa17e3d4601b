//! The datasets of a workspace in which a person has a role.

use packages::{
    access::{DatasetRole, Member},
    id::{DatasetId, DatasetNodeId, WorkspaceId},
};
use tokio_postgres::{Row, types::Type};

use super::{
    is_unreadable,
    roles::{RolesQuery, RolesRow, TeamList},
};
use database::{Db, Error};

/// How many workspaces of a person are listed.
const MAX_WORKSPACES: i64 = 1000;

/// A dataset in which a person has a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDataset {
    /// Public id.
    pub id: DatasetNodeId,
    /// Its name.
    pub name: String,
    /// The person's role in it, never [`DatasetRole::None`].
    pub role: DatasetRole,
    /// The name of its status, as people see it.
    pub status: Option<String>,
    /// The bytes of its live packages, as the platform counts them.
    pub bytes: Option<i64>,
    /// When its name, description, status, license or tags last changed: RFC 3339 in UTC.
    pub updated_at: Option<String>,
}

/// A workspace that a person belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedWorkspace {
    /// Its number.
    pub id: WorkspaceId,
    /// Its name.
    pub name: String,
}

/// Where a dataset stands in the order: by name, and by primary key among those of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetPosition {
    /// The name.
    pub name: String,
    /// The primary key.
    pub id: DatasetId,
}

/// A page of datasets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetPage {
    /// In the order of their names, as the database compares them.
    pub items: Vec<ListedDataset>,
    /// The workspaces in which the person may act, by name. At most a thousand.
    pub workspaces: Vec<ListedWorkspace>,
    /// After which dataset the next page begins; `None`: this is the last one.
    pub next: Option<DatasetPosition>,
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum DatasetsError {
    /// The person does not belong to the workspace, or may not act in it with this credential, or it does not exist. The text does
    /// not say which: it is for the client.
    #[error("you have no access to this workspace")]
    NoAccess,
    /// The person belongs to the workspace, and its tables are not there, or not readable for the service.
    #[error("workspace {0} cannot be read: its tables are missing, or closed to this service")]
    Unreadable(WorkspaceId, #[source] Error),
    /// A statement failed.
    #[error(transparent)]
    Database(#[from] Error),
}

/// Lists a page of the datasets of a workspace in which a member has a role, with the role that [`decide_access`] finds. A
/// dataset without a valid node id is left out. One statement.
///
/// [`decide_access`]: super::decide_access
pub async fn list_datasets(
    db: &Db,
    member: &Member,
    workspace: WorkspaceId,
    after: Option<&DatasetPosition>,
    limit: i64,
) -> Result<DatasetPage, DatasetsError> {
    if workspace != member.workspace.id && !member.any_workspace {
        return Err(DatasetsError::NoAccess);
    }
    let (name, id) = after.map_or(("", 0), |after| (after.name.as_str(), after.id.0));
    // An API key sees no other workspace than its own.
    let only_workspace = (!member.any_workspace).then_some(member.workspace.id.0);
    let rows = db
        .query(
            &datasets_sql(workspace),
            &[
                (&member.user.id, Type::INT8),
                (&only_workspace, Type::INT4),
                (&name, Type::TEXT),
                (&id, Type::INT4),
                (&limit, Type::INT8),
            ],
        )
        .await;
    let rows = match rows {
        Ok(rows) => rows,
        Err(error) if is_unreadable(&error) => {
            return Err(explain_unreadable(db, member, workspace, error).await);
        }
        Err(error) => return Err(error.into()),
    };
    read_page(&rows, limit)?.ok_or(DatasetsError::NoAccess)
}

/// Only who belongs to a workspace learns that it cannot be read.
async fn explain_unreadable(db: &Db, member: &Member, workspace: WorkspaceId, cause: Error) -> DatasetsError {
    let sql = "SELECT FROM pennsieve.organization_user WHERE user_id = $1 AND organization_id = $2";
    match db.query_opt(sql, &[(&member.user.id, Type::INT8), (&workspace.0, Type::INT4)]).await {
        Ok(Some(_)) => DatasetsError::Unreadable(workspace, cause),
        Ok(None) => DatasetsError::NoAccess,
        Err(error) => error.into(),
    }
}

/// $1 the person, $2 the only workspace of their credential, $3 and $4 the dataset before the first, $5 the limit.
fn datasets_sql(workspace: WorkspaceId) -> String {
    let (schema, number) = (format!(r#""{workspace}""#), workspace.to_string());
    // By name, so that a page ends before all roles of a large workspace are looked up.
    let condition = "d.id = named.id";
    let roles =
        RolesQuery { schema: &schema, workspace: &number, user: "$1", condition, teams: TeamList::Omitted };
    let roles = roles.to_sql();
    format!(
        r#"WITH
           -- One row if the person belongs to the workspace: without it the answer has no row.
           place AS MATERIALIZED (
               SELECT FROM pennsieve.organization_user WHERE user_id = $1 AND organization_id = {number}
           ),
           -- One row more than requested, where there is one. Of datasets with the same node id, access is decided by the first.
           page AS MATERIALIZED (
               SELECT named.*, found.*
               FROM place CROSS JOIN LATERAL (
                   SELECT d.id, d.node_id, d.name, d.status_id, d.updated_at FROM {schema}.datasets d
                   WHERE d.node_id IS NOT NULL AND (d.name, d.id) > ($3, $4) ORDER BY d.name, d.id OFFSET 0
               ) named
               CROSS JOIN LATERAL ({roles} OFFSET 0) found
               WHERE (found.default_role IS NOT NULL OR found.user_role IS NOT NULL OR found.team_roles <> '{{}}')
                 AND NOT EXISTS (SELECT FROM {schema}.datasets o WHERE o.node_id = named.node_id AND o.id < named.id)
               ORDER BY named.name, named.id LIMIT $5 + 1
           )
           SELECT i.*, s.display_name AS status, b.size AS bytes,
                  to_char(i.updated_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS updated_at_text,
                  w.ids AS workspace_ids, w.names AS workspace_names
           FROM place
           CROSS JOIN (
               SELECT array_agg(o.id ORDER BY o.name, o.id) AS ids, array_agg(o.name::text ORDER BY o.name, o.id) AS names
               FROM (
                   SELECT o.id, o.name FROM pennsieve.organization_user m JOIN pennsieve.organizations o ON o.id = m.organization_id
                   WHERE m.user_id = $1 AND (o.id = $2 OR $2 IS NULL) ORDER BY o.name, o.id LIMIT {MAX_WORKSPACES}
               ) o
           ) w
           LEFT JOIN page i ON true
           LEFT JOIN {schema}.dataset_status s ON s.id = i.status_id
           LEFT JOIN {schema}.dataset_storage b ON b.dataset_id = i.id
           ORDER BY i.name, i.id"#
    )
}

/// `None`: the person does not belong to the workspace.
fn read_page(rows: &[Row], limit: i64) -> Result<Option<DatasetPage>, Error> {
    let Some(first) = rows.first() else { return Ok(None) };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let workspaces = read_workspaces(first)?;
    let on_page = rows.get(..limit).unwrap_or(rows);
    let items: Result<Vec<Option<ListedDataset>>, Error> = on_page.iter().map(read_dataset).collect();
    let last = on_page.last().filter(|_| rows.len() > limit).map(read_position).transpose()?;
    Ok(Some(DatasetPage { items: items?.into_iter().flatten().collect(), workspaces, next: last }))
}

fn read_workspaces(row: &Row) -> Result<Vec<ListedWorkspace>, Error> {
    let ids: Option<Vec<i32>> = row.try_get("workspace_ids")?;
    let names: Option<Vec<String>> = row.try_get("workspace_names")?;
    let workspaces = ids.unwrap_or_default().into_iter().zip(names.unwrap_or_default());
    Ok(workspaces.map(|(id, name)| ListedWorkspace { id: WorkspaceId(id), name }).collect())
}

/// `None`: the page is empty, the node id is not valid, or the columns name no role.
fn read_dataset(row: &Row) -> Result<Option<ListedDataset>, Error> {
    let Some(roles) = RolesRow::read(row)? else { return Ok(None) };
    let id = roles.dataset_node_id.as_deref().and_then(|id| DatasetNodeId::parse(id).ok());
    let Some(id) = id.filter(|_| roles.highest_role() != DatasetRole::None) else { return Ok(None) };
    Ok(Some(ListedDataset {
        id,
        name: row.try_get("name")?,
        role: roles.highest_role(),
        status: row.try_get("status")?,
        bytes: row.try_get("bytes")?,
        updated_at: row.try_get("updated_at_text")?,
    }))
}

fn read_position(row: &Row) -> Result<DatasetPosition, Error> {
    Ok(DatasetPosition { name: row.try_get("name")?, id: DatasetId(row.try_get("id")?) })
}
