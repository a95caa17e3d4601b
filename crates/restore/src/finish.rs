//! Finishing a batch: names, states, counters, claims and the outbox, in one short transaction.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::SystemTime,
};

use crate::{
    batch::{Batch, BatchMember, Verdict, is_deleted},
    db::{
        claim_updates::{ClaimUpdates, FailedClaim, OrderChange, RetriedClaim, update_claims},
        claims::Claim,
        orders::list_order_users,
        outbox::add_entries,
        packages::PackageRow,
        restores::{list_unchanged_claims, lock_packages},
        usage::{add_usage, list_live_descendants, lock_live_ancestors},
    },
    names::restore_names,
    outbox_delivery::{RestoredPackage, build_entries},
    recheck::{LockedPackages, recheck_folders, recheck_members},
    restorer::{MAX_ATTEMPTS, Restorer},
    usage::{UsageNode, compute_usage_change},
};
use database::{self, Transaction};
use packages::id::{DatasetKey, PackageId};
use storage::UndeleteErrors;

/// How many packages of a batch came back, folders above included, and how many stay in the trash.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BatchCounts {
    pub(super) restored: usize,
    pub(super) failed: usize,
}

/// Changes verdicts by S3's responses. A package whose file S3 refuses permanently stays in the trash. One whose file could
/// not be undeleted this time is tried again. A derived file alone keeps no package in the trash.
pub(super) fn apply_storage_errors(batch: &mut Batch, errors: &UndeleteErrors) {
    for BatchMember { claim, verdict } in &mut batch.members {
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

/// Restores what can be restored of the batch, and ends the claims that are decided.
///
/// Locks: live folders above, then the batch's packages, each by id, then counters, claims, failures and orders. The platform
/// deletes from the top down too, so no two transactions wait for each other.
pub(super) async fn finish_batch(
    restorer: &Restorer,
    key: DatasetKey,
    mut batch: Batch,
) -> Result<BatchCounts, database::Error> {
    let mut session = restorer.db.session().await?;
    let mut tx = session.begin().await?;
    let live_ancestors = lock_live_ancestors(&tx, key.workspace, &batch.possibly_live_folders()).await?;
    let locked = lock_batch(&tx, key, &batch).await?;
    recheck_members(&mut batch, &locked);
    recheck_folders(&mut batch, &locked, &live_ancestors);

    let returning = select_returning(&batch, &locked);
    // Before the names: with its name a package is live.
    let live_descendants = load_live_descendants(&tx, key, &returning).await?;
    let names = restore_names(&mut tx, key.workspace, &returning).await?;
    if !returning.is_empty() {
        let restored = build_usage_nodes(&batch, &returning);
        let change = compute_usage_change(&restored, &live_descendants, &live_ancestors);
        add_usage(&tx, key, &change).await?;
    }
    let finished = FinishedBatch { batch: &batch, returning: &returning, names: &names };
    finished.record_deliveries(restorer, &tx, key).await?;
    let updates = build_claim_updates(restorer, &batch, &returning);
    update_claims(&tx, key.workspace, &updates).await?;
    let counts = BatchCounts { restored: returning.len(), failed: updates.failed.len() };
    tx.commit().await?;
    Ok(counts)
}

/// Locks the packages of the batch, whatever their verdicts, and the folders that come back with it.
async fn lock_batch(
    tx: &Transaction<'_>,
    key: DatasetKey,
    batch: &Batch,
) -> Result<LockedPackages, database::Error> {
    let members = batch.members.iter().map(|BatchMember { claim, .. }| (claim.id, claim.claimed_at));
    let ancestors = batch.returning_ancestors().into_iter();
    let ancestors = ancestors.filter_map(|ancestor| Some((ancestor.package.id, ancestor.claimed_at?)));
    let claims: Vec<(PackageId, SystemTime)> = members.chain(ancestors).collect();
    let ids: Vec<i32> = claims.iter().map(|(id, _)| id.0).collect();
    let packages = lock_packages(tx, key.workspace, &ids).await?;
    let unchanged = list_unchanged_claims(tx, key.workspace, &claims).await?;
    Ok(LockedPackages {
        packages: packages.into_iter().map(|package| (package.id, package)).collect(),
        unchanged: unchanged.into_iter().collect(),
    })
}

/// The packages that come back, as they are now, each folder before what is in it: the folders above, then the members.
fn select_returning(batch: &Batch, locked: &LockedPackages) -> Vec<PackageRow> {
    let mut ancestors = batch.returning_ancestors();
    ancestors.reverse();
    let ancestors = ancestors.into_iter().map(|ancestor| ancestor.package.id);
    let members = batch.members.iter().filter(|BatchMember { verdict, .. }| *verdict == Verdict::Restore);
    let ids = ancestors.chain(members.map(|BatchMember { claim, .. }| claim.id));
    ids.filter_map(|id| locked.get_unchanged(id).filter(|package| is_deleted(package.state)).cloned())
        .collect()
}

/// What is live beneath the folders that come back.
async fn load_live_descendants(
    tx: &Transaction<'_>,
    key: DatasetKey,
    returning: &[PackageRow],
) -> Result<Vec<UsageNode>, database::Error> {
    let folders = returning.iter().filter(|package| package.kind.is_collection());
    let folders: Vec<i32> = folders.map(|package| package.id.0).collect();
    if folders.is_empty() {
        return Ok(Vec::new());
    }
    list_live_descendants(tx, key.workspace, &folders).await
}

fn build_usage_nodes(batch: &Batch, returning: &[PackageRow]) -> Vec<UsageNode> {
    let to_node = |package: &PackageRow| UsageNode {
        id: package.id,
        parent: package.parent_id,
        bytes: batch.files.bytes.get(&package.id).copied().unwrap_or_default(),
    };
    returning.iter().map(to_node).collect()
}

/// A batch whose packages have their names and states.
struct FinishedBatch<'a> {
    batch: &'a Batch,
    /// The packages that came back, as they were.
    returning: &'a [PackageRow],
    /// Their names now.
    names: &'a HashMap<PackageId, String>,
}

impl FinishedBatch<'_> {
    /// Adds the restored packages to the outbox, by the people who ordered them.
    async fn record_deliveries(
        &self,
        restorer: &Restorer,
        tx: &Transaction<'_>,
        key: DatasetKey,
    ) -> Result<(), database::Error> {
        let Self { batch, returning, names } = self;
        if returning.is_empty() || !restorer.has_deliveries() {
            return Ok(());
        }
        let orders: HashMap<PackageId, PackageId> =
            batch.members.iter().map(|member| (member.claim.id, member.claim.order)).collect();
        let distinct: HashSet<i32> = orders.values().map(|order| order.0).collect();
        let distinct: Vec<i32> = distinct.into_iter().collect();
        let users: HashMap<PackageId, String> =
            list_order_users(tx, key.workspace, &distinct).await?.into_iter().collect();
        // A folder above may come back for several people; one of them stands for all.
        let any_user = users.values().min().cloned().unwrap_or_default();
        let mut restored: BTreeMap<&str, Vec<RestoredPackage<'_>>> = BTreeMap::new();
        for package in *returning {
            let user = orders.get(&package.id).and_then(|order| users.get(order)).unwrap_or(&any_user);
            let Some(name) = names.get(&package.id) else { continue };
            restored.entry(user).or_default().push(RestoredPackage { package, name });
        }
        let entries = build_entries(restorer, key, &restored);
        add_entries(tx, key.workspace, &entries).await
    }
}

