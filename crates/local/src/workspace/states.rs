//! The states of packages as SQL text. The list of what is not live is the service's own.

use packages::package::PackageState;

pub(super) const DELETED: &str = PackageState::DELETED_SQL;
pub(super) const DELETING: &str = PackageState::DELETING_SQL;
pub(super) const READY: &str = PackageState::READY_SQL;
pub(super) const NOT_LIVE: &str = PackageState::NOT_LIVE_SQL;
