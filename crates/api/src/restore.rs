//! `POST /packages/restore`: orders the restore of packages from the trash.

mod request;
mod response;

use std::sync::Arc;

use aws::trace;
use axum::{Json, body::Body, extract::State};
use packages::{
    access::{CreateDeleteFiles, DatasetAccess},
    id::PackageNodeId,
};
use restore::{self, PlacedOrders};
use tracing::Instrument;

use crate::{App, Problem, audit, body::read_body, caller::Caller, openapi, query::Query};
use request::{PackageIds, RestoreRequest};
use response::{OrderResponse, PreviewResponse, RestoreResponse};

/// Restores packages from the trash
///
/// The response lists which packages were ordered and which were not. The restore runs later; `GET` returns its
/// progress. A package that is already being restored counts as a success. An id that occurs twice is listed once.
/// Deleted folders above a package are restored with it. For a live folder, everything in the trash inside the folder
/// is restored.
///
/// With `dry_run=true` nothing is ordered. The response then lists what would be restored, under which names, and what
/// is lost.
#[utoipa::path(
    post, path = "/restore", tag = "restore", operation_id = "restore", security(("bearer" = [])),
    params(openapi::DatasetIdParam, openapi::DryRunParam),
    request_body(content = RestoreRequest, description = "Up to 1 MiB, within 10 seconds"),
    responses(
        (status = OK, description = "The order, or its preview with `dry_run=true`", body = RestoreResponse),
        openapi::PrivateRouteProblems,
        openapi::NotFoundProblem,
        openapi::RequestBodyProblems,
    ),
)]
pub(crate) async fn post_restore(
    State(app): State<Arc<App>>,
    Caller(access): Caller<CreateDeleteFiles>,
    query: Query,
    body: Body,
) -> Result<Json<RestoreResponse>, Problem> {
    let is_dry_run = query.parse_flag("dry_run")?;
    let PackageIds { valid, failures } =
        RestoreRequest::parse(&read_body(&app, body).await?)?.into_package_ids();
    if is_dry_run {
        let preview = restore::preview_restore(&app.db, &app.objects, &access, &valid).await?;
        return Ok(Json(RestoreResponse::Preview(PreviewResponse::new(preview, failures))));
    }
    // In its own task: a client that disconnects must not cancel the work between the commit and the queue message.
    let work = trace::with_header(
        trace::current_header(),
        database::inherit_statement_count(place_orders(app, access, valid)),
    );
    let orders = tokio::spawn(work.in_current_span()).await;
    let orders = orders.unwrap_or_else(|_| Err(Problem::internal("ordering a restore panicked")))?;
    Ok(Json(RestoreResponse::Ordered(OrderResponse::new(orders, failures))))
}

async fn place_orders(
    app: Arc<App>,
    access: DatasetAccess<CreateDeleteFiles>,
    ids: Vec<PackageNodeId>,
) -> Result<PlacedOrders, Problem> {
    let orders = restore::order_restore(&app.db, &app.queue, &access, &ids).await;
    let orders = orders.map_err(|error| Problem::from_order_error(error, &access))?;
    for package in &orders.success {
        audit::log_restore_ordered(&access, package);
    }
    Ok(orders)
}
