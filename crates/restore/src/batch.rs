//! Reading a batch of claims, and deciding which of its packages can come back.

use std::collections::{HashMap, HashSet};

use crate::db::{
    claims::{Ancestor, Claim, ClaimPosition, list_ancestors, list_next_claims},
    files::{PackageFiles, list_files},
    packages::PackageRow,
};
use crate::reasons::{
    BEING_DELETED_REASON, DELETED_AGAIN_REASON, FOLDER_BEING_DELETED_REASON, FOLDER_STAYS_REASON,
    OTHER_STATE_REASON,
};
use database::{self, Db};
use packages::{
    id::{DatasetKey, PackageId},
    package::PackageState,
};

/// The position before all claims.
pub(super) const START: ClaimPosition = ClaimPosition { position: -1, package: 0 };

/// What happens to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The package comes back.
    Restore,
    /// It is already back.
    Done,
    /// It no longer exists.
    Gone,
    /// It waits: the platform is still deleting a folder above it.
    Blocked,
    /// It is tried again later, for this reason.
    Retry(String),
    /// It stays in the trash, for this reason.
    Fail(String),
}

/// A claim of a batch, and what happens to it.
#[derive(Debug)]
pub(super) struct BatchMember {
    pub(super) claim: Claim,
    pub(super) verdict: Verdict,
}

/// Some claims of a dataset, each folder before what is in it, with their verdicts.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) members: Vec<BatchMember>,
    /// The folders above the members, up to the first that is live.
    pub(super) ancestors: HashMap<PackageId, Ancestor>,
    /// The files of the packages that come back.
    pub(super) files: PackageFiles,
}

impl Batch {
    /// The position of its last claim.
    pub(super) fn end_position(&self) -> ClaimPosition {
        let positions = self.members.iter().map(|BatchMember { claim, .. }| claim.position());
        positions.max().unwrap_or(START)
    }

    /// The folders above the members that may be live by now: the ancestors, which an earlier batch may have restored, and
    /// the members that are already back.
    pub(super) fn possibly_live_folders(&self) -> Vec<i32> {
        let done = self.members.iter().filter(|BatchMember { verdict, .. }| *verdict == Verdict::Done);
        let done = done.map(|BatchMember { claim, .. }| claim.id.0);
        self.ancestors.keys().map(|id| id.0).chain(done).collect()
    }

    /// The deleted folders above that come back with this batch.
    pub(super) fn returning_ancestors(&self) -> Vec<&Ancestor> {
        let restored = self.members.iter().filter(|BatchMember { verdict, .. }| *verdict == Verdict::Restore);
        let parents = restored.filter_map(|BatchMember { claim, .. }| claim.package.as_ref()?.parent_id);
        // A member comes back by itself.
        let mut seen: HashSet<PackageId> =
            self.members.iter().map(|BatchMember { claim, .. }| claim.id).collect();
        let mut returning = Vec::new();
        for parent in parents {
            let mut next = Some(parent);
            while let Some(ancestor) = next.and_then(|id| self.ancestors.get(&id)) {
                if !is_deleted(ancestor.package.state) || !seen.insert(ancestor.package.id) {
                    break;
                }
                returning.push(ancestor);
                next = ancestor.package.parent_id;
            }
        }
        returning
    }
}

pub(super) fn is_deleted(state: PackageState) -> bool {
    matches!(state, PackageState::Deleted | PackageState::Restoring)
}

/// Reads the batch of a dataset after this position. `None`: no claim after it is due.
pub(super) async fn read_batch(
    db: &Db,
    key: DatasetKey,
    after: ClaimPosition,
    size: u32,
) -> Result<Option<Batch>, database::Error> {
    let mut claims = list_next_claims(db, key, after, i64::from(size)).await?;
    if claims.is_empty() {
        return Ok(None);
    }
    sort_folders_first(&mut claims);
    let ancestors = read_ancestors(db, key, &claims).await?;
    let members = decide_claims(claims, &ancestors);
    let restored = members.iter().filter(|BatchMember { verdict, .. }| *verdict == Verdict::Restore);
    let restored: Vec<i32> = restored.map(|BatchMember { claim, .. }| claim.id.0).collect();
    let files = list_files(db, key.workspace, &restored).await?;
    Ok(Some(Batch { members, ancestors, files }))
}

