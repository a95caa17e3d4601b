//! The responses to a restore request and to a dry run.

use restore::{OrderFailure, PlacedOrders, Preview};
use serde::Serialize;
use utoipa::ToSchema;

/// The response to an order, or to a dry run.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = RestoreResponse)]
pub(crate) enum RestoreResponse {
    Ordered(OrderResponse),
    Preview(PreviewResponse),
}

/// Which packages were ordered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderResponse)]
pub(crate) struct OrderResponse {
    /// The node ids of the packages that will be restored.
    success: Vec<String>,
    /// The packages that were not ordered.
    failures: Vec<FailedOrder>,
}

/// A package that was not ordered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderFailure)]
pub(crate) struct FailedOrder {
    /// The id as requested, cut off at the length of the longest node id.
    pub(super) id: String,
    /// Why it was not ordered, as text.
    pub(super) error: String,
}

/// What an order would restore.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RestorePreview)]
pub(crate) struct PreviewResponse {
    /// The packages that would be restored, with the deleted folders above them. The first 1,000.
    #[schema(max_items = 1000)]
    packages: Vec<PreviewedPackage>,
    /// How many packages would be restored.
    #[schema(minimum = 0)]
    total: i64,
    /// The bytes of their files.
    #[schema(minimum = 0)]
    bytes: i64,
    /// The requested packages that cannot be ordered.
    failures: Vec<FailedOrder>,
}

/// A package that an order would restore.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PreviewedPackage)]
struct PreviewedPackage {
    /// The package's node id.
    id: String,
    /// The platform's package type.
    #[schema(example = "CSV")]
    kind: String,
    /// The name before the deletion.
    name: String,
    /// The new name, if another package has the old one by now.
    new_name: Option<String>,
    /// Why the package would stay in the trash, as far as the storage can tell now.
    lost: Option<String>,
}

impl OrderResponse {
    /// `invalid` are the ids that never reached the database.
    pub(super) fn new(orders: PlacedOrders, invalid: Vec<FailedOrder>) -> Self {
        Self {
            success: orders.success.into_iter().map(String::from).collect(),
            failures: join_failures(invalid, orders.failures),
        }
    }
}

impl PreviewResponse {
    /// `invalid` are the ids that never reached the database.
    pub(super) fn new(preview: Preview, invalid: Vec<FailedOrder>) -> Self {
        Self {
            packages: preview.packages.into_iter().map(PreviewedPackage::from).collect(),
            total: preview.total,
            bytes: preview.bytes,
            failures: join_failures(invalid, preview.failures),
        }
    }
}

fn join_failures(invalid: Vec<FailedOrder>, failures: Vec<OrderFailure>) -> Vec<FailedOrder> {
    invalid.into_iter().chain(failures.into_iter().map(FailedOrder::from)).collect()
}

impl From<restore::PreviewedPackage> for PreviewedPackage {
    fn from(package: restore::PreviewedPackage) -> Self {
        Self {
            id: package.id.into(),
            kind: package.kind.to_string(),
            name: package.name,
            new_name: package.new_name,
            lost: package.lost,
        }
    }
}

impl From<OrderFailure> for FailedOrder {
    fn from(failure: OrderFailure) -> Self {
        Self { id: failure.id.into(), error: failure.error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serializes_empty_lists() {
        let response = OrderResponse::new(PlacedOrders::default(), Vec::new());
        assert_eq!(serde_json::to_string(&response).unwrap(), r#"{"success":[],"failures":[]}"#);
    }
}
