//! Checking the verdicts of a batch again, with its packages locked.

use std::collections::{HashMap, HashSet};

use crate::{
    batch::{Batch, BatchMember, Verdict, is_deleted},
    db::packages::PackageRow,
    reasons::{DELETED_AGAIN_REASON, FOLDER_BEING_DELETED_REASON},
    usage::UsageNode,
};
use packages::{id::PackageId, package::PackageState};

/// Packages as they are now, locked.
pub(super) struct LockedPackages {
    pub(super) packages: HashMap<PackageId, PackageRow>,
    /// Those whose claims are still the ones that the batch was read with.
    pub(super) unchanged: HashSet<PackageId>,
}

impl LockedPackages {
    /// A package whose claim is unchanged.
    pub(super) fn get_unchanged(&self, id: PackageId) -> Option<&PackageRow> {
        self.packages.get(&id).filter(|package| self.unchanged.contains(&package.id))
    }
}

/// Leaves out what a later batch decides: a member whose claim was ended by another worker or renewed by an order, and one
/// whose state has changed. Decided here is only a package that was to come back and was deleted again.
pub(super) fn recheck_members(batch: &mut Batch, locked: &LockedPackages) {
    batch.members.retain_mut(|BatchMember { claim, verdict }| {
        if !locked.unchanged.contains(&claim.id) {
            return false;
        }
        let (before, now) = (claim.package.as_ref(), locked.packages.get(&claim.id));
        let (before, now) = (before.map(|package| package.state), now.map(|package| package.state));
        if before == now {
            return true;
        }
        let is_deleted_again = matches!(now, Some(PackageState::Deleted | PackageState::Deleting));
        if *verdict == Verdict::Restore && is_deleted_again {
            *verdict = Verdict::Fail(DELETED_AGAIN_REASON.to_owned());
            return true;
        }
        false
    });
}

/// Makes sure that what comes back is visible: each folder above is live, or comes back with it.
pub(super) fn recheck_folders(batch: &mut Batch, locked: &LockedPackages, live: &[UsageNode]) {
    let live: HashSet<PackageId> = live.iter().map(|node| node.id).collect();
    let mut visibilities: HashMap<PackageId, Visibility> = HashMap::new();
    batch.members.retain_mut(|BatchMember { claim, verdict }| {
        let mut visibility = match verdict {
            Verdict::Restore | Verdict::Done => Visibility::Visible,
            Verdict::Retry(_) | Verdict::Blocked => Visibility::Undecided,
            Verdict::Fail(_) | Verdict::Gone => Visibility::Hidden,
        };
        let parent = locked.get_unchanged(claim.id).and_then(|package| package.parent_id);
        if let (Verdict::Restore, Some(parent)) = (&*verdict, parent) {
            let parent_visibility =
                visibilities.entry(parent).or_insert_with(|| decide_visibility(parent, locked, &live));
            visibility = *parent_visibility;
            if visibility == Visibility::Hidden {
                *verdict = Verdict::Fail(FOLDER_BEING_DELETED_REASON.to_owned());
            }
        }
        visibilities.insert(claim.id, visibility);
        // A later batch decides on a package whose folder is undecided.
        *verdict != Verdict::Restore || visibility == Visibility::Visible
    });
}

/// Whether a package that comes back into a folder is visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visibility {
    /// It is.
    Visible,
    /// It is not: the folder, or one above, is not live and does not come back.
    Hidden,
    /// The folder's own claim decides.
    Undecided,
}

fn decide_visibility(folder: PackageId, locked: &LockedPackages, live: &HashSet<PackageId>) -> Visibility {
    let mut next = Some(folder);
    // At most as many steps as there are packages: that ends a cycle of parents.
    for _ in 0..=locked.packages.len() {
        let Some(id) = next else { return Visibility::Visible };
        if live.contains(&id) {
            return Visibility::Visible;
        }
        match locked.packages.get(&id) {
            Some(package) if !is_deleted(package.state) => return Visibility::Hidden,
            // Its claim was renewed.
            Some(_) if !locked.unchanged.contains(&id) => return Visibility::Undecided,
            Some(package) => next = package.parent_id,
            None => return Visibility::Hidden,
        }
    }
    Visibility::Hidden
}
