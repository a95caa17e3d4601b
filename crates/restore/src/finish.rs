//! Finishing a batch: names, states, counters, claims and what others are to be told, in one short transaction.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::SystemTime,
};

use crate::db::packages::PackageRow;
use crate::{
    MAX_ATTEMPTS, Restorer,
    batch::{Batch, DELETED_AGAIN, FOLDER_BEING_DELETED, Verdict, is_deleted},
    delivery::{RestoredPackage, build_entries},
    names::give_names,
};
use crate::{
    db::{
        claims::Claim,
        orders::find_users,
        outbox::add_entries,
        restores::{ClosedClaims, Gain, close_claims, find_same_claims, lock_packages},
        usage::{add_usage, list_live_beneath, lock_live_above},
    },
    usage::{Node, reckon},
};
use database::{self, Transaction};
use packages::{
    id::{DatasetKey, PackageId},
    name,
    package::PackageState,
};
use storage::UndeleteErrors;

/// How many packages of a batch came back, folders above included, and how many stay in the trash.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Finished {
    pub(super) restored: usize,
    pub(super) failed: usize,
}

/// What S3 said changes what is to become of the claims: a package whose file it refuses for good stays in the trash, one
/// whose file it did not show now is tried again. For derived files alone no package stays there.
pub(super) fn apply_errors(batch: &mut Batch, errors: &UndeleteErrors) {
    for (claim, verdict) in &mut batch.members {
        let Some(error) = errors.get(&claim.id).filter(|_| *verdict == Verdict::Restore) else { continue };
        let is_last = claim.attempts + 1 >= MAX_ATTEMPTS;
        if error.is_transient && !is_last {
            *verdict = Verdict::Retry(error.reason.clone());
        } else if error.is_derived {
            tracing::warn!(package = claim.id.0, reason = error.reason, "a derived file was not undeleted");
        } else {
            *verdict = Verdict::Fail(error.reason.clone());
        }
    }
}

/// Restores what of the batch can be, and ends the claims on all that is decided.
pub(super) async fn finish_batch(
    restorer: &Restorer,
    key: DatasetKey,
    mut batch: Batch,
) -> Result<Finished, database::Error> {
    let mut session = restorer.db.session().await?;
    let mut tx = session.begin().await?;
    // From the top down, as the platform deletes: nobody waits in a circle.
    let live_above = lock_live_above(&tx, key.workspace, &batch.folders_above()).await?;
    let locked = lock(&tx, key, &batch).await?;
    recheck_members(&mut batch, &locked);
    recheck_folders(&mut batch, &locked, &live_above);

    let returning = select_returning(&batch, &locked);
    let folders: Vec<i32> =
        returning.iter().filter(|package| package.kind.is_collection()).map(|package| package.id.0).collect();
    let beneath =
        if folders.is_empty() { Vec::new() } else { list_live_beneath(&tx, key.workspace, &folders).await? };
    let names = give_names(&mut tx, key.workspace, &returning).await?;

    let node = |package: &PackageRow| Node {
        id: package.id,
        parent: package.parent_id,
        bytes: batch.files.bytes.get(&package.id).copied().unwrap_or_default(),
    };
    let nodes: Vec<Node> = returning.iter().map(node).collect();
    if !nodes.is_empty() {
        add_usage(&tx, key, &reckon(&nodes, &beneath, &live_above)).await?;
    }
    announce(restorer, &tx, key, (&batch, &returning, &names)).await?;
    let closed = close(restorer, &batch, &returning);
    close_claims(&tx, key.workspace, &closed).await?;
    let finished = Finished { restored: returning.len(), failed: closed.failed.len() };
    tx.commit().await?;
    Ok(finished)
}

/// Packages as they are now, locked.
struct Locked {
    packages: HashMap<PackageId, PackageRow>,
    /// Those whose claims are still the ones that the batch was read with.
    same: HashSet<PackageId>,
}

impl Locked {
    /// A package whose claim is still the same.
    fn get(&self, id: PackageId) -> Option<&PackageRow> {
        self.packages.get(&id).filter(|package| self.same.contains(&package.id))
    }
}

