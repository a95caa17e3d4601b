//! The first half: from a person's wish to messages in the queue.

use std::collections::{HashMap, HashSet};

use super::message::{Message, Package};
use crate::{
    access::{CreateDeleteFiles, DatasetAccess},
    db::{
        self, Db,
        orders::{Ordered, forget_purged},
        packages::{Unfinished, list_unfinished},
    },
    id::{PackageId, PackageNodeId},
    queue::Queue,
};

/// What became of the wish, package by package.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Order {
    /// On their way, in the order in which they were asked for.
    pub success: Vec<PackageNodeId>,
    /// Not, and why.
    pub failures: Vec<Failure>,
}

/// A package that is not on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The id as it was asked for.
    pub id: PackageNodeId,
    /// Why, in words for the caller.
    pub error: String,
}

/// Why nothing was ordered at all.
#[derive(Debug)]
pub enum OrderError {
    /// The dataset is gone since the claims were made.
    NoDataset,
    /// Postgres.
    Db(db::Error),
}

impl From<db::Error> for OrderError {
    fn from(error: db::Error) -> Self {
        Self::Db(error)
    }
}

/// Orders packages of the caller's dataset. Each asked id is answered once, however often it was asked for; one that
/// is on its way already is a success and is ordered again, since a message may be run twice.
///
/// The states are committed before the first message leaves. What the queue did not take goes back to the trash.
pub async fn order(
    db: &Db,
    queue: &Queue,
    access: &DatasetAccess<CreateDeleteFiles>,
    asked: &[PackageNodeId],
) -> Result<Order, OrderError> {
    let mut seen = HashSet::new();
    let asked: Vec<PackageNodeId> = asked.iter().filter(|id| seen.insert(*id)).cloned().collect();
    let ordered = db::orders::order(db, access, &asked).await?.ok_or(OrderError::NoDataset)?;
    let messages: Vec<Message> = ordered.iter().map(|ordered| message(access, ordered)).collect();
    let unsent = queue.send(&messages).await;
    if !unsent.is_empty() {
        put_back(db, access, &ordered, &unsent).await?;
    }
    let sent = |ordered: &&Ordered| !unsent.contains(&ordered.package.id);
    let sent: HashSet<&PackageNodeId> = ordered.iter().filter(sent).map(|o| &o.package.node_id).collect();
    let known: HashSet<&PackageNodeId> = ordered.iter().map(|o| &o.package.node_id).collect();

    let mut order = Order::default();
    for id in asked {
        if sent.contains(&id) {
            order.success.push(id);
        } else {
            let error = if known.contains(&id) {
                format!("package {id} could not be queued; try again")
            } else {
                format!("deleted package {id} not found in dataset {}", access.dataset_node_id())
            };
            order.failures.push(Failure { id, error });
        }
    }
    Ok(order)
}

fn message(access: &DatasetAccess<CreateDeleteFiles>, ordered: &Ordered) -> Message {
    Message {
        workspace: access.workspace(),
        dataset: access.dataset(),
        user: access.user().to_string(),
        package: Package::from(&ordered.package),
    }
}

/// Only what this very order had moved: the rest belongs to an earlier order, which is still being worked on.
async fn put_back(
    db: &Db,
    access: &DatasetAccess<CreateDeleteFiles>,
    ordered: &[Ordered],
    unsent: &HashSet<PackageId>,
) -> Result<(), db::Error> {
    let back = |ordered: &&Ordered| ordered.moved && unsent.contains(&ordered.package.id);
    let ids: Vec<i32> = ordered.iter().filter(back).map(|ordered| ordered.package.id.0).collect();
    db::orders::put_back(db, access.workspace(), &ids).await
}

/// The messages of all restores that are not finished, for a queue that forgets with its process.
///
/// Each order on record is one. A package that is RESTORING without one (another service moved it) is one too, unless
/// it was moved along with something: it lies beneath an ordered folder, or something RESTORING lies beneath it.
pub async fn find_unfinished(db: &Db) -> Result<Vec<Message>, db::Error> {
    let mut messages = Vec::new();
    for workspace in db::packages::list_workspaces(db).await? {
        forget_purged(db, workspace).await?;
        let unfinished = list_unfinished(db, workspace).await?;
        let own = wanted_for_themselves(&unfinished);
        messages.extend(own.map(|unfinished| Message {
            workspace,
            dataset: unfinished.dataset,
            user: unfinished.user.clone(),
            package: Package::from(&unfinished.package),
        }));
    }
    Ok(messages)
}

fn wanted_for_themselves(unfinished: &[Unfinished]) -> impl Iterator<Item = &Unfinished> {
    let by_id: HashMap<PackageId, &Unfinished> = unfinished.iter().map(|u| (u.package.id, u)).collect();
    let parents: HashSet<PackageId> = unfinished.iter().filter_map(|u| u.package.parent_id).collect();
    unfinished.iter().filter(move |u| {
        u.ordered || (!parents.contains(&u.package.id) && !lies_beneath_an_order(u.package.parent_id, &by_id))
    })
}

fn lies_beneath_an_order(parent: Option<PackageId>, by_id: &HashMap<PackageId, &Unfinished>) -> bool {
    let above = |id: &PackageId| by_id.get(id).and_then(|u| u.package.parent_id);
    let ancestors = std::iter::successors(parent, above).take(by_id.len());
    ancestors.filter_map(|id| by_id.get(&id)).any(|u| u.ordered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        db::packages::PackageRow,
        id::DatasetId,
        package::{Kind, State},
    };

    fn unfinished(id: i32, parent: Option<i32>, ordered: bool) -> Unfinished {
        let package = PackageRow {
            id: PackageId(id),
            node_id: PackageNodeId::parse(&format!("N:package:{id}")).unwrap(),
            name: String::new(),
            parent_id: parent.map(PackageId),
            kind: Kind::COLLECTION,
            state: State::Restoring,
        };
        Unfinished { dataset: DatasetId(1), user: String::new(), ordered, package }
    }

    fn ids(unfinished: &[Unfinished]) -> Vec<i32> {
        wanted_for_themselves(unfinished).map(|u| u.package.id.0).collect()
    }

    #[test]
    fn what_was_moved_along_is_not_ordered_again() {
        let file_in_folder = [unfinished(1, None, false), unfinished(2, Some(1), true)];
        assert_eq!(ids(&file_in_folder), [2], "the folder above comes with the file, its other files do not");
        let folder =
            [unfinished(1, None, true), unfinished(2, Some(1), false), unfinished(3, Some(2), false)];
        assert_eq!(ids(&folder), [1]);
        let both = [unfinished(1, None, true), unfinished(2, Some(1), true)];
        assert_eq!(ids(&both), [1, 2]);
    }

    #[test]
    fn what_nobody_here_ordered_is_taken_up_from_below() {
        let moved_elsewhere =
            [unfinished(1, None, false), unfinished(2, Some(1), false), unfinished(3, Some(1), false)];
        assert_eq!(ids(&moved_elsewhere), [2, 3]);
        let cycle = [unfinished(1, Some(2), false), unfinished(2, Some(1), false)];
        assert!(ids(&cycle).is_empty());
    }
}
