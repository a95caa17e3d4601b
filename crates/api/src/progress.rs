//! `GET /packages/restore`: how far a package, or what lies beneath a folder, has come back.

use std::time::SystemTime;

use axum::{Json, extract::State};
use packages::{access::ViewFiles, id::PackageNodeId};
use restore::db::progress::{OrderProgress, Progress, find_progress};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::ToSchema;

use crate::{App, Problem, caller::Caller, openapi, query::Query};

/// How far a restore is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RestoreProgress)]
pub(crate) struct ProgressResponse {
    /// The package that was asked for.
    #[schema(value_type = String, example = "N:collection:5f3c1b0e-7a51-4b8e-9a59-1d8d7c1f0a11")]
    id: PackageNodeId,
    /// Its state: `RESTORING` while it is on its way, `READY` when it is back, `DELETED` while it is in the trash.
    #[schema(example = "RESTORING")]
    state: String,
    /// Where its order stands: `queued` (nobody has begun, it is not known how much there is to do), `running`, `waiting` (for
    /// its turn, for the storage, or for a deletion to end), `finished`. `null`: it was not ordered itself in the last week.
    #[schema(example = "running")]
    order: Option<&'static str>,
    /// How many packages the order brings back: those beneath a folder, or the package itself.
    #[schema(minimum = 0)]
    total: i64,
    /// How many of them are back.
    #[schema(minimum = 0)]
    restored: i64,
    /// How many of them are on their way.
    #[schema(minimum = 0)]
    restoring: i64,
    /// How many were left in the trash; `failed` lists the first thousand of them.
    #[schema(minimum = 0)]
    failures: i64,
    /// Packages that are in the trash, and why. The asked package is the first if it is among them.
    #[schema(max_items = 1000)]
    failed: Vec<LeftInTrash>,
    /// How many bytes are back.
    #[schema(minimum = 0)]
    bytes: i64,
    /// When it was last ordered (RFC 3339).
    #[schema(example = "2026-11-27T10:15:30.123456Z")]
    since: Option<String>,
    /// When any of the numbers last changed (RFC 3339).
    #[schema(example = "2026-11-27T10:15:31.5Z")]
    updated_at: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LeftInTrash)]
struct LeftInTrash {
    /// The package's node id.
    id: String,
    /// Why it was left there, in words.
    reason: String,
}

/// Tells how far a package, or what lies beneath a folder, has come back
///
/// The numbers are those of the order, and move with every batch of some thousand packages. A folder's order counts what
/// lies beneath the folder, and not the folder. A package that was not ordered itself counts for itself.
#[utoipa::path(
    get, path = "/restore", tag = "restore", operation_id = "getRestore", security(("bearer" = [])),
    params(openapi::Dataset, openapi::Package),
    responses(
        (status = OK, description = "How far it is", body = ProgressResponse),
        openapi::Private,
        openapi::Absent,
    ),
)]
pub(crate) async fn get(
    State(app): State<App>,
    Caller(access): Caller<ViewFiles>,
    query: Query,
) -> Result<Json<ProgressResponse>, Problem> {
    let package = query.package()?;
    let progress = find_progress(&app.db, &access, &package).await?.ok_or_else(Problem::no_package)?;
    Ok(Json(ProgressResponse::new(package, progress)))
}

impl ProgressResponse {
    fn new(id: PackageNodeId, progress: Progress) -> Self {
        let numbers = progress.order.as_ref().filter(|order| order.total > 0);
        let (total, restored, failed) = numbers
            .map_or_else(|| count_itself(&progress), |order| (order.total, order.restored, order.failed));
        let listed = i64::try_from(progress.failed.len()).unwrap_or(i64::MAX);
        let order = progress.order;
        let bytes = order.as_ref().map_or(0, |order| order.bytes);
        let time = |of: fn(&OrderProgress) -> SystemTime| order.as_ref().and_then(|order| rfc3339(of(order)));
        Self {
            id,
            state: progress.state,
            order: order.as_ref().map(|order| order.status.name()),
            total,
            restored,
            restoring: (total - restored - failed).max(0),
            // The list leaves out what came back since; only where it is cut does the order know better.
            failures: if listed >= 1000 { failed.max(listed) } else { listed },
            failed: progress.failed.into_iter().map(|(id, reason)| LeftInTrash { id, reason }).collect(),
            bytes,
            since: time(|order| order.since),
            updated_at: time(|order| order.updated_at),
        }
    }
}

/// The numbers of a package that counts for itself alone: all, back, and neither back nor on its way.
fn count_itself(progress: &Progress) -> (i64, i64, i64) {
    match progress.state.as_str() {
        "RESTORING" => (1, 0, 0),
        "DELETED" | "DELETING" | "UNAVAILABLE" => (1, 0, 1),
        _ => (1, 1, 0),
    }
}

fn rfc3339(time: SystemTime) -> Option<String> {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    OffsetDateTime::UNIX_EPOCH.checked_add(since_epoch.try_into().ok()?)?.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use restore::db::progress::OrderStatus;

    use super::*;

    fn respond(progress: Progress) -> String {
        let id = PackageNodeId::parse("N:collection:1").unwrap();
        serde_json::to_string(&ProgressResponse::new(id, progress)).unwrap()
    }

    #[test]
    fn the_response_has_its_shape() {
        let order = OrderProgress {
            status: OrderStatus::Running,
            total: 3,
            restored: 1,
            failed: 1,
            bytes: 17,
            since: SystemTime::UNIX_EPOCH,
            updated_at: SystemTime::UNIX_EPOCH + Duration::from_millis(1500),
        };
        let progress = Progress {
            state: "RESTORING".into(),
            is_collection: true,
            order: Some(order),
            failed: vec![("N:package:9".into(), "the object is gone".into())],
        };
        assert_eq!(
            respond(progress),
            r#"{"id":"N:collection:1","state":"RESTORING","order":"running","total":3,"restored":1,"restoring":1,"failures":1,"failed":[{"id":"N:package:9","reason":"the object is gone"}],"bytes":17,"since":"1970-01-01T00:00:00Z","updated_at":"1970-01-01T00:00:01.5Z"}"#
        );
    }

    #[test]
    fn a_package_that_was_not_ordered_counts_for_itself() {
        for (state, numbers) in [
            ("READY", r#""total":1,"restored":1,"restoring":0,"failures":0"#),
            ("RESTORING", r#""total":1,"restored":0,"restoring":1,"failures":0"#),
            ("DELETED", r#""total":1,"restored":0,"restoring":0,"failures":0"#),
        ] {
            let progress =
                Progress { state: state.into(), is_collection: false, order: None, failed: Vec::new() };
            let response = respond(progress);
            assert!(response.contains(numbers), "{response}");
            assert!(response.contains(r#""order":null"#) && response.contains(r#""since":null"#));
        }
    }
}
