//! `packages_service.restore_failures`: why a package is still in the trash.

/// The rows of `failures (package_id, order_id, failed_at)` that unfinished orders have counted: one row for each failure,
/// with its order. `workspace` is the parameter that holds the workspace.
///
/// An order has counted a failure if the order's numbers began before it. A package that is claimed has a reason on record
/// while it waits, and is not counted yet.
pub(super) fn counted_failures_sql(failures: &str, workspace: &str) -> String {
    format!(
        "SELECT failure.order_id FROM {failures} failure
               CROSS JOIN LATERAL (
                   SELECT begun_at, finished_at FROM packages_service.restore_orders o
                   WHERE o.workspace_id = {workspace} AND o.package_id = failure.order_id OFFSET 0
               ) o
               LEFT JOIN LATERAL (
                   SELECT order_id FROM packages_service.restore_claims c
                   WHERE c.workspace_id = {workspace} AND c.package_id = failure.package_id OFFSET 0
               ) claim ON true
               WHERE o.finished_at IS NULL AND o.begun_at <= failure.failed_at AND claim.order_id IS NULL"
    )
}
