//! Bringing packages back from the trash.
//!
//! [`order()`] moves packages to RESTORING and hands one [`Message`] each to the queue. Whoever takes a message from
//! the queue calls [`run`], which is four steps:
//!
//! 1. [`claim()`]: one short transaction marks the target, the deleted folders above it and what lies beneath it;
//! 2. [`undelete`](crate::objects::Objects::undelete): no transaction open, delete markers are removed in S3;
//! 3. [`finish()`]: one transaction gives names and states back, counts the bytes, closes the order;
//! 4. the changelog is told, and the [records of the deletions](crate::deletions) end.
//!
//! Each may be stopped anywhere and done again, at any time, also twice at once. What a step needs it reads again; an
//! order's row in `packages_service.restore_orders` says that it is not done yet, whatever the states say.

mod claim;
mod finish;
mod message;
mod order;

use std::{collections::HashMap, fmt};

pub use claim::{Plan, claim};
pub use finish::{Finished, Restored, finish, give_up};
pub use message::{Message, Package};
pub use order::{Failure, Order, OrderError, find_unfinished, order};

use crate::{
    changelog::{Changelog, Event},
    clock::Clock,
    db::{self, Db},
    deletions::DeletionRecords,
    id::{PackageId, PackageNodeId},
    objects::{Interrupted, Objects},
};

/// How often a message is tried before its order is given up.
pub const ATTEMPTS: u32 = 3;

/// Why an order was given up, in words for the packages' owner.
pub const NO_ANSWER: &str = "the storage or the database did not answer; restore it again later";

/// Why packages of a plan do not come back, in words for their owner.
pub type Reasons = HashMap<PackageId, String>;

/// What a restore works with.
#[derive(Debug, Clone)]
pub struct Restorer {
    /// Postgres.
    pub db: Db,
    /// S3.
    pub objects: Objects,
    /// Who is told about restored packages.
    pub changelog: Changelog,
    /// Where the platform keeps a record of each deleted package.
    pub deletions: DeletionRecords,
    /// The time that the changelog's events carry.
    pub clock: Clock,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// How many packages came back, folders included.
    pub restored: usize,
    /// How many could not, and are still in the trash.
    pub failed: usize,
}

/// A run that stopped half way: to be tried again, nothing is lost.
#[derive(Debug)]
pub enum Stopped {
    /// Postgres.
    Db(db::Error),
    /// S3.
    Objects(Interrupted),
    /// Something else put packages of the plan back into the trash meanwhile: a new claim takes them up again.
    Overtaken,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Db(error) => error.fmt(f),
            Self::Objects(error) => error.fmt(f),
            Self::Overtaken => f.write_str("packages of the plan were put back into the trash meanwhile"),
        }
    }
}

impl std::error::Error for Stopped {}

impl From<db::Error> for Stopped {
    fn from(error: db::Error) -> Self {
        Self::Db(error)
    }
}

impl From<Interrupted> for Stopped {
    fn from(error: Interrupted) -> Self {
        Self::Objects(error)
    }
}

/// Carries out one message, and counts it. An error says that the same message should come again.
pub async fn run(restorer: &Restorer, message: &Message) -> Result<Outcome, Stopped> {
    let ran = carry_out(restorer, message).await;
    match &ran {
        Ok(outcome) => count(*outcome),
        Err(_) => count_stopped(),
    }
    ran
}

fn count(Outcome { restored, failed }: Outcome) {
    metrics::counter!("restores_total", "outcome" => "finished").increment(1);
    metrics::counter!("restore_failed_packages_total").increment(failed as u64);
    #[expect(clippy::cast_precision_loss, reason = "packages of one dataset")]
    metrics::histogram!("restored_packages").record(restored as f64);
}

/// Counts a run that did not come to its end: for a host that breaks one off.
pub fn count_stopped() {
    metrics::counter!("restores_total", "outcome" => "stopped").increment(1);
}

async fn carry_out(restorer: &Restorer, message: &Message) -> Result<Outcome, Stopped> {
    let Some(plan) = claim(&restorer.db, message).await? else { return Ok(Outcome::default()) };
    let reasons = restorer.objects.undelete(&plan.files).await?;
    let finished = finish(&restorer.db, message, &plan, &reasons).await?;
    tokio::join!(
        announce(restorer, message, &finished.restored),
        forget_deletions(restorer, message, &finished.restored),
    );
    Ok(Outcome { restored: finished.restored.len(), failed: finished.failed })
}

/// Tells the changelog. The packages are back already, so a failure here is logged and never a second restore.
async fn announce(restorer: &Restorer, message: &Message, restored: &[Restored]) {
    let events: Vec<Event> = restored.iter().map(Event::restored).collect();
    if let Err(error) = restorer.changelog.announce(message, &events, restorer.clock.date()).await {
        tracing::error!(
            workspace = message.workspace.0, dataset = message.dataset.0, package = message.package.id.0,
            events = events.len(), %error, "the changelog was not told of restored packages",
        );
    }
}

/// Ends the records of the deletions. The packages are back and stay so: a record that is left misleads nobody here.
async fn forget_deletions(restorer: &Restorer, message: &Message, restored: &[Restored]) {
    let packages: Vec<PackageNodeId> =
        restored.iter().map(|restored| restored.package.node_id.clone()).collect();
    if let Err(error) = restorer.deletions.remove(&packages).await {
        tracing::error!(
            workspace = message.workspace.0, dataset = message.dataset.0, package = message.package.id.0,
            packages = packages.len(), %error, "records of deleted packages are left that are back",
        );
    }
}
