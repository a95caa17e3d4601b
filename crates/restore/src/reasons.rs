//! Why a package stays in the trash, in words for its owner. What S3 refuses has reasons of its own in the crate `storage`.

/// Somebody deleted it again since its order.
pub(crate) const DELETED_AGAIN_REASON: &str = "it was deleted again";

/// The platform is deleting it.
pub(crate) const BEING_DELETED_REASON: &str = "it is being deleted";

/// The platform is deleting a folder above it.
pub(crate) const FOLDER_BEING_DELETED_REASON: &str = "the folder it lies in is being deleted";

/// A folder above it is in the trash and does not come back.
pub(crate) const FOLDER_STAYS_REASON: &str = "the folder it lies in stays in the trash";

/// Its state is not one of the trash.
pub(crate) const OTHER_STATE_REASON: &str = "it is in a state from which nothing is restored";

/// Its parents form a cycle.
pub(crate) const FOLDER_CYCLE_REASON: &str = "its parent folders form a cycle";

/// It waits for the platform, which is still deleting it.
pub(crate) const STILL_DELETING_REASON: &str =
    "the platform is still deleting it; it comes back when that has ended";

/// It has waited too long for the platform.
pub(crate) const DELETING_TOO_LONG_REASON: &str =
    "the platform is still deleting it; order it again after that";

/// It was RESTORING without an order.
pub(crate) const STRAY_REASON: &str = "its restore stopped without an order; order it again";

/// The runs of its order failed.
pub const RUN_FAILED_REASON: &str = "the restore failed several times; order it again later";
