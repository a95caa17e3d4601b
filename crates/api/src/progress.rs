//! `GET /packages/restore`: how far a package, or what lies beneath a folder, has come back.

use axum::{Json, extract::State};
use packages::{
    access::ViewFiles,
    db::packages::{Progress, find_progress},
    id::PackageNodeId,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{App, Problem, caller::Caller, openapi, query::Query};

/// How far a restore is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RestoreProgress)]
pub(crate) struct Answer {
    /// The package that was asked for.
    #[schema(value_type = String, example = "N:collection:5f3c1b0e-7a51-4b8e-9a59-1d8d7c1f0a11")]
    id: PackageNodeId,
    /// Its state: `RESTORING` while it is on its way, `READY` when it is back, `DELETED` while it is in the trash.
    #[schema(example = "RESTORING")]
    state: String,
    /// How many packages there are.
    #[schema(minimum = 0)]
    total: i64,
    /// How many of them are back.
    #[schema(minimum = 0)]
    restored: i64,
    /// How many of them are on their way.
    #[schema(minimum = 0)]
    restoring: i64,
    /// How many were left in the trash by the last restore; `failed` lists the first thousand of them.
    #[schema(minimum = 0)]
    failures: i64,
    /// Packages that were left in the trash, and why.
    #[schema(max_items = 1000)]
    failed: Vec<Failed>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LeftInTrash)]
struct Failed {
    /// The package's node id.
    id: String,
    /// Why it was left there, in words.
    reason: String,
}

/// Tells how far a package, or what lies beneath a folder, has come back
///
/// Counts packages, not bytes; a folder counts what lies beneath it, and not itself.
#[utoipa::path(
    get, path = "/restore", tag = "restore", operation_id = "getRestore", security(("bearer" = [])),
    params(openapi::Dataset, openapi::Package),
    responses(
        (status = OK, description = "How far it is", body = Answer),
        openapi::Private,
        openapi::Absent,
    ),
)]
pub(crate) async fn get(
    State(app): State<App>,
    Caller(access): Caller<ViewFiles>,
    query: Query,
) -> Result<Json<Answer>, Problem> {
    let package = query.package()?;
    let progress = find_progress(&app.db, &access, &package).await?.ok_or_else(Problem::no_package)?;
    Ok(Json(Answer::new(package, progress)))
}

impl Answer {
    fn new(id: PackageNodeId, progress: Progress) -> Self {
        let failed = progress.failed.into_iter().map(|(id, reason)| Failed { id, reason }).collect();
        Self {
            id,
            state: progress.state,
            total: progress.total,
            restored: progress.restored,
            restoring: progress.restoring,
            failures: progress.failures,
            failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_has_its_shape() {
        let progress = Progress {
            state: "RESTORING".into(),
            is_collection: true,
            total: 3,
            restored: 1,
            restoring: 1,
            failed: vec![("N:package:9".into(), "the object is gone".into())],
            failures: 1,
        };
        let answer = Answer::new(PackageNodeId::parse("N:collection:1").unwrap(), progress);
        assert_eq!(
            serde_json::to_string(&answer).unwrap(),
            r#"{"id":"N:collection:1","state":"RESTORING","total":3,"restored":1,"restoring":1,"failures":1,"failed":[{"id":"N:package:9","reason":"the object is gone"}]}"#
        );
    }
}
