//! Delivering the outbox: messages about restored packages for the changelog, and the removal of their delete records. An
//! entry is written with the commit that restores the packages. It is delivered afterwards, at least once.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use uuid::Uuid;

use crate::{
    changelog::{Changelog, ChangelogEvent, build_messages},
    db::{
        outbox::{OutboxEntry, clear_messages, receive_entries, remove_entries},
        packages::PackageRow,
    },
    delete_records::DeleteRecords,
    restorer::Restorer,
};
use packages::{
    id::{DatasetKey, PackageNodeId, WorkspaceId},
    name,
};

/// Entries that are delivered together.
const MAX_ENTRIES_PER_ROUND: i64 = 10;

/// Packages in an entry without a message for the changelog.
const MAX_PACKAGES_PER_ENTRY: usize = 1000;

/// How long a delivery may take before another worker tries it.
const ENTRY_TIMEOUT: Duration = Duration::from_mins(1);

/// A package that came back.
pub(super) struct RestoredPackage<'a> {
    /// As it was in the trash.
    pub(super) package: &'a PackageRow,
    /// The name that it has now.
    pub(super) name: &'a str,
}

impl RestoredPackage<'_> {
    fn build_event(&self) -> ChangelogEvent {
        let original = name::original_name(&self.package.name, &self.package.node_id);
        ChangelogEvent {
            id: self.package.id,
            name: self.name.to_owned(),
            original_name: (original != self.name).then(|| original.to_owned()),
            node_id: self.package.node_id.clone(),
        }
    }
}

impl Restorer {
    /// Whether there is anything to deliver about restored packages.
    pub(super) fn has_deliveries(&self) -> bool {
        !matches!(self.changelog, Changelog::None) || !matches!(self.delete_records, DeleteRecords::None)
    }
}

/// Builds the entries for packages that came back, by the people who ordered them.
pub(super) fn build_entries(
    restorer: &Restorer,
    key: DatasetKey,
    restored: &BTreeMap<&str, Vec<RestoredPackage<'_>>>,
) -> Vec<OutboxEntry> {
    let has_records = !matches!(restorer.delete_records, DeleteRecords::None);
    let mut entries = Vec::new();
    for (user, packages) in restored {
        if matches!(restorer.changelog, Changelog::None) {
            entries.extend(packages.chunks(MAX_PACKAGES_PER_ENTRY).map(|packages| OutboxEntry {
                id: Uuid::new_v4(),
                message: None,
                record_node_ids: packages.iter().map(|r| r.package.node_id.to_string()).collect(),
            }));
            continue;
        }
        let events: Vec<ChangelogEvent> = packages.iter().map(RestoredPackage::build_event).collect();
        // Names and numbers always serialise.
        let messages = build_messages(key, user, &events, restorer.clock.now_utc()).unwrap_or_default();
        entries.extend(messages.into_iter().map(|message| OutboxEntry {
            id: message.id,
            message: Some(message.body),
            record_node_ids: if has_records {
                message.packages.into_iter().map(String::from).collect()
            } else {
                Vec::new()
            },
        }));
    }
    entries
}

/// Delivers the entries that are due, of one workspace or of all, until none is or a delivery fails. What failed is due
/// again later. Returns how many entries were delivered.
pub async fn deliver_outbox(
    restorer: &Restorer,
    workspace: Option<WorkspaceId>,
) -> Result<usize, database::Error> {
    let mut total = 0;
    loop {
        let entries = receive_entries(&restorer.db, workspace, MAX_ENTRIES_PER_ROUND, ENTRY_TIMEOUT).await?;
        if entries.is_empty() {
            return Ok(total);
        }
        let delivered = deliver_entries(restorer, &entries).await?;
        total += delivered;
        if delivered < entries.len() {
            let failed = (entries.len() - delivered) as u64;
            metrics::counter!(metric_names::RESTORE_DELIVERIES_FAILED_TOTAL.name).increment(failed);
            return Ok(total);
        }
    }
}

async fn deliver_entries(restorer: &Restorer, entries: &[OutboxEntry]) -> Result<usize, database::Error> {
    let unsent = send_messages(restorer, entries).await;
    if !unsent.is_empty() {
        tracing::error!(messages = unsent.len(), "the changelog did not take messages; they are sent again");
    }
    let sent: Vec<&OutboxEntry> = entries.iter().filter(|entry| !unsent.contains(&entry.id)).collect();
    let ids: Vec<Uuid> = sent.iter().map(|entry| entry.id).collect();
    let node_ids = sent.iter().flat_map(|entry| &entry.record_node_ids);
    let packages: Vec<PackageNodeId> = node_ids.filter_map(|id| PackageNodeId::parse(id).ok()).collect();
    if let Err(error) = restorer.delete_records.remove(&packages).await {
        tracing::error!(packages = packages.len(), %error, "delete records are not removed; tried again later");
        clear_messages(&restorer.db, &ids).await?;
        return Ok(0);
    }
    remove_entries(&restorer.db, &ids).await?;
    Ok(ids.len())
}

/// Sends the messages of entries. Returns the entries whose message was not accepted.
async fn send_messages(restorer: &Restorer, entries: &[OutboxEntry]) -> HashSet<Uuid> {
    let with_message = entries.iter().filter_map(|entry| Some((entry.id, entry.message.clone()?)));
    let (ids, messages): (Vec<Uuid>, Vec<String>) = with_message.unzip();
    let unsent = restorer.changelog.send(&messages).await;
    unsent.into_iter().filter_map(|index| ids.get(index).copied()).collect()
}
