//! Telling others what came back: the changelog, and the records of deletions. What is to be told is written down with the
//! commit that makes it true, and delivered afterwards, at least once, until it has been.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use uuid::Uuid;

use crate::Restorer;
use crate::db::packages::PackageRow;
use crate::{
    changelog::{Changelog, Event, build_messages},
    db::outbox::{OutboxEntry, forget_messages, remove_entries, take_entries},
    deletions::DeleteRecords,
};
use packages::id::{DatasetKey, PackageNodeId, WorkspaceId};

/// Entries that are delivered together.
const ENTRIES: i64 = 10;

/// Packages in an entry that has no message for the changelog.
const PACKAGES: usize = 1000;

/// How long a delivery may take before another worker tries it.
const DELIVERY_TIMEOUT: Duration = Duration::from_mins(1);

/// A package that came back.
pub(super) struct RestoredPackage<'a> {
    /// As it was in the trash.
    pub(super) package: &'a PackageRow,
    /// The name that it has now.
    pub(super) name: &'a str,
}

impl Restorer {
    /// Whether anybody is told of restored packages.
    pub(super) fn has_audience(&self) -> bool {
        !matches!(self.changelog, Changelog::None) || !matches!(self.deletions, DeleteRecords::None)
    }
}

/// What is to be told of packages that came back, by the person who ordered them.
pub(super) fn build_entries(
    restorer: &Restorer,
    key: DatasetKey,
    restored: &BTreeMap<&str, Vec<RestoredPackage<'_>>>,
) -> Vec<OutboxEntry> {
    let has_records = !matches!(restorer.deletions, DeleteRecords::None);
    let mut entries = Vec::new();
    for (user, packages) in restored {
        if matches!(restorer.changelog, Changelog::None) {
            entries.extend(packages.chunks(PACKAGES).map(|packages| OutboxEntry {
                id: Uuid::new_v4(),
                message: None,
                record_node_ids: packages.iter().map(|r| r.package.node_id.to_string()).collect(),
            }));
            continue;
        }
        let events: Vec<Event> = packages.iter().map(event).collect();
        // Names and numbers can always be written.
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

fn event(restored: &RestoredPackage<'_>) -> Event {
    Event {
        id: restored.package.id,
        name: restored.name.to_owned(),
        original_name: restored.original_name().map(str::to_owned),
        node_id: restored.package.node_id.clone(),
    }
}

/// Delivers what is due, of one workspace or of all, until nothing is or a delivery fails: what failed is due again later.
/// Answers how many entries were delivered.
pub async fn deliver(restorer: &Restorer, workspace: Option<WorkspaceId>) -> Result<usize, database::Error> {
    let mut delivered = 0;
    loop {
        let entries = take_entries(&restorer.db, workspace, ENTRIES, DELIVERY_TIMEOUT).await?;
        if entries.is_empty() {
            return Ok(delivered);
        }
        let done = deliver_entries(restorer, &entries).await?;
        delivered += done;
        if done < entries.len() {
            metrics::counter!(metric_names::RESTORE_DELIVERIES_FAILED_TOTAL.name)
                .increment((entries.len() - done) as u64);
            return Ok(delivered);
        }
    }
}

async fn deliver_entries(restorer: &Restorer, entries: &[OutboxEntry]) -> Result<usize, database::Error> {
    let with_message: Vec<&OutboxEntry> = entries.iter().filter(|entry| entry.message.is_some()).collect();
    let messages: Vec<String> = with_message.iter().filter_map(|entry| entry.message.clone()).collect();
    let unsent = restorer.changelog.send(&messages).await;
    let unsent: HashSet<Uuid> =
        unsent.into_iter().filter_map(|place| Some(with_message.get(place)?.id)).collect();
    if !unsent.is_empty() {
        tracing::error!(messages = unsent.len(), "the changelog did not take messages; they are sent again");
    }
    let sent: Vec<&OutboxEntry> = entries.iter().filter(|entry| !unsent.contains(&entry.id)).collect();
    let ids: Vec<Uuid> = sent.iter().map(|entry| entry.id).collect();
    let node_ids = sent.iter().flat_map(|entry| &entry.record_node_ids);
    let packages: Vec<PackageNodeId> = node_ids.filter_map(|id| PackageNodeId::parse(id).ok()).collect();
    if let Err(error) = restorer.deletions.remove(&packages).await {
        tracing::error!(packages = packages.len(), %error, "records of deletion are not removed; tried again");
        forget_messages(&restorer.db, &ids).await?;
        return Ok(0);
    }
    remove_entries(&restorer.db, &ids).await?;
    Ok(ids.len())
}