/// Locks the packages of the batch, whatever is to become of them, and the folders that come back with it.
async fn lock(tx: &Transaction<'_>, key: DatasetKey, batch: &Batch) -> Result<Locked, database::Error> {
    let members = batch.members.iter().map(|(claim, _)| (claim.id, claim.claimed_at));
    let above = batch.returning_ancestors().into_iter();
    let above = above.filter_map(|ancestor| Some((ancestor.package.id, ancestor.claimed_at?)));
    let claims: Vec<(PackageId, SystemTime)> = members.chain(above).collect();
    let ids: Vec<i32> = claims.iter().map(|(id, _)| id.0).collect();
    let packages = lock_packages(tx, key.workspace, &ids).await?;
    let same = find_same_claims(tx, key.workspace, &claims).await?;
    Ok(Locked {
        packages: packages.into_iter().map(|package| (package.id, package)).collect(),
        same: same.into_iter().collect(),
    })
}

/// Leaves out what is to be looked at again: a member whose claim is not the same any more, which was finished by another
/// worker or ordered again, and one whose state has changed. Only what was to come back and is in the trash again is
/// decided here: it was deleted again.
fn recheck_members(batch: &mut Batch, locked: &Locked) {
    batch.members.retain_mut(|(claim, verdict)| {
        if !locked.same.contains(&claim.id) {
            return false;
        }
        let (before, now) = (claim.package.as_ref(), locked.packages.get(&claim.id));
        let (before, now) = (before.map(|package| package.state), now.map(|package| package.state));
        if before == now {
            return true;
        }
        let is_deleted_again = matches!(now, Some(PackageState::Deleted | PackageState::Deleting));
        if *verdict == Verdict::Restore && is_deleted_again {
            *verdict = Verdict::Fail(DELETED_AGAIN.to_owned());
            return true;
        }
        false
    });
}

/// What comes back must be seen: each folder above is live, or comes back with it.
fn recheck_folders(batch: &mut Batch, locked: &Locked, live: &[Node]) {
    let live: HashSet<PackageId> = live.iter().map(|node| node.id).collect();
    let mut landings: HashMap<PackageId, Landing> = HashMap::new();
    batch.members.retain_mut(|(claim, verdict)| {
        let mut landing = match verdict {
            Verdict::Restore | Verdict::Done => Landing::Seen,
            Verdict::Retry(_) | Verdict::Blocked => Landing::Open,
            Verdict::Fail(_) | Verdict::Gone => Landing::Hidden,
        };
        let parent = locked.get(claim.id).and_then(|package| package.parent_id);
        if let (Verdict::Restore, Some(parent)) = (&*verdict, parent) {
            landing = *landings.entry(parent).or_insert_with(|| find_landing(parent, locked, &live));
            if landing == Landing::Hidden {
                *verdict = Verdict::Fail(FOLDER_BEING_DELETED.to_owned());
            }
        }
        landings.insert(claim.id, landing);
        // What comes back into a folder that is not decided on yet is looked at again.
        *verdict != Verdict::Restore || landing == Landing::Seen
    });
}

/// Whether what comes back into a folder can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Landing {
    /// It can.
    Seen,
    /// It cannot: the folder, or one above, is not live and does not come back.
    Hidden,
    /// The folder's own turn decides.
    Open,
}

fn find_landing(folder: PackageId, locked: &Locked, live: &HashSet<PackageId>) -> Landing {
    let mut next = Some(folder);
    for _ in 0..=locked.packages.len() {
        let Some(id) = next else { return Landing::Seen };
        if live.contains(&id) {
            return Landing::Seen;
        }
        match locked.packages.get(&id) {
            Some(package) if !is_deleted(package.state) => return Landing::Hidden,
            // It was claimed anew meanwhile.
            Some(_) if !locked.same.contains(&id) => return Landing::Open,
            Some(package) => next = package.parent_id,
            None => return Landing::Hidden,
        }
    }
    Landing::Hidden
}

/// The packages that come back, as they are now, folders before what lies in them: those above, then the batch's own.
fn select_returning(batch: &Batch, locked: &Locked) -> Vec<PackageRow> {
    let mut above = batch.returning_ancestors();
    above.reverse();
    let above = above.into_iter().map(|ancestor| ancestor.package.id);
    let members = batch.members.iter().filter(|(_, verdict)| *verdict == Verdict::Restore);
    let ids = above.chain(members.map(|(claim, _)| claim.id));
    ids.filter_map(|id| locked.get(id).filter(|package| is_deleted(package.state)).cloned()).collect()
}

