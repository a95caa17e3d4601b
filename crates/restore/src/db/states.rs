//! The states and kinds of packages as SQL text, for statements that are written out. The lists are
//! [`PackageState`]'s.

use packages::package::{PackageKind, PackageState};

pub(super) const DELETED: &str = PackageState::DELETED_SQL;
pub(super) const DELETING: &str = PackageState::DELETING_SQL;
pub(super) const READY: &str = PackageState::READY_SQL;
pub(super) const RESTORING: &str = PackageState::RESTORING_SQL;
pub(super) const IN_TRASH: &str = PackageState::IN_TRASH_SQL;
pub(super) const NOT_LIVE: &str = PackageState::NOT_LIVE_SQL;
pub(super) const RESTORABLE: &str = PackageState::RESTORABLE_SQL;
/// The kind of folders.
pub(super) const COLLECTION: &str = PackageKind::COLLECTION_SQL;
