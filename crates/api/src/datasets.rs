//! `GET /packages/datasets`: lists the datasets of a workspace that the caller has a role in, a page at a time.

use std::sync::Arc;

use authorize::db::{
    DatasetPage, DatasetPosition, DatasetsError, ListedDataset, ListedWorkspace, list_datasets,
};
use axum::{Json, extract::State};
use packages::{
    access::Member,
    id::{DatasetId, DatasetNodeId, WorkspaceId},
    name::MAX_NAME_CHARS,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    App, Problem, audit,
    caller::MemberCaller,
    cursor::{decode_cursor, encode_cursor, invalid_cursor},
    openapi,
    query::{Query, parse_digits},
};

/// The page size without a `limit`.
const DEFAULT_LIMIT: u16 = 100;

/// The largest page size.
const MAX_LIMIT: u16 = 1000;

/// The version of a cursor.
const CURSOR_FORM: &str = "1datasets";

/// A page of the datasets of a workspace.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DatasetsResponse {
    /// The datasets, by name.
    #[schema(max_items = 1000)]
    items: Vec<DatasetItem>,
    /// The workspaces that the caller may list, by name. At most a thousand.
    #[schema(max_items = 1000)]
    workspaces: Vec<WorkspaceItem>,
    /// The `cursor` of the next page. Null on the last page.
    #[schema(required)]
    next: Option<String>,
}

/// A dataset.
#[derive(Debug, Serialize, ToSchema)]
struct DatasetItem {
    /// The dataset's node id.
    #[schema(value_type = String, example = "N:dataset:03abba63-a5f0-48a2-88b6-6761358892ac")]
    id: DatasetNodeId,
    /// Its name.
    #[schema(example = "Hippocampal slice 12")]
    name: String,
    /// The caller's role in it: `guest`, `viewer`, `editor`, `manager` or `owner`. A guest may not list its packages.
    #[schema(example = "viewer")]
    role: &'static str,
    /// The number of its workspace.
    #[schema(minimum = 1, example = 1)]
    workspace: i32,
    /// The name of its status.
    #[schema(required, example = "Work in Progress")]
    status: Option<String>,
    /// The bytes of its packages, as the platform counts them. Null if it has not counted yet.
    #[schema(required, example = 75_161_927)]
    bytes: Option<i64>,
    /// When its name, description, status, license or tags last changed, in UTC. A changed package changes nothing here.
    #[schema(required, format = DateTime, example = "2026-11-24T11:18:50Z")]
    updated_at: Option<String>,
}

/// A workspace.
#[derive(Debug, Serialize, ToSchema)]
struct WorkspaceItem {
    /// Its number.
    #[schema(minimum = 1, example = 1)]
    id: i32,
    /// Its name.
    #[schema(example = "Hippocampus Laboratory")]
    name: String,
    /// Whether it is the one that is listed without `workspace`.
    active: bool,
}

/// Lists the datasets that the caller has a role in
///
/// The role is the highest of the dataset's own for all members of the workspace, those of the caller's teams, and the caller's,
/// as for each other endpoint. Datasets without a role are not listed. With the role `guest` a dataset is listed, and its
/// packages are not.
///
/// Without `workspace`: the workspace that the caller is active in. A person may list each workspace that they belong to, an
/// API key only its own. A workspace that does not exist looks like one that the caller does not belong to. A page may have few
/// items, or none, while `next` is not null. Continue until `next` is null.
#[utoipa::path(
    get, path = "/datasets", tag = "listings", operation_id = "listDatasets", security(("bearer" = [])),
    params(openapi::WorkspaceParam, openapi::CursorParam, openapi::DatasetLimitParam),
    responses(
        (status = OK, description = "A page of the datasets", body = DatasetsResponse),
        openapi::PrivateRouteProblems,
    ),
)]
pub(crate) async fn get_datasets(
    State(app): State<Arc<App>>,
    MemberCaller { member, .. }: MemberCaller,
    query: Query,
) -> Result<Json<DatasetsResponse>, Problem> {
    let request = DatasetsRequest::from_query(&query)?;
    let workspace = request.workspace.unwrap_or(member.workspace.id);
    let (after, limit) = (request.after.as_ref(), request.limit.into());
    let page = list_datasets(&app.db, &member, workspace, after, limit).await;
    let page = page.inspect_err(|error| {
        if matches!(error, DatasetsError::NoAccess) {
            audit::log_workspace_refused(&member, workspace);
        }
    })?;
    Ok(Json(DatasetsResponse::new(page, workspace, &member)))
}