/// Writes down what the changelog is to be told and which records of deletion end, each person's orders by themselves.
async fn announce(
    restorer: &Restorer,
    tx: &Transaction<'_>,
    key: DatasetKey,
    (batch, returning, names): (&Batch, &[PackageRow], &HashMap<PackageId, String>),
) -> Result<(), database::Error> {
    if returning.is_empty() || !restorer.has_audience() {
        return Ok(());
    }
    let orders: HashMap<PackageId, PackageId> =
        batch.members.iter().map(|(claim, _)| (claim.id, claim.order)).collect();
    let distinct: HashSet<i32> = orders.values().map(|order| order.0).collect();
    let distinct: Vec<i32> = distinct.into_iter().collect();
    let users: HashMap<PackageId, String> =
        find_users(tx, key.workspace, &distinct).await?.into_iter().collect();
    // A folder above comes back for whoever ordered what lies in it; one person stands for all.
    let anybody = users.values().min().cloned().unwrap_or_default();
    let mut restored: BTreeMap<&str, Vec<RestoredPackage<'_>>> = BTreeMap::new();
    for package in returning {
        let user = orders.get(&package.id).and_then(|order| users.get(order)).unwrap_or(&anybody);
        let Some(name) = names.get(&package.id) else { continue };
        restored.entry(user).or_default().push(RestoredPackage { package, name });
    }
    let entries = build_entries(restorer, key, &restored);
    add_entries(tx, key.workspace, &entries).await
}

/// Sums up the batch, for the claims and the orders.
fn close<'a>(restorer: &Restorer, batch: &'a Batch, returning: &[PackageRow]) -> ClosedClaims<'a> {
    let mut closed = ClosedClaims::default();
    let mut progress: BTreeMap<i32, Gain> = BTreeMap::new();
    closed.restored = returning.iter().map(|package| package.id.0).collect();
    closed.ended.clone_from(&closed.restored);
    for (claim, verdict) in &batch.members {
        let gain = progress.entry(claim.order.0).or_default();
        match verdict {
            Verdict::Restore | Verdict::Done => {
                gain.restored += i64::from(counts(claim));
                if *verdict == Verdict::Restore {
                    gain.bytes += batch.files.bytes.get(&claim.id).copied().unwrap_or_default();
                } else {
                    closed.ended.push(claim.id.0);
                }
            }
            Verdict::Gone => {
                gain.failed += i64::from(counts(claim));
                closed.ended.push(claim.id.0);
            }
            Verdict::Fail(reason) => {
                gain.failed += i64::from(counts(claim));
                closed.ended.push(claim.id.0);
                closed.failed.push((claim.id.0, claim.order.0, reason));
            }
            Verdict::Retry(_) => {
                let delay = restorer.limits.retry_delay(claim.attempts + 1);
                closed.retried.push((claim.id.0, delay.as_secs_f64()));
            }
            Verdict::Blocked => closed.blocked.push(claim.id.0),
        }
    }
    // A folder above that an order holds for itself is done with it.
    let members: HashSet<PackageId> = batch.members.iter().map(|(claim, _)| claim.id).collect();
    for package in returning.iter().filter(|package| !members.contains(&package.id)) {
        let Some(order) = batch.above.get(&package.id).and_then(|ancestor| ancestor.order) else { continue };
        progress.entry(order.0).or_default().restored += i64::from(order != package.id);
    }
    closed.progress = progress.into_iter().collect();
    closed
}

/// A folder's order counts what lies beneath it, and not the folder.
fn counts(claim: &Claim) -> bool {
    let is_collection = claim.package.as_ref().is_some_and(|package| package.kind.is_collection());
    claim.id != claim.order || !is_collection
}

impl RestoredPackage<'_> {
    /// The name it had before it was deleted, where it could not have that back.
    pub(super) fn original_name(&self) -> Option<&str> {
        Some(name::original_name(&self.package.name, &self.package.node_id))
            .filter(|original| *original != self.name)
    }
}