/// Sums up the batch for the claims and the orders.
fn build_claim_updates<'a>(
    restorer: &Restorer,
    batch: &'a Batch,
    returning: &[PackageRow],
) -> ClaimUpdates<'a> {
    let mut updates = ClaimUpdates {
        restored: returning.iter().map(|package| package.id.0).collect(),
        ..ClaimUpdates::default()
    };
    updates.ended.clone_from(&updates.restored);
    for member in &batch.members {
        add_member(&mut updates, restorer, batch, member);
    }
    // A folder above counts for the order that holds it, unless it is that order's own.
    let members: HashSet<PackageId> =
        batch.members.iter().map(|BatchMember { claim, .. }| claim.id).collect();
    for package in returning.iter().filter(|package| !members.contains(&package.id)) {
        let order = batch.ancestors.get(&package.id).and_then(|ancestor| ancestor.order);
        let Some(order) = order else { continue };
        updates.orders.entry(order.0).or_default().restored += i64::from(order != package.id);
    }
    updates
}

fn add_member<'a>(
    updates: &mut ClaimUpdates<'a>,
    restorer: &Restorer,
    batch: &Batch,
    BatchMember { claim, verdict }: &'a BatchMember,
) {
    let (package, order) = (claim.id.0, claim.order.0);
    let counted = i64::from(is_counted(claim));
    let change: &mut OrderChange = updates.orders.entry(order).or_default();
    match verdict {
        Verdict::Restore => {
            change.restored += counted;
            change.bytes += batch.files.bytes.get(&claim.id).copied().unwrap_or_default();
        }
        Verdict::Done => {
            change.restored += counted;
            updates.ended.push(package);
        }
        Verdict::Gone => {
            change.failed += counted;
            updates.ended.push(package);
        }
        Verdict::Fail(reason) => {
            change.failed += counted;
            updates.ended.push(package);
            updates.failed.push(FailedClaim { package, order, reason });
        }
        Verdict::Retry(_) => {
            let delay_seconds = restorer.limits.retry_delay(claim.attempts + 1).as_secs_f64();
            updates.retried.push(RetriedClaim { package, delay_seconds });
        }
        Verdict::Blocked => updates.blocked.push(package),
    }
}

/// A folder's order counts what is beneath the folder, and not the folder.
fn is_counted(claim: &Claim) -> bool {
    let is_collection = claim.package.as_ref().is_some_and(|package| package.kind.is_collection());
    claim.id != claim.order || !is_collection
}
