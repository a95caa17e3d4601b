//! `GET /packages/trash`: what lies in the trash, a page at a time.

use std::collections::HashMap;

use axum::{Json, extract::State};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use packages::{
    access::ViewFiles,
    id::{PackageId, PackageNodeId},
};
use restore::{
    db::trash::PageRequest,
    trash::{Recovery, TrashPage, TrashState, TrashedPackage, find_recoveries, list_trash},
};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::ToSchema;

use crate::{App, Problem, caller::Caller, openapi, query::Query};

/// How many packages a page has if nothing is said.
const DEFAULT_LIMIT: u16 = 100;

/// How many it has at most; where S3 is asked, one request a file.
const MAX_LIMIT: u16 = 1000;
const MAX_OUTLOOK_LIMIT: u16 = 100;

/// The first byte of a cursor, so that one of another make can be told from ours.
const CURSOR: &str = "1";

/// The longest name that the platform's column holds, in characters.
const MAX_NAME: usize = 255;

/// A page of the trash.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrashResponse {
    /// The packages, in an order of their own.
    #[schema(max_items = 1000)]
    items: Vec<TrashItem>,
    /// The `cursor` of the next page; null: there is none.
    #[schema(required)]
    next: Option<String>,
}

/// A package in the trash.
#[derive(Debug, Serialize, ToSchema)]
struct TrashItem {
    /// Its node id.
    #[schema(value_type = String, example = "N:package:032be5f6-8fb6-4b81-b783-615180ba7849")]
    id: PackageNodeId,
    /// The name that it had.
    #[schema(example = "recording.edf")]
    name: String,
    /// `Collection` for a folder, else what the platform takes the file for.
    #[schema(example = "TimeSeries")]
    kind: String,
    /// Bytes of its source files (10,000 of them at most), one of unknown size counted as none; null for a folder.
    #[schema(required)]
    size: Option<i64>,
    /// The node id of the folder that it was in; null at the top.
    #[schema(required)]
    parent: Option<String>,
    /// The original names of the folders above it, outermost first, at most the nearest 32.
    #[schema(max_items = 32)]
    path: Vec<String>,
    /// When it was deleted, in UTC. The platform does not keep that: it is when its row was last changed.
    #[schema(required, format = DateTime, example = "2026-11-24T11:18:50Z")]
    deleted_at: Option<String>,
    /// How many packages lie directly in it in the trash, counted up to 100; null for a file.
    #[schema(required, minimum = 0, maximum = 100)]
    children: Option<i64>,
    /// There are more than were counted, or may be.
    more_children: bool,
    /// `DELETED`, `DELETING` while it is on its way into the trash, `RESTORING` while it is on its way back.
    #[schema(example = "DELETED")]
    state: &'static str,
    /// Why the last restore left it in the trash, in words.
    #[schema(required)]
    reason: Option<String>,
    /// Whether ordering a restore is worth a try: it is `DELETED`, and has a stored file on record or needs none.
    restorable: bool,
    /// With `outlook=true`, of a file: whether S3 has a version of each of its stored source files. Null: S3 did not say, or
    /// not within 10 seconds, or there is none on record, or there are more than 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<bool>)]
    #[expect(clippy::option_option, reason = "not asked, not known, and known are three answers")]
    recoverable: Option<Option<bool>>,
    /// With `outlook=true`, of a file: the lifecycle of its bucket removes nothing of it before this time, in UTC. Null: no
    /// rule removes it, or the rules cannot be read, or it is not `recoverable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-12-24T11:18:50Z")]
    #[expect(clippy::option_option, reason = "as above")]
    recoverable_until: Option<Option<String>>,
}

