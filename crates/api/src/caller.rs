//! Checks a caller's claims against the requested dataset and the required permission.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use packages::{
    access::{Claims, DatasetAccess, Member, Permission, ViewFiles},
    db::PrefetchedPackage,
};
use tracing::{Span, record_all};

use crate::{Problem, audit, query::Query};

/// Proof that the caller has permission `P` in the dataset that the query names. A handler with this argument runs for
/// no other caller.
pub(crate) struct Caller<P>(pub(crate) DatasetAccess<P>);

impl<P: Permission + Send, S: Sync> FromRequestParts<S> for Caller<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        check_access(parts).map(Self)
    }
}

/// A caller who may view the files of the dataset that the query names, and the package that the query names, if the host has
/// looked it up with the decision on their access.
pub(crate) struct FileViewer {
    pub(crate) access: DatasetAccess<ViewFiles>,
    pub(crate) prefetched: Option<PrefetchedPackage>,
}

impl<S: Sync> FromRequestParts<S> for FileViewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let access = check_access(parts)?;
        Ok(Self { access, prefetched: parts.extensions.remove() })
    }
}

/// A person in their workspace. They have no permission yet: the handler finds out which datasets they may read.
pub(crate) struct MemberCaller {
    pub(crate) member: Member,
    /// Their claims on the dataset that the query names, if the host has decided that already.
    pub(crate) claims: Option<Arc<Claims>>,
}

impl<S: Sync> FromRequestParts<S> for MemberCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // The host's authentication layer put it here, and only for a valid token.
        let member = parts.extensions.get::<Member>().cloned();
        let member = member.ok_or_else(|| Problem::unauthorized("a bearer token is required"))?;
        Span::current()
            .record("user", member.user.node_id.as_str())
            .record("workspace", member.workspace.id.0);
        Ok(Self { member, claims: parts.extensions.get::<Arc<Claims>>().cloned() })
    }
}

/// Without claims 401, without a valid `dataset_id` 400, without the permission 403. This order, so that a caller
/// without claims learns nothing about the parameters.
fn check_access<P: Permission>(parts: &mut Parts) -> Result<DatasetAccess<P>, Problem> {
    // The host's authentication layer put them here, and only for a valid token.
    let claims = parts.extensions.get::<Arc<Claims>>().cloned();
    let claims = claims.ok_or_else(|| Problem::unauthorized("a bearer token is required"))?;
    record_claims(&claims);
    let dataset = Query::from_parts(parts)?.dataset_id()?;
    DatasetAccess::check(&claims, &dataset).map_err(|error| {
        audit::log_access_refused(&claims, &dataset, error);
        error.into()
    })
}

/// Adds the caller to the request's span, and so to every later log line.
fn record_claims(claims: &Claims) {
    record_all!(
        Span::current(),
        user = claims.user.node_id.as_str(),
        workspace = claims.workspace.id.0,
        dataset = claims.dataset.node_id.as_str(),
    );
}

#[cfg(test)]
mod tests {
    use http::Request;
    use packages::access::{CreateDeleteFiles, ViewFiles};
    use serde_json::json;

    use super::*;

    fn check_status<P: Permission>(claims: Option<u8>, query: &str) -> u16 {
        let (mut parts, ()) = Request::get(format!("/?{query}")).body(()).unwrap().into_parts();
        if let Some(role) = claims {
            let context = json!({
                "user_claim": {"Id": 7, "NodeId": "N:user:7"},
                "org_claim": {"Role": 8, "IntId": 2, "NodeId": "N:organization:2"},
                "dataset_claim": {"Role": role, "NodeId": "N:dataset:41", "IntId": 41},
            });
            parts.extensions.insert(Arc::new(Claims::from_context(&context).unwrap()));
        }
        match check_access::<P>(&mut parts) {
            Ok(access) => {
                assert_eq!(access.dataset_node_id().as_str(), "N:dataset:41");
                200
            }
            Err(problem) => problem.status().as_u16(),
        }
    }

    #[test]
    fn checks_claims_then_the_parameter_then_the_role() {
        assert_eq!(check_status::<ViewFiles>(None, ""), 401);
        assert_eq!(check_status::<ViewFiles>(Some(2), ""), 400);
        assert_eq!(check_status::<ViewFiles>(Some(2), "dataset_id="), 400);
        assert_eq!(check_status::<ViewFiles>(Some(2), "dataset_id=41"), 400);
        assert_eq!(check_status::<ViewFiles>(Some(2), "dataset_id=N:dataset:42"), 403);
        assert_eq!(check_status::<ViewFiles>(Some(1), "dataset_id=N:dataset:41"), 403);
        assert_eq!(check_status::<ViewFiles>(Some(2), "dataset_id=N:dataset:41"), 200);
        assert_eq!(check_status::<CreateDeleteFiles>(Some(2), "dataset_id=N:dataset:41"), 403);
        assert_eq!(check_status::<CreateDeleteFiles>(Some(3), "dataset_id=N%3Adataset%3A41"), 200);
    }

    #[test]
    fn rejects_two_datasets() {
        assert_eq!(
            check_status::<ViewFiles>(Some(5), "dataset_id=N:dataset:41&dataset_id=N:dataset:42"),
            400
        );
    }
}
