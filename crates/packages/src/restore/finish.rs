//! Step three: names, states and counters, in one transaction; and what happens when there will be no more attempts.

use std::collections::HashMap;

use uuid::Uuid;

use super::{
    Reasons, Stopped,
    claim::{Plan, claim, end, has_landing},
    message::Message,
};
use crate::{
    db::{
        self, Db, Tx, lock_dataset,
        orders::was_ordered_since,
        packages::PackageRow,
        restores::{claim_ancestors, close, lock, release, settle},
        usage::count_restored,
    },
    id::{PackageId, WorkspaceId},
    name,
    package::State,
};

/// How often the names are tried again when an upload takes one of them between our look and our update.
const RACES: usize = 10;

/// What a restore has brought back.
#[derive(Debug, Clone, Default)]
pub struct Finished {
    /// The packages that are READY now, in the plan's order.
    pub restored: Vec<Restored>,
    /// How many of the plan are not.
    pub failed: usize,
}

/// A package that came back.
#[derive(Debug, Clone)]
pub struct Restored {
    /// The package as it was in the trash.
    pub package: PackageRow,
    /// The name that it has now.
    pub name: String,
}

impl Restored {
    /// The name it had before it was deleted, where it could not have that back.
    #[must_use]
    pub fn original_name(&self) -> Option<&str> {
        Some(name::original(&self.package.name, &self.package.node_id))
            .filter(|original| *original != self.name)
    }
}

/// Gives back everything of the plan that has no reason against it; the rest returns to the trash with its reason.
pub async fn finish(db: &Db, message: &Message, plan: &Plan, reasons: &Reasons) -> Result<Finished, Stopped> {
    let mut session = db.session().await?;
    let mut tx = session.begin().await?;
    let Message { workspace, dataset, ref package, .. } = *message;
    lock_dataset(&tx, workspace, dataset).await?;

    let packages = returning(&tx, message, plan, reasons).await?;
    if is_outdated(&tx, workspace, plan, &packages).await? {
        return Err(Stopped::Overtaken);
    }
    let names = settle_all(&mut tx, workspace, &packages).await?;
    let ready: Vec<i32> = packages.iter().map(|package| package.id.0).collect();
    if !ready.is_empty() {
        count_restored(&tx, workspace, dataset, &ready).await?;
    }
    release(&tx, workspace, &plan.ids()).await?;
    let (failed, why): (Vec<i32>, Vec<&str>) =
        reasons.iter().map(|(id, reason)| (id.0, reason.as_str())).unzip();
    close(&tx, workspace, package.id, &ready, (&failed, &why)).await?;
    tx.commit().await?;

    let restored =
        |package: PackageRow| names.get(&package.id).map(|name| Restored { name: name.clone(), package });
    Ok(Finished { restored: packages.into_iter().filter_map(restored).collect(), failed: failed.len() })
}

/// What of the plan comes back, as it is now, locked: the tree without its failures and, if there is anything of it, the
/// deleted folders above. What another run has brought back, or somebody deletes again, is left alone.
async fn returning(
    tx: &Tx<'_>,
    message: &Message,
    plan: &Plan,
    reasons: &Reasons,
) -> Result<Vec<PackageRow>, Stopped> {
    let wanted = plan.tree.iter().map(|package| package.id).filter(|id| !reasons.contains_key(id));
    let wanted: Vec<i32> = wanted.map(|id| id.0).collect();
    let mut tree = lock(tx, message.workspace, &wanted).await?;
    if tree.iter().any(|package| package.state == State::Deleted && !package.kind.is_collection()) {
        return Err(Stopped::Overtaken);
    }
    tree.retain(|package| matches!(package.state, State::Restoring | State::Deleted));
    let mut packages = match plan.parent {
        Some(parent) if !tree.is_empty() => {
            claim_ancestors(tx, message.workspace, message.dataset, parent).await?
        }
        _ => Vec::new(),
    };
    if !tree.is_empty() && !has_landing(tx, message.workspace, plan.parent).await? {
        return Err(Stopped::Overtaken);
    }
    tree.sort_by_key(|package| (package.id != message.package.id, package.id));
    packages.extend(tree);
    Ok(packages)
}

/// Whether something of the plan was deleted and ordered again since it was claimed. It is RESTORING then as if nothing
/// had happened, but its objects have newer delete markers than those that were removed.
async fn is_outdated(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    plan: &Plan,
    packages: &[PackageRow],
) -> Result<bool, db::Error> {
    let mut ids = plan.ids();
    ids.extend(packages.iter().map(|package| package.id.0));
    was_ordered_since(tx, workspace, &ids, plan.claimed_at).await
}

/// Gives every package its original name or, where that is taken, the first free candidate after it.
async fn settle_all(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    packages: &[PackageRow],
) -> Result<HashMap<PackageId, String>, db::Error> {
    let mut settled = HashMap::with_capacity(packages.len());
    let mut open: Vec<(i32, &str)> = packages
        .iter()
        .map(|package| (package.id.0, name::original(&package.name, &package.node_id)))
        .collect();
    for number in 0..=name::LAST_NUMBER + 1 {
        let ids: Vec<i32> = open.iter().map(|(id, _)| *id).collect();
        let names: Vec<String> = open.iter().map(|(_, original)| candidate(original, number)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let given = settle_racing(tx, workspace, &ids, &names).await?;
        settled.extend(given);
        open.retain(|(id, _)| !settled.contains_key(&PackageId(*id)));
        if open.is_empty() {
            break;
        }
    }
    Ok(settled)
}

/// The original name first, then the numbered ones, at last one that nobody has.
fn candidate(original: &str, number: u32) -> String {
    match number {
        0 => original.to_owned(),
        1..=name::LAST_NUMBER => name::numbered(original, number),
        _ => name::unique(original, Uuid::new_v4()),
    }
}

/// One round of names. The statement looks first, but an upload may commit the same name before our update does: then
/// the unique index refuses the whole round, and a new look sees the upload.
async fn settle_racing(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    ids: &[i32],
    names: &[&str],
) -> Result<Vec<(PackageId, String)>, db::Error> {
    let mut races = 0;
    loop {
        let savepoint = tx.savepoint().await?;
        match settle(&savepoint, workspace, ids, names).await {
            Ok(given) => {
                savepoint.commit().await?;
                return Ok(given);
            }
            Err(error) if error.is_name_clash() && races < RACES => races += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Ends a restore that has no attempt left: what it had claimed is in the trash again, with the reason, and can be
/// ordered anew. Undeleted objects stay undeleted; the next restore finds them so.
pub async fn give_up(db: &Db, message: &Message, reason: &str) -> Result<(), db::Error> {
    let Some(plan) = claim(db, message).await? else { return Ok(()) };
    let mut session = db.session().await?;
    let tx = session.begin().await?;
    lock_dataset(&tx, message.workspace, message.dataset).await?;
    end(&tx, message, &plan.ids(), reason).await?;
    tx.commit().await?;
    metrics::counter!("restores_given_up_total").increment(1);
    Ok(())
}