/// Puts each claim after the claim on its folder. Claims that were made at different times are not in that order.
fn sort_folders_first(claims: &mut [Claim]) {
    let parent = |claim: &Claim| Some((claim.id, claim.package.as_ref()?.parent_id?));
    let parents: HashMap<PackageId, PackageId> = claims.iter().filter_map(parent).collect();
    let members: HashSet<PackageId> = claims.iter().map(|claim| claim.id).collect();
    let mut depths: HashMap<PackageId, usize> = HashMap::new();
    for claim in claims.iter() {
        let mut path = vec![claim.id];
        // At most as many steps as there are claims: that ends a cycle of parents.
        while let Some(parent) =
            path.last().and_then(|id| parents.get(id)).filter(|parent| members.contains(parent))
            && !depths.contains_key(parent)
            && path.len() <= claims.len()
        {
            path.push(*parent);
        }
        for id in path.into_iter().rev() {
            let parent_depth = parents.get(&id).and_then(|parent| depths.get(parent));
            let depth = parent_depth.map_or(0, |depth| depth + 1);
            depths.entry(id).or_insert(depth);
        }
    }
    claims.sort_by_key(|claim| depths.get(&claim.id).copied());
}

async fn read_ancestors(
    db: &Db,
    key: DatasetKey,
    claims: &[Claim],
) -> Result<HashMap<PackageId, Ancestor>, database::Error> {
    let members: HashSet<PackageId> = claims.iter().map(|claim| claim.id).collect();
    let parents = claims.iter().filter_map(|claim| claim.package.as_ref()?.parent_id);
    let parents: HashSet<i32> = parents.filter(|parent| !members.contains(parent)).map(|id| id.0).collect();
    if parents.is_empty() {
        return Ok(HashMap::new());
    }
    let parents: Vec<i32> = parents.into_iter().collect();
    let ancestors = list_ancestors(db, key.workspace, &parents).await?;
    Ok(ancestors.into_iter().map(|ancestor| (ancestor.package.id, ancestor)).collect())
}

/// Decides on each claim. Each folder comes before what is in it, so its verdict is known.
fn decide_claims(claims: Vec<Claim>, ancestors: &HashMap<PackageId, Ancestor>) -> Vec<BatchMember> {
    let mut verdicts: HashMap<PackageId, Verdict> = HashMap::new();
    let mut folder_verdicts: HashMap<PackageId, Verdict> = HashMap::new();
    let mut members = Vec::with_capacity(claims.len());
    for claim in claims {
        let verdict = decide_by_package(&claim).unwrap_or_else(|package| match package.parent_id {
            None => Verdict::Restore,
            Some(parent) => match verdicts.get(&parent) {
                Some(Verdict::Restore | Verdict::Done) => Verdict::Restore,
                Some(Verdict::Blocked) => Verdict::Blocked,
                Some(_) => Verdict::Fail(FOLDER_STAYS_REASON.to_owned()),
                None => folder_verdicts
                    .entry(parent)
                    .or_insert_with(|| decide_by_folder(parent, ancestors))
                    .clone(),
            },
        });
        verdicts.insert(claim.id, verdict.clone());
        members.push(BatchMember { claim, verdict });
    }
    members
}

