//! Restoring names.

use std::collections::HashMap;

use uuid::Uuid;

use crate::db::packages::PackageRow;
use crate::db::restores::{assign_names, list_free_names};
use database::{self, Db, Transaction};
use packages::{
    id::{PackageId, WorkspaceId},
    name,
};

/// How often names are tried again when an upload takes one of them between our look-up and our update.
const MAX_NAME_RETRIES: usize = 10;

/// Gives every package its original name or, where that is taken, the first free candidate after it, and makes it READY.
/// Returns the names.
pub(super) async fn restore_names(
    tx: &mut Transaction<'_>,
    workspace: WorkspaceId,
    packages: &[PackageRow],
) -> Result<HashMap<PackageId, String>, database::Error> {
    let mut rounds = NameRounds::new(packages);
    while let Some((ids, names)) = rounds.next_round() {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        rounds.accept_names(assign_names_with_retries(tx, workspace, &ids, &names).await?);
    }
    Ok(rounds.assigned)
}

/// The names that packages would get if they were restored now. All packages are looked up together, so two of the same
/// name get different ones.
pub(super) async fn preview_names(
    db: &Db,
    workspace: WorkspaceId,
    packages: &[PackageRow],
) -> Result<HashMap<PackageId, String>, database::Error> {
    let mut rounds = NameRounds::new(packages);
    while let Some((ids, names)) = rounds.next_round() {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        rounds.accept_names(list_free_names(db, workspace, &ids, &names).await?);
    }
    Ok(rounds.assigned)
}

/// One candidate after the other, for the packages that have no name yet.
struct NameRounds<'a> {
    open: Vec<&'a PackageRow>,
    assigned: HashMap<PackageId, String>,
    number: u32,
}

impl<'a> NameRounds<'a> {
    fn new(packages: &'a [PackageRow]) -> Self {
        // By id, which is about the order of the table's rows. In the order of keys a batch would read them at random.
        let mut open: Vec<&PackageRow> = packages.iter().collect();
        open.sort_unstable_by_key(|package| package.id);
        Self { open, assigned: HashMap::with_capacity(packages.len()), number: 0 }
    }

    /// The packages that are still open, and their next candidates. `None`: all have a name, or no candidate is left.
    fn next_round(&mut self) -> Option<(Vec<i32>, Vec<String>)> {
        if self.open.is_empty() || self.number > name::MAX_NAME_NUMBER + 1 {
            return None;
        }
        let number = self.number;
        self.number += 1;
        Some(self.open.iter().map(|package| (package.id.0, candidate_name(package, number))).unzip())
    }

    /// Records the names that packages got.
    fn accept_names(&mut self, assigned: Vec<(PackageId, String)>) {
        self.assigned.extend(assigned);
        self.open.retain(|package| !self.assigned.contains_key(&package.id));
    }
}

/// First the original name, then the numbered ones, finally a unique one.
fn candidate_name(package: &PackageRow, number: u32) -> String {
    let original = name::original_name(&package.name, &package.node_id);
    match number {
        0 => original.to_owned(),
        1..=name::MAX_NAME_NUMBER => name::numbered_name(original, package.kind, number),
        _ => name::unique_name(original, package.kind, Uuid::new_v4()),
    }
}

/// One round of names. The statement looks for free names, but an upload may commit the same name before our update does.
/// Then the unique index refuses the whole round, and the next look-up sees the upload.
async fn assign_names_with_retries(
    tx: &mut Transaction<'_>,
    workspace: WorkspaceId,
    ids: &[i32],
    names: &[&str],
) -> Result<Vec<(PackageId, String)>, database::Error> {
    let mut retries = 0;
    loop {
        let savepoint = tx.savepoint().await?;
        match assign_names(&savepoint, workspace, ids, names).await {
            Ok(assigned) => {
                savepoint.commit().await?;
                return Ok(assigned);
            }
            Err(error) if is_name_clash(&error) && retries < MAX_NAME_RETRIES => retries += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Whether a package's name is taken: one of the two unique indexes on names refused it.
fn is_name_clash(error: &database::Error) -> bool {
    error.unique_violation().is_some_and(|index| index.starts_with("packages_name_dataset_id_"))
}