/// The parameters of a request.
#[derive(Debug, PartialEq, Eq)]
struct DatasetsRequest {
    workspace: Option<WorkspaceId>,
    after: Option<DatasetPosition>,
    limit: u16,
}

impl DatasetsRequest {
    fn from_query(query: &Query) -> Result<Self, Problem> {
        Ok(Self {
            workspace: query.get("workspace").map(parse_workspace).transpose()?,
            after: query.get("cursor").map(parse_cursor).transpose()?,
            limit: query.parse_number("limit", 1..=MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT),
        })
    }
}

fn parse_workspace(text: &str) -> Result<WorkspaceId, Problem> {
    parse_digits(text)
        .filter(|number| *number > 0)
        .map(WorkspaceId)
        .ok_or_else(|| Problem::invalid("query parameter 'workspace' must be the number of a workspace"))
}

fn format_cursor(position: &DatasetPosition) -> String {
    encode_cursor(CURSOR_FORM, &format!("{}.{}", position.id, position.name))
}

fn parse_cursor(cursor: &str) -> Result<DatasetPosition, Problem> {
    let text = decode_cursor(CURSOR_FORM, cursor)?;
    let position = text.split_once('.').and_then(|(id, name)| {
        let is_name = name.chars().count() <= MAX_NAME_CHARS;
        is_name.then_some(DatasetPosition { id: DatasetId(parse_digits(id)?), name: name.to_owned() })
    });
    position.ok_or_else(invalid_cursor)
}

impl DatasetsResponse {
    fn new(page: DatasetPage, workspace: WorkspaceId, member: &Member) -> Self {
        let is_active = |workspace: &ListedWorkspace| workspace.id == member.workspace.id;
        let item = |dataset| DatasetItem::new(dataset, workspace);
        let workspace_item = |workspace: ListedWorkspace| WorkspaceItem {
            id: workspace.id.0,
            active: is_active(&workspace),
            name: workspace.name,
        };
        Self {
            items: page.items.into_iter().map(item).collect(),
            workspaces: page.workspaces.into_iter().map(workspace_item).collect(),
            next: page.next.as_ref().map(format_cursor),
        }
    }
}

impl DatasetItem {
    fn new(dataset: ListedDataset, workspace: WorkspaceId) -> Self {
        Self {
            id: dataset.id,
            name: dataset.name,
            role: dataset.role.as_column(),
            workspace: workspace.0,
            status: dataset.status,
            bytes: dataset.bytes,
            updated_at: dataset.updated_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for (id, name) in [(1, "a"), (i32::MAX, "1.2"), (7, "ü.\n"), (3, "")] {
            let position = DatasetPosition { id: DatasetId(id), name: name.to_owned() };
            assert_eq!(parse_cursor(&format_cursor(&position)).unwrap(), position);
        }
        for text in ["a.b", "-1.a", "+1.a", "1", "99999999999.a", &format!("1.{}", "ü".repeat(256))] {
            let cursor = encode_cursor(CURSOR_FORM, text);
            assert_eq!(parse_cursor(&cursor).unwrap_err().status(), 400, "{text}");
        }
        assert_eq!(parse_cursor(&encode_cursor("1children+", "a")).unwrap_err().status(), 400);
    }

    #[test]
    fn a_workspace_is_a_positive_number() {
        assert_eq!(parse_workspace("0012").unwrap(), WorkspaceId(12));
        for text in ["0", "-1", "+1", "1.0", "x", "2147483648", "1;DROP", "１"] {
            assert_eq!(parse_workspace(text).unwrap_err().status(), 400, "{text}");
        }
    }
}
