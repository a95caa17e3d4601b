//! Giving names back.

use std::collections::HashMap;

use uuid::Uuid;

use crate::db::packages::PackageRow;
use crate::db::restores::{assign_names, find_free_names};
use database::{self, Db, Transaction};
use packages::{
    id::{PackageId, WorkspaceId},
    name,
};

/// How often the names are tried again when an upload takes one of them between our look and our update.
const MAX_RACES: usize = 10;

/// Gives every package its original name or, where that is taken, the first free candidate after it, and makes it READY.
/// Answers the names.
pub(super) async fn give_names(
    tx: &mut Transaction<'_>,
    workspace: WorkspaceId,
    packages: &[PackageRow],
) -> Result<HashMap<PackageId, String>, database::Error> {
    let mut rounds = NameRounds::new(packages);
    while let Some((ids, names)) = rounds.next_round() {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        rounds.accept(assign_racing(tx, workspace, &ids, &names).await?);
    }
    Ok(rounds.given)
}

/// What names packages would get, if they were restored now. The packages are asked for all together, so that two of the same
/// name get different ones.
pub(super) async fn preview_names(
    db: &Db,
    workspace: WorkspaceId,
    packages: &[PackageRow],
) -> Result<HashMap<PackageId, String>, database::Error> {
    let mut rounds = NameRounds::new(packages);
    while let Some((ids, names)) = rounds.next_round() {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        rounds.accept(find_free_names(db, workspace, &ids, &names).await?);
    }
    Ok(rounds.given)
}

/// One candidate after the other, for the packages that have no name yet.
struct NameRounds<'a> {
    open: Vec<&'a PackageRow>,
    given: HashMap<PackageId, String>,
    number: u32,
}

impl<'a> NameRounds<'a> {
    fn new(packages: &'a [PackageRow]) -> Self {
        // By id, much as the rows lie in the table: a batch in the order of keys would go through it at random.
        let mut open: Vec<&PackageRow> = packages.iter().collect();
        open.sort_unstable_by_key(|package| package.id);
        Self { open, given: HashMap::with_capacity(packages.len()), number: 0 }
    }

    /// The packages that are still open, and their next candidates; `None` when all have a name, or no candidate is left.
    fn next_round(&mut self) -> Option<(Vec<i32>, Vec<String>)> {
        if self.open.is_empty() || self.number > name::MAX_NAME_NUMBER + 1 {
            return None;
        }
        let number = self.number;
        self.number += 1;
        Some(self.open.iter().map(|package| (package.id.0, candidate(package, number))).unzip())
    }

    /// Takes down the names that packages have got.
    fn accept(&mut self, given: Vec<(PackageId, String)>) {
        self.given.extend(given);
        self.open.retain(|package| !self.given.contains_key(&package.id));
    }
}

/// The original name first, then the numbered ones, at last one that nobody has.
fn candidate(package: &PackageRow, number: u32) -> String {
    let original = name::original_name(&package.name, &package.node_id);
    match number {
        0 => original.to_owned(),
        1..=name::MAX_NAME_NUMBER => name::numbered_name(original, package.kind, number),
        _ => name::unique_name(original, package.kind, Uuid::new_v4()),
    }
}

/// One round of names. The statement looks first, but an upload may commit the same name before our update does: then
/// the unique index refuses the whole round, and a new look sees the upload.
async fn assign_racing(
    tx: &mut Transaction<'_>,
    workspace: WorkspaceId,
    ids: &[i32],
    names: &[&str],
) -> Result<Vec<(PackageId, String)>, database::Error> {
    let mut races = 0;
    loop {
        let savepoint = tx.savepoint().await?;
        match assign_names(&savepoint, workspace, ids, names).await {
            Ok(given) => {
                savepoint.commit().await?;
                return Ok(given);
            }
            Err(error) if is_name_clash(&error) && races < MAX_RACES => races += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Whether a package's name is taken: one of the two unique indexes on names refused it.
fn is_name_clash(error: &database::Error) -> bool {
    error.unique_violation().is_some_and(|index| index.starts_with("packages_name_dataset_id_"))
}
