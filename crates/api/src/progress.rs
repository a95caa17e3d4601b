//! `GET /packages/restore`: how far a package, or what lies beneath a folder, has come back.

use axum::{Json, extract::State};
use packages::{
    access::ViewFiles,
    db::packages::{Progress, find_progress},
    id::PackageNodeId,
};
use serde::Serialize;

use crate::{App, Problem, caller::Caller, query::Query};

#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    id: PackageNodeId,
    state: String,
    total: i64,
    restored: i64,
    restoring: i64,
    /// How many were left in the trash by the last restore; `failed` lists the first thousand of them.
    failures: i64,
    failed: Vec<Failed>,
}

#[derive(Debug, Serialize)]
struct Failed {
    id: String,
    reason: String,
}

/// Counts packages, not bytes; a folder counts what lies beneath it, and not itself.
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
