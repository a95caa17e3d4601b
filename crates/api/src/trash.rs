//! `GET /packages/trash`: lists the packages in the trash, a page at a time.

use std::{collections::HashMap, sync::Arc};

use axum::{Json, extract::State};
use packages::{
    access::ViewFiles,
    id::{PackageId, PackageNodeId},
};
use restore::{
    db::trash::PageRequest,
    trash::{
        PackageRecoverability, TrashPage, TrashState, TrashedPackage, list_recoverabilities, list_trash,
    },
};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::ToSchema;

use crate::{
    App, Problem,
    caller::Caller,
    cursor::{decode_name_cursor, encode_cursor},
    openapi,
    query::Query,
};

/// The page size without a `limit`.
const DEFAULT_LIMIT: u16 = 100;

/// The largest page size.
const MAX_LIMIT: u16 = 1000;

/// The largest page size with `outlook=true`, which costs one S3 request per file.
const MAX_OUTLOOK_LIMIT: u16 = 100;

/// The version of a cursor.
const CURSOR_FORM: &str = "1";

/// A page of the trash.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrashResponse {
    /// The packages, in no documented order.
    #[schema(max_items = 1000)]
    items: Vec<TrashItem>,
    /// The `cursor` of the next page. Null on the last page.
    #[schema(required)]
    next: Option<String>,
}

/// A package in the trash.
#[derive(Debug, Serialize, ToSchema)]
struct TrashItem {
    /// The package's node id.
    #[schema(value_type = String, example = "N:package:032be5f6-8fb6-4b81-b783-615180ba7849")]
    id: PackageNodeId,
    /// The name before the deletion.
    #[schema(example = "recording.edf")]
    name: String,
    /// The platform's package type; `Collection` for a folder.
    #[schema(example = "TimeSeries")]
    kind: String,
    /// The bytes of its source files. At most 10,000 files are counted; a file of unknown size counts as 0. Null for a
    /// folder.
    #[schema(required)]
    size: Option<i64>,
    /// The node id of its folder. Null if it is not in a folder.
    #[schema(required)]
    parent: Option<String>,
    /// The names of its folders before their deletion, outermost first. At most the nearest 32.
    #[schema(max_items = 32)]
    path: Vec<String>,
    /// When the package's row was last changed, in UTC. The platform does not store the time of the deletion; this is
    /// the closest value.
    #[schema(required, format = DateTime, example = "2026-11-24T11:18:50Z")]
    deleted_at: Option<String>,
    /// How many packages in the trash are directly in this folder. Counted up to 100. Null for a file.
    #[schema(required, minimum = 0, maximum = 100)]
    children: Option<i64>,
    /// Whether there are, or may be, more children than `children` counts.
    more_children: bool,
    /// `DELETED`, `DELETING` while the platform deletes it, or `RESTORING` during a restore.
    #[schema(example = "DELETED")]
    state: &'static str,
    /// Why the last restore of this package failed, as text.
    #[schema(required)]
    reason: Option<String>,
    /// Whether a restore can be ordered: the package is `DELETED`, and has a stored file on record or needs none.
    restorable: bool,
    /// Only with `outlook=true` and for files: whether S3 has a version of each stored source file. Null if S3 did not
    /// respond within 10 seconds or returned an error, or if the package has no stored source file or more than 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<bool>)]
    #[expect(clippy::option_option, reason = "absent, null and a value have different meanings")]
    recoverable: Option<Option<bool>>,
    /// Only with `outlook=true` and for files: the bucket's lifecycle rules delete nothing of the file before this
    /// time, in UTC. Null if no rule deletes it, if the rules cannot be read, or if the file is not `recoverable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-12-24T11:18:50Z")]
    #[expect(clippy::option_option, reason = "as above")]
    recoverable_until: Option<Option<String>>,
}

