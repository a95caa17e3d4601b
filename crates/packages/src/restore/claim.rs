//! Step one: what belongs to this restore, marked RESTORING in one short transaction.

use std::time::SystemTime;

use super::message::Message;
use crate::{
    db::{
        self, Db, Tx,
        files::{StoredFile, list_stored},
        lock_dataset,
        orders::forget_purged,
        packages::PackageRow,
        restores::{claim_ancestors, claim_tree, close, find_landing, lock_target, now, release},
    },
    id::{PackageId, WorkspaceId},
    package::State,
};

/// What one restore brings back.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The folder that the target lies in, if any.
    pub parent: Option<PackageId>,
    /// The deleted folders above the target.
    pub above: Vec<PackageRow>,
    /// The target and what lies beneath it, the target first.
    pub tree: Vec<PackageRow>,
    /// The stored files of the tree's packages, published ones excepted.
    pub files: Vec<StoredFile>,
    /// When all of it was marked, by the database's clock.
    pub claimed_at: SystemTime,
}

impl Plan {
    /// The primary keys of all packages in the plan.
    #[must_use]
    pub fn ids(&self) -> Vec<i32> {
        self.above.iter().chain(&self.tree).map(|package| package.id.0).collect()
    }
}

/// Whether there is anything to do. The message alone is no order: it may be stale, repeated or forged. A package that
/// is RESTORING is to be restored; one in any other state only while its order is on record, which is how a folder is
/// taken up again that another restore, of something in it, has made READY meanwhile.
fn is_wanted(state: State, ordered: bool) -> bool {
    state == State::Restoring || (ordered && (state == State::Deleted || state.is_live()))
}

/// Marks what belongs to the message's restore and says what that is; `None` when it is done, or was never ordered, or
/// cannot be done because somebody deletes the package or the folder it lies in. A second claim answers the same plan,
/// less what has come back since.
pub async fn claim(db: &Db, message: &Message) -> Result<Option<Plan>, db::Error> {
    let mut session = db.session().await?;
    let tx = session.begin().await?;
    let Message { workspace, dataset, .. } = *message;
    lock_dataset(&tx, workspace, dataset).await?;
    let named = (message.package.id, &message.package.node_id);
    let Some((target, ordered)) = lock_target(&tx, workspace, dataset, named).await? else {
        drop(tx);
        drop(session);
        forget_purged(db, workspace).await?;
        return Ok(None);
    };
    if !is_wanted(target.state, ordered) {
        if ordered {
            end(&tx, message, &[], "it is being deleted").await?;
            tx.commit().await?;
        }
        return Ok(None);
    }

    let above = match target.parent_id {
        Some(parent) => claim_ancestors(&tx, workspace, dataset, parent).await?,
        None => Vec::new(),
    };
    let mut tree = claim_tree(&tx, workspace, dataset, target.id).await?;
    tree.sort_by_key(|package| (package.id != target.id, package.id));
    let claimed_at = now(&tx).await?;
    let plan = Plan { parent: target.parent_id, above, tree, files: Vec::new(), claimed_at };
    if !has_landing(&tx, workspace, plan.parent).await? {
        end(&tx, message, &plan.ids(), "the folder it lies in is being deleted").await?;
        tx.commit().await?;
        return Ok(None);
    }
    let tree: Vec<i32> = plan.tree.iter().map(|package| package.id.0).collect();
    let files = list_stored(&tx, workspace, &tree).await?;
    tx.commit().await?;
    Ok(Some(Plan { files, ..plan }))
}

/// Whether what comes back would be seen: the folders above come back too, or are live.
pub(super) async fn has_landing(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    parent: Option<PackageId>,
) -> Result<bool, db::Error> {
    let Some(parent) = parent else { return Ok(true) };
    Ok(find_landing(tx, workspace, parent).await?.is_none_or(State::is_live))
}

/// Ends a restore without anything having come back: these packages go to the trash, the reason stays.
pub(super) async fn end(
    tx: &Tx<'_>,
    message: &Message,
    packages: &[i32],
    reason: &str,
) -> Result<(), db::Error> {
    let target = message.package.id;
    release(tx, message.workspace, packages).await?;
    close(tx, message.workspace, target, &[], (&[target.0], &[reason])).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_without_an_order_moves_only_what_is_restoring() {
        assert!(is_wanted(State::Restoring, false));
        for state in [State::Deleted, State::Deleting, State::Ready, State::Unavailable, State::Other] {
            assert!(!is_wanted(state, false), "{state:?}");
        }
    }

    #[test]
    fn an_order_on_record_is_carried_out_unless_the_package_is_being_deleted() {
        for state in [State::Restoring, State::Deleted, State::Ready] {
            assert!(is_wanted(state, true), "{state:?}");
        }
        assert!(!is_wanted(State::Deleting, true));
    }
}