/// Decides by the package alone. `Err`: the folders above decide.
fn decide_by_package(claim: &Claim) -> Result<Verdict, &PackageRow> {
    let Some(package) = &claim.package else { return Ok(Verdict::Gone) };
    match package.state {
        PackageState::Restoring => Err(package),
        PackageState::Deleted if !claim.is_ordered => Err(package),
        // An ordered package is RESTORING since its order: this is a newer deletion, which counts.
        PackageState::Deleted => Ok(Verdict::Fail(DELETED_AGAIN_REASON.to_owned())),
        PackageState::Deleting => Ok(Verdict::Fail(BEING_DELETED_REASON.to_owned())),
        state if state.is_live() => Ok(Verdict::Done),
        _ => Ok(Verdict::Fail(OTHER_STATE_REASON.to_owned())),
    }
}

/// Decides by a folder: a package can come back into it if the folder is live, or is claimed and can come back itself.
fn decide_by_folder(folder: PackageId, ancestors: &HashMap<PackageId, Ancestor>) -> Verdict {
    let mut next = Some(folder);
    // At most as many steps as there are folders: that ends a cycle of parents.
    for _ in 0..=ancestors.len() {
        let Some(id) = next else { return Verdict::Restore };
        let Some(ancestor) = ancestors.get(&id) else { break };
        match (ancestor.package.state, ancestor.claimed_at) {
            (state, _) if state.is_live() => return Verdict::Restore,
            (PackageState::Deleting, None) => return Verdict::Fail(FOLDER_BEING_DELETED_REASON.to_owned()),
            (PackageState::Deleted | PackageState::Restoring, Some(_))
                if ancestor.package.kind.is_collection() =>
            {
                next = ancestor.package.parent_id;
            }
            // It is still being deleted; or it has files of its own, and comes back with its own claim only.
            (PackageState::Deleting | PackageState::Deleted | PackageState::Restoring, Some(_)) => {
                return Verdict::Blocked;
            }
            _ => break,
        }
    }
    Verdict::Fail(FOLDER_STAYS_REASON.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use packages::{id::PackageNodeId, package::PackageKind};

    fn package(id: i32, parent: Option<i32>, state: PackageState) -> PackageRow {
        PackageRow {
            id: PackageId(id),
            node_id: PackageNodeId::parse(&format!("N:package:{id}")).unwrap(),
            name: String::new(),
            parent_id: parent.map(PackageId),
            kind: PackageKind::COLLECTION,
            state,
        }
    }

    fn claim(id: i32, parent: Option<i32>, state: PackageState, is_ordered: bool) -> Claim {
        Claim {
            id: PackageId(id),
            order: PackageId(1),
            is_ordered,
            claimed_at: SystemTime::UNIX_EPOCH,
            position: 0,
            attempts: 0,
            package: Some(package(id, parent, state)),
        }
    }

    fn ancestor_map(ancestors: &[(i32, Option<i32>, PackageState, bool)]) -> HashMap<PackageId, Ancestor> {
        let ancestor = |&(id, parent, state, is_claimed): &(i32, Option<i32>, PackageState, bool)| {
            let claimed_at = is_claimed.then_some(SystemTime::UNIX_EPOCH);
            (PackageId(id), Ancestor { package: package(id, parent, state), claimed_at, order: None })
        };
        ancestors.iter().map(ancestor).collect()
    }

    fn fail(reason: &str) -> Verdict {
        Verdict::Fail(reason.to_owned())
    }

    fn decide_one(claim: Claim, ancestors: &[(i32, Option<i32>, PackageState, bool)]) -> Verdict {
        decide_claims(vec![claim], &ancestor_map(ancestors)).remove(0).verdict
    }

    #[test]
    fn an_ordered_package_comes_back_only_from_restoring() {
        for (state, is_ordered, verdict) in [
            (PackageState::Restoring, true, Verdict::Restore),
            (PackageState::Restoring, false, Verdict::Restore),
            (PackageState::Deleted, false, Verdict::Restore),
            (PackageState::Deleted, true, fail(DELETED_AGAIN_REASON)),
            (PackageState::Deleting, true, fail(BEING_DELETED_REASON)),
            (PackageState::Ready, true, Verdict::Done),
            (PackageState::Other, false, Verdict::Done),
            (PackageState::Unavailable, false, fail(OTHER_STATE_REASON)),
        ] {
            assert_eq!(decide_one(claim(1, None, state, is_ordered), &[]), verdict, "{state:?} {is_ordered}");
        }
        assert_eq!(
            decide_one(Claim { package: None, ..claim(1, None, PackageState::Ready, true) }, &[]),
            Verdict::Gone
        );
    }

    #[test]
    fn the_folders_above_decide_where_a_package_alone_does_not() {
        let file = || claim(9, Some(8), PackageState::Deleted, false);
        for (ancestors, verdict) in [
            (&[(8, None, PackageState::Ready, false)][..], Verdict::Restore),
            (&[(8, None, PackageState::Deleted, true)], Verdict::Restore),
            (
                &[(8, Some(7), PackageState::Restoring, true), (7, Some(6), PackageState::Ready, false)],
                Verdict::Restore,
            ),
            (&[(8, None, PackageState::Deleted, false)], fail(FOLDER_STAYS_REASON)),
            (&[(8, None, PackageState::Deleting, false)], fail(FOLDER_BEING_DELETED_REASON)),
            (&[(8, None, PackageState::Deleting, true)], Verdict::Blocked),
            (
                &[(8, Some(7), PackageState::Deleted, true), (7, None, PackageState::Deleting, false)],
                fail(FOLDER_BEING_DELETED_REASON),
            ),
            (
                &[(8, Some(7), PackageState::Deleted, true), (7, Some(8), PackageState::Deleted, true)],
                fail(FOLDER_STAYS_REASON),
            ),
            (&[], fail(FOLDER_STAYS_REASON)),
        ] {
            assert_eq!(decide_one(file(), ancestors), verdict, "{ancestors:?}");
        }
    }

    #[test]
    fn what_lies_in_a_folder_that_stays_stays_too() {
        let claims = vec![
            claim(1, None, PackageState::Deleted, true),
            claim(2, Some(1), PackageState::Deleted, false),
            claim(3, Some(2), PackageState::Deleted, false),
        ];
        let verdicts: Vec<Verdict> =
            decide_claims(claims, &HashMap::new()).into_iter().map(|member| member.verdict).collect();
        assert_eq!(
            verdicts,
            [fail(DELETED_AGAIN_REASON), fail(FOLDER_STAYS_REASON), fail(FOLDER_STAYS_REASON)]
        );
    }

    #[test]
    fn a_claim_is_decided_on_after_that_on_its_folder() {
        let mut claims = vec![
            claim(3, Some(2), PackageState::Deleted, false),
            claim(9, None, PackageState::Deleted, false),
            claim(2, Some(1), PackageState::Deleted, false),
            claim(1, Some(3), PackageState::Deleted, false),
            claim(5, Some(4), PackageState::Deleted, false),
            claim(4, None, PackageState::Deleted, false),
        ];
        sort_folders_first(&mut claims[4..]);
        assert_eq!(claims[4..].iter().map(|claim| claim.id.0).collect::<Vec<_>>(), [4, 5]);
        sort_folders_first(&mut claims);
        assert_eq!(claims.len(), 6, "a cycle ends");
    }

    #[test]
    fn only_deleted_folders_above_what_comes_back_come_back_with_it() {
        let ancestors = ancestor_map(&[
            (8, Some(7), PackageState::Deleted, true),
            (7, Some(6), PackageState::Deleted, true),
            (6, None, PackageState::Ready, false),
            (5, None, PackageState::Deleted, true),
        ]);
        let members = decide_claims(
            vec![
                claim(9, Some(8), PackageState::Deleted, false),
                claim(4, Some(5), PackageState::Deleting, false),
            ],
            &ancestors,
        );
        let batch = Batch { members, ancestors, files: PackageFiles::default() };
        let returning: Vec<i32> = batch.returning_ancestors().iter().map(|a| a.package.id.0).collect();
        assert_eq!(returning, [8, 7]);
    }
}