/// Lists the packages in the trash
///
/// Without `parent`: the packages at the top of the trash, which are in no folder or in a folder that is not in the
/// trash. With `parent`: the packages in the trash that are directly in that folder. The folder may be in the trash
/// itself.
///
/// **A page may have few items, or none, while `next` is not null.** A page is read from a bounded part of the
/// workspace's trash, which also holds packages of other datasets and of deeper folders. It has at most 100 folders,
/// and packages from at most 50 folders. Continue until `next` is null. A package that is deleted during the listing
/// may be missed. The platform renames a deleted package to `__DELETED__…`. Until it has done so, the package is listed
/// only with `parent`, and only if the folder has at most 2,000 packages.
///
/// The platform has a listing of its own, `GET /datasets/trashcan?dataset_id&root_node_id&limit&offset`. It returns
/// `{limit, offset, totalCount, packages: [{id, name, node_id, type, state}], messages}`. The names there are those
/// after the deletion. It includes the live folders above a deleted package, leaves out packages that are being
/// restored, and has no sizes, times or reasons.
#[utoipa::path(
    get, path = "/trash", tag = "restore", operation_id = "listTrash", security(("bearer" = [])),
    params(
        openapi::DatasetIdParam, openapi::ParentParam, openapi::CursorParam, openapi::LimitParam, openapi::OutlookParam,
    ),
    responses(
        (status = OK, description = "A page of the trash", body = TrashResponse),
        openapi::PrivateRouteProblems,
        openapi::NotFoundProblem,
    ),
)]
pub(crate) async fn get_trash(
    State(app): State<Arc<App>>,
    Caller(access): Caller<ViewFiles>,
    query: Query,
) -> Result<Json<TrashResponse>, Problem> {
    let request = TrashRequest::from_query(&query)?;
    let page_request = PageRequest { after: &request.after, limit: request.limit.into() };
    let page = list_trash(&app.db, &access, request.parent.as_ref(), page_request).await?;
    let page = page.ok_or_else(|| Problem::no_folder(request.parent.as_ref(), &access))?;
    if !request.outlook {
        return Ok(Json(TrashResponse::new(page, None)));
    }
    let recoveries = list_recoverabilities(&app.db, &app.objects, &access, &page.items).await?;
    Ok(Json(TrashResponse::new(page, Some(&recoveries))))
}

/// The parameters of a request.
#[derive(Debug, PartialEq, Eq)]
struct TrashRequest {
    parent: Option<PackageNodeId>,
    /// The name after which the page begins; empty for the first page.
    after: String,
    limit: u16,
    outlook: bool,
}

impl TrashRequest {
    fn from_query(query: &Query) -> Result<Self, Problem> {
        let outlook = query.parse_flag("outlook")?;
        let limit = query.parse_number("limit", 1..=MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
        let after = query.get("cursor").map(|cursor| decode_name_cursor(CURSOR_FORM, cursor));
        Ok(Self {
            parent: query.parent_id()?,
            after: after.transpose()?.unwrap_or_default(),
            limit: if outlook { limit.min(MAX_OUTLOOK_LIMIT) } else { limit },
            outlook,
        })
    }
}

impl TrashResponse {
    fn new(page: TrashPage, recoveries: Option<&HashMap<PackageId, PackageRecoverability>>) -> Self {
        let item = |trashed: TrashedPackage| {
            // Only files have a size and a recovery: a folder has no object in S3.
            let file_recoveries = recoveries.filter(|_| trashed.size.is_some());
            let recovery = file_recoveries.map(|all| all.get(&trashed.package).copied().unwrap_or_default());
            TrashItem::new(trashed, recovery)
        };
        Self {
            next: page.next.as_deref().map(|name| encode_cursor(CURSOR_FORM, name)),
            items: page.items.into_iter().map(item).collect(),
        }
    }
}

impl TrashItem {
    fn new(trashed: TrashedPackage, recovery: Option<PackageRecoverability>) -> Self {
        Self {
            id: trashed.id,
            name: trashed.name,
            kind: trashed.kind,
            size: trashed.size,
            parent: trashed.parent,
            path: trashed.path,
            deleted_at: trashed.deleted_at,
            children: trashed.children,
            more_children: trashed.more_children,
            state: match trashed.state {
                TrashState::Deleted => "DELETED",
                TrashState::Deleting => "DELETING",
                TrashState::Restoring => "RESTORING",
            },
            reason: trashed.reason,
            restorable: trashed.is_restorable,
            recoverable: recovery.map(|recovery| recovery.is_recoverable),
            recoverable_until: recovery.map(|recovery| recovery.until.and_then(format_date)),
        }
    }
}

fn format_date(at: OffsetDateTime) -> Option<String> {
    // Lifecycle rules work by the day; fractions of a second would be noise.
    at.replace_nanosecond(0).ok()?.format(&Rfc3339).ok()
}
