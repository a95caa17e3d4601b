//! `GET /packages/restore`: the progress of restoring a package or a folder.

use std::{sync::Arc, time::SystemTime};

use axum::{Json, extract::State};
use packages::{access::ViewFiles, id::PackageNodeId, package::PackageState};
use restore::db::progress::{MAX_LISTED_FAILURES, OrderProgress, Progress, find_progress};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::ToSchema;

use crate::{App, Problem, caller::Caller, openapi, query::Query};

/// The progress of a restore.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RestoreProgress)]
pub(crate) struct ProgressResponse {
    /// The requested package.
    #[schema(value_type = String, example = "N:collection:5f3c1b0e-7a51-4b8e-9a59-1d8d7c1f0a11")]
    id: PackageNodeId,
    /// The package's state: `DELETED` in the trash, `RESTORING` during a restore, `READY` when it is restored.
    #[schema(example = "RESTORING")]
    state: String,
    /// The stage of the package's restore order: `queued` (not started; the numbers are not known yet), `running`,
    /// `waiting` (for another order, for the storage, or for a deletion to end) or `finished`. `null` if the package
    /// itself was not ordered in the last week.
    #[schema(example = "running")]
    order: Option<&'static str>,
    /// How many packages the order restores: those in a folder, at any depth, or the package itself.
    #[schema(minimum = 0)]
    total: i64,
    /// How many of them are restored.
    #[schema(minimum = 0)]
    restored: i64,
    /// How many of them are still being restored.
    #[schema(minimum = 0)]
    restoring: i64,
    /// How many could not be restored. `failed` lists the first 1,000 of them.
    #[schema(minimum = 0)]
    failures: i64,
    /// The packages that could not be restored and are in the trash. If the requested package is one of them, it is the
    /// first.
    #[schema(max_items = 1000)]
    failed: Vec<RestoreFailure>,
    /// How many bytes are restored.
    #[schema(minimum = 0)]
    bytes: i64,
    /// When the restore was last ordered (RFC 3339).
    #[schema(example = "2026-11-27T10:15:30.123456Z")]
    since: Option<String>,
    /// When any of the numbers last changed (RFC 3339).
    #[schema(example = "2026-11-27T10:15:31.5Z")]
    updated_at: Option<String>,
}

/// A package that could not be restored.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RestoreFailure)]
struct RestoreFailure {
    /// The package's node id.
    id: String,
    /// Why it could not be restored, as text.
    reason: String,
}

/// Returns the progress of restoring a package or a folder
///
/// The numbers belong to the package's restore order. They change with every batch of some thousand packages. The order
/// of a folder counts the packages in it, at any depth, without the folder itself. If the package itself was not
/// ordered, the numbers describe that one package.
#[utoipa::path(
    get, path = "/restore", tag = "restore", operation_id = "getRestore", security(("bearer" = [])),
    params(openapi::DatasetIdParam, openapi::PackageIdParam),
    responses(
        (status = OK, description = "The progress", body = ProgressResponse),
        openapi::PrivateRouteProblems,
        openapi::NotFoundProblem,
    ),
)]
pub(crate) async fn get_progress(
    State(app): State<Arc<App>>,
    Caller(access): Caller<ViewFiles>,
    query: Query,
) -> Result<Json<ProgressResponse>, Problem> {
    let package = query.package_id()?;
    let progress = find_progress(&app.db, &access, &package).await?.ok_or_else(Problem::no_package)?;
    Ok(Json(ProgressResponse::new(package, progress)))
}

impl ProgressResponse {
    fn new(id: PackageNodeId, progress: Progress) -> Self {
        let counts = PackageCounts::from_progress(&progress);
        let is_cut_off = progress.failed.len() >= MAX_LISTED_FAILURES;
        let listed = i64::try_from(progress.failed.len()).unwrap_or(i64::MAX);
        let order = progress.order;
        let bytes = order.as_ref().map_or(0, |order| order.bytes);
        let time = |read: fn(&OrderProgress) -> SystemTime| {
            order.as_ref().and_then(|order| format_rfc3339(read(order)))
        };
        Self {
            id,
            state: progress.state,
            order: order.as_ref().map(|order| order.status.name()),
            total: counts.total,
            restored: counts.restored,
            restoring: (counts.total - counts.restored - counts.failed).max(0),
            // The list omits packages that were restored later. The order's number counts only where the list is cut
            // off.
            failures: if is_cut_off { counts.failed.max(listed) } else { listed },
            failed: progress
                .failed
                .into_iter()
                .map(|failed| RestoreFailure { id: failed.node_id, reason: failed.reason })
                .collect(),
            bytes,
            since: time(|order| order.since),
            updated_at: time(|order| order.updated_at),
        }
    }
}

/// Numbers of packages in a restore.
struct PackageCounts {
    total: i64,
    restored: i64,
    failed: i64,
}

impl PackageCounts {
    fn from_progress(progress: &Progress) -> Self {
        // An order's total is 0 until a worker has counted its packages.
        match progress.order.as_ref().filter(|order| order.total > 0) {
            Some(order) => Self { total: order.total, restored: order.restored, failed: order.failed },
            None => Self::from_state(&progress.state),
        }
    }

    /// The numbers of a single package without an order of its own.
    fn from_state(state: &str) -> Self {
        let (restored, failed) = match PackageState::from_column(state) {
            PackageState::Restoring => (0, 0),
            state if state.is_live() => (1, 0),
            _ => (0, 1),
        };
        Self { total: 1, restored, failed }
    }
}

fn format_rfc3339(time: SystemTime) -> Option<String> {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    OffsetDateTime::UNIX_EPOCH.checked_add(since_epoch.try_into().ok()?)?.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use restore::db::progress::{FailedPackage, OrderStatus};

    use super::*;

    fn serialize_response(progress: Progress) -> String {
        let id = PackageNodeId::parse("N:collection:1").unwrap();
        serde_json::to_string(&ProgressResponse::new(id, progress)).unwrap()
    }

    #[test]
    fn serializes_all_members() {
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
            failed: vec![FailedPackage {
                node_id: "N:package:9".into(),
                reason: "the object is gone".into(),
            }],
        };
        assert_eq!(
            serialize_response(progress),
            r#"{"id":"N:collection:1","state":"RESTORING","order":"running","total":3,"restored":1,"restoring":1,"failures":1,"failed":[{"id":"N:package:9","reason":"the object is gone"}],"bytes":17,"since":"1970-01-01T00:00:00Z","updated_at":"1970-01-01T00:00:01.5Z"}"#
        );
    }

    #[test]
    fn a_package_without_an_order_counts_as_one() {
        for (state, numbers) in [
            ("READY", r#""total":1,"restored":1,"restoring":0,"failures":0"#),
            ("RESTORING", r#""total":1,"restored":0,"restoring":1,"failures":0"#),
            ("DELETED", r#""total":1,"restored":0,"restoring":0,"failures":0"#),
        ] {
            let progress =
                Progress { state: state.into(), is_collection: false, order: None, failed: Vec::new() };
            let response = serialize_response(progress);
            assert!(response.contains(numbers), "{response}");
            assert!(response.contains(r#""order":null"#) && response.contains(r#""since":null"#));
        }
    }
}