/// Tells what lies in the trash
///
/// Without `parent` what can be seen from the top of the trash: packages that lie in no folder, or in one that is not in
/// the trash. With `parent` what is in the trash directly in that folder, which may be in the trash itself.
///
/// **A page may be short, or empty, while `next` is not null**: a page is read from a bounded piece of the workspace's
/// trash, in which other datasets' packages and deeper ones lie, too; it has at most 100 folders, and packages of at most
/// 50 folders. Go on until `next` is null; a package that is deleted meanwhile may be missed. A deleted package that the
/// platform has not renamed yet, to `__DELETED__…`, is told only with `parent`, in a folder of at most 2,000 packages.
///
/// The platform's own `GET /datasets/trashcan?dataset_id&root_node_id&limit&offset` tells `{limit, offset, totalCount,
/// packages: [{id, name, node_id, type, state}], messages}`, with names as they stand in the trash and with the live
/// folders on the way to something deleted. It leaves out what is on its way back, and tells no sizes, times or reasons.
#[utoipa::path(
    get, path = "/trash", tag = "restore", operation_id = "listTrash", security(("bearer" = [])),
    params(openapi::Dataset, openapi::Parent, openapi::Cursor, openapi::Limit, openapi::Outlook),
    responses(
        (status = OK, description = "A page of the trash", body = TrashResponse),
        openapi::Private,
        openapi::Absent,
    ),
)]
pub(crate) async fn get(
    State(app): State<App>,
    Caller(access): Caller<ViewFiles>,
    query: Query,
) -> Result<Json<TrashResponse>, Problem> {
    let asked = Asked::parse(&query)?;
    let piece = PageRequest { after: &asked.after, limit: asked.limit.into() };
    let page = list_trash(&app.db, &access, asked.parent.as_ref(), piece).await?;
    let page = page.ok_or_else(|| match asked.parent {
        Some(_) => Problem::no_package(),
        None => Problem::no_dataset(&access),
    })?;
    if !asked.outlook {
        return Ok(Json(TrashResponse::new(page, None)));
    }
    let recoveries = find_recoveries(&app.db, &app.objects, &access, &page.items).await?;
    Ok(Json(TrashResponse::new(page, Some(&recoveries))))
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    parent: Option<PackageNodeId>,
    after: String,
    limit: u16,
    outlook: bool,
}

impl Asked {
    fn parse(query: &Query) -> Result<Self, Problem> {
        let outlook = query.flag("outlook")?;
        let limit = query.number("limit", 1..=MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
        Ok(Self {
            parent: query.parent()?,
            after: query.get("cursor").map(read_cursor).transpose()?.unwrap_or_default(),
            limit: if outlook { limit.min(MAX_OUTLOOK_LIMIT) } else { limit },
            outlook,
        })
    }
}

fn write_cursor(name: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{CURSOR}{name}"))
}

fn read_cursor(cursor: &str) -> Result<String, Problem> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let name = text.as_deref().and_then(|text| text.strip_prefix(CURSOR));
    name.filter(|name| !name.is_empty() && !name.contains('\0') && name.chars().count() <= MAX_NAME)
        .map(str::to_owned)
        .ok_or_else(|| Problem::invalid("query parameter 'cursor' is not a 'next' of this endpoint"))
}

impl TrashResponse {
    fn new(page: TrashPage, recoveries: Option<&HashMap<PackageId, Recovery>>) -> Self {
        let item = |trashed: TrashedPackage| {
            let asked = recoveries.filter(|_| trashed.size.is_some());
            let recovery = asked.map(|all| all.get(&trashed.package).copied().unwrap_or_default());
            TrashItem::new(trashed, recovery)
        };
        Self {
            next: page.next.as_deref().map(write_cursor),
            items: page.items.into_iter().map(item).collect(),
        }
    }
}

impl TrashItem {
    fn new(trashed: TrashedPackage, recovery: Option<Recovery>) -> Self {
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
            recoverable_until: recovery.map(|recovery| recovery.until.and_then(date)),
        }
    }
}

fn date(at: OffsetDateTime) -> Option<String> {
    at.replace_nanosecond(0).ok()?.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cursor_of_another_make_is_refused() {
        assert_eq!(read_cursor(&write_cursor("a/ü")).unwrap(), "a/ü");
        let encoded = |text: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(text);
        let long = format!("1{}", "ü".repeat(MAX_NAME + 1));
        for cursor in [
            "!",
            "=",
            "MWE=",
            &encoded(b"1"),
            &encoded(b"2a"),
            &encoded(b"1\0"),
            &encoded(b"1\xff"),
            &encoded(long.as_bytes()),
        ] {
            assert_eq!(read_cursor(cursor).unwrap_err().status(), 400, "{cursor}");
        }
    }

    proptest! {
        #[test]
        fn no_cursor_panics(cursor in "\\PC{0,40}") {
            let _ = read_cursor(&cursor);
        }

        #[test]
        fn a_cursor_comes_back(name in "[^\\x00]{1,255}") {
            prop_assert_eq!(read_cursor(&write_cursor(&name)).unwrap(), name);
        }
    }
}
