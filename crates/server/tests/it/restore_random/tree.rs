//! A random tree, what happened to it, and the invariants at the end.

use std::collections::{BTreeMap, BTreeSet};

use local::workspace::{NewPackage, Package, SourceFile};
use packages::id::PackageId;
use serde_json::Value;

use super::seeded::SeededRandom;
use crate::app::{STORAGE, TestApp, new_uuid};

pub(super) struct RandomTree {
    packages: Vec<Node>,
    /// Packages that S3 refuses to undelete, or may have refused.
    refused: BTreeSet<PackageId>,
    /// Packages that were deleted after the first order.
    deleted: BTreeSet<PackageId>,
    ordered: BTreeSet<PackageId>,
    pub(super) stops: u64,
    pub(super) deletions: u64,
}

struct Node {
    package: Package,
    parent: Option<PackageId>,
    key: Option<String>,
    was_deleted: bool,
}

/// The current row of a package.
struct PackageRow {
    state: String,
    name: String,
}

impl RandomTree {
    /// Creates a tree and deletes parts of it, in several deletions.
    pub(super) async fn create(app: &TestApp, random: &mut SeededRandom) -> Self {
        clear_workspace(app).await;
        let mut packages: Vec<Node> = Vec::new();
        let mut folders: Vec<Option<PackageId>> = vec![None];
        for n in 0..3 + random.next_below(20) {
            let parent = *random.pick(&folders);
            let is_folder = random.next_below(3) == 0;
            let name = if random.next_below(4) == 0 { format!("{n}.txt") } else { format!("n{n}") };
            let key = (!is_folder && random.next_below(8) > 0)
                .then(|| format!("O{}/D{}/{}", app.workspace.id, app.dataset.id, new_uuid()));
            let new = match (&key, is_folder) {
                (Some(key), _) => {
                    app.store.put(STORAGE, key, vec![b'x'; n], "text/plain").unwrap();
                    NewPackage::file(parent, &name, SourceFile::new(STORAGE, key, i64::try_from(n).unwrap()))
                }
                (None, true) => NewPackage::collection(parent, &name),
                (None, false) => NewPackage { parent, name, kind: "ExternalFile", file: None },
            };
            let package = app.workspace.create_packages(&app.dataset, &[new]).await.unwrap().remove(0);
            if is_folder {
                folders.push(Some(package.id));
            }
            packages.push(Node { package, parent, key, was_deleted: false });
        }
        if random.next_below(3) == 0 {
            app.run_sql(r#"UPDATE "WORKSPACE".files SET size = NULL WHERE id % 3 = 0"#).await;
        }
        app.workspace.populate_usage().await.unwrap();
        app.clear_changelog();
        let mut tree = Self {
            packages,
            refused: BTreeSet::new(),
            deleted: BTreeSet::new(),
            ordered: BTreeSet::new(),
            stops: 0,
            deletions: 0,
        };
        for _ in 0..=random.next_below(4) {
            tree.delete_random_package(app, random).await;
        }
        tree.deleted.clear();
        tree.deletions = 0;
        let now = tree.load_rows(app).await;
        for node in &mut tree.packages {
            node.was_deleted = now[&node.package.id].state == "DELETED";
        }
        tree
    }

    /// Deletes a live package and all inside it, as the platform does.
    pub(super) async fn delete_random_package(&mut self, app: &TestApp, random: &mut SeededRandom) {
        let now = self.load_rows(app).await;
        let live: Vec<&Node> =
            self.packages.iter().filter(|node| now[&node.package.id].state == "READY").collect();
        if live.is_empty() {
            return;
        }
        let target = random.pick(&live).package.clone();
        app.trash_package(&target).await;
        self.deletions += 1;
        let inside: Vec<PackageId> =
            self.packages.iter().filter(|n| self.is_inside(n, target.id)).map(|n| n.package.id).collect();
        self.deleted.extend(inside);
    }

    fn is_inside(&self, node: &Node, folder: PackageId) -> bool {
        self.self_and_ancestors(node).any(|id| id == folder)
    }

    /// A package and the folders around it, innermost first.
    fn self_and_ancestors<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = PackageId> + 'a {
        let parent =
            |id: &PackageId| self.packages.iter().find(|n| n.package.id == *id).and_then(|n| n.parent);
        std::iter::successors(Some(node.package.id), parent)
    }

    /// Orders random packages in any state.
    pub(super) async fn order_random_packages(
        &mut self,
        app: &TestApp,
        token: &str,
        random: &mut SeededRandom,
    ) {
        let mut asked = Vec::new();
        for _ in 0..=random.next_below(3) {
            asked.push(random.pick(&self.packages).package.clone());
        }
        let ids: Vec<_> = asked.iter().map(|package| &package.node_id).collect();
        let response = app.order_restore(token, &ids).await;
        // The request may fail: a disturbance may just have ended its session.
        if response.status != 200 {
            return;
        }
        let success = response.json()["success"].clone();
        for package in asked {
            if success.as_array().unwrap().contains(&Value::String(package.node_id.to_string())) {
                self.ordered.insert(package.id);
                let newer: Vec<PackageId> = self
                    .packages
                    .iter()
                    .filter(|n| self.is_inside(n, package.id))
                    .map(|n| n.package.id)
                    .collect();
                self.deleted.retain(|id| !newer.contains(id));
            }
        }
    }

    pub(super) fn pick_key(&self, random: &mut SeededRandom) -> String {
        let keys: Vec<&String> = self.packages.iter().filter_map(|node| node.key.as_ref()).collect();
        if keys.is_empty() { "none".to_owned() } else { (*random.pick(&keys)).clone() }
    }

    /// Notes that S3 may refuse this key from now on.
    pub(super) fn expect_refusal(&mut self, key: &str) {
        let whose = self.packages.iter().filter(|node| node.key.as_deref() == Some(key));
        let whose: Vec<PackageId> = whose.map(|node| node.package.id).collect();
        self.refused.extend(whose);
    }

    pub(super) async fn count_restored(&self, app: &TestApp) -> usize {
        let now = self.load_rows(app).await;
        let is_back = |n: &&Node| n.was_deleted && now[&n.package.id].state == "READY";
        self.packages.iter().filter(is_back).count()
    }

    async fn load_rows(&self, app: &TestApp) -> BTreeMap<PackageId, PackageRow> {
        let sql = format!(r#"SELECT id, state, name FROM "{}".packages"#, app.workspace.id);
        let rows = app.workspace.client.query(&sql, &[]).await.unwrap();
        let now = |row: &tokio_postgres::Row| {
            (PackageId(row.get(0)), PackageRow { state: row.get(1), name: row.get(2) })
        };
        rows.iter().map(now).collect()
    }

    /// The first violated invariant; `None` if all hold.
    pub(super) async fn find_violation(&self, app: &TestApp) -> Option<String> {
        app.assert_nothing_pending().await;
        let now = self.load_rows(app).await;
        let events = app.read_changelog().0;
        let reported: BTreeSet<i64> =
            events.iter().filter_map(|event| event["eventDetail"]["id"].as_i64()).collect();
        for node in &self.packages {
            if let Some(violation) = self.find_package_violation(app, node, &now, &reported).await {
                return Some(format!("{} {violation}", node.package.id));
            }
        }
        let (counted, recount) =
            (app.workspace.load_usage().await.unwrap(), app.workspace.compute_usage().await.unwrap());
        let recount: BTreeMap<_, _> = recount.into_iter().filter(|(_, bytes)| *bytes != 0).collect();
        if counted != recount {
            return Some(format!("counted {counted:?}, recounted {recount:?}"));
        }
        find_count_violation(app).await
    }

    async fn find_package_violation(
        &self,
        app: &TestApp,
        node: &Node,
        now: &BTreeMap<PackageId, PackageRow>,
        reported: &BTreeSet<i64>,
    ) -> Option<String> {
        let PackageRow { state, name } = &now[&node.package.id];
        if let Some(key) = &node.key {
            let versions = app.store.list_versions(STORAGE, key);
            let objects = versions.iter().filter(|version| !version.delete_marker).count();
            if objects != 1 {
                return Some(format!("has {objects} object versions"));
            }
            if state == "READY" && versions[0].delete_marker {
                return Some("is READY, but hidden".to_owned());
            }
        }
        match state.as_str() {
            "READY" => self.find_ready_violation(node, name, now, reported),
            "DELETED" => self.find_deleted_violation(app, node, name).await,
            _ => Some(format!("is {state}")),
        }
    }

    fn find_ready_violation(
        &self,
        node: &Node,
        name: &str,
        now: &BTreeMap<PackageId, PackageRow>,
        reported: &BTreeSet<i64>,
    ) -> Option<String> {
        if name.contains("__DELETED__") {
            return Some(format!("is READY as {name}"));
        }
        if let Some(above) = self.self_and_ancestors(node).find(|id| now[id].state != "READY") {
            return Some(format!("is READY inside {above}, which is {}", now[&above].state));
        }
        let is_told = reported.contains(&i64::from(node.package.id.0));
        (node.was_deleted && !is_told).then(|| "is restored, but not in the changelog".to_owned())
    }

    /// A package may be in the trash only if it was not ordered, was deleted again, or was refused by S3.
    async fn find_deleted_violation(&self, app: &TestApp, node: &Node, name: &str) -> Option<String> {
        if !name.starts_with("__DELETED__") {
            return Some(format!("is DELETED as {name}"));
        }
        let is_ordered = self.self_and_ancestors(node).any(|id| self.ordered.contains(&id));
        let is_excused =
            self.self_and_ancestors(node).any(|id| self.deleted.contains(&id) || self.refused.contains(&id));
        if !is_ordered || is_excused {
            return None;
        }
        let sql = "SELECT reason FROM packages_service.restore_failures WHERE workspace_id = $1 AND package_id = $2";
        let params = [&app.workspace.id.0, &node.package.id.0];
        let reason: Option<String> = app
            .workspace
            .client
            .query_opt(sql, &[&params[0], &params[1]])
            .await
            .unwrap()
            .map(|row| row.get(0));
        Some(format!("was ordered and is in the trash: {reason:?}"))
    }
}

/// Each order is finished, and its total is the sum of restored and failed packages.
async fn find_count_violation(app: &TestApp) -> Option<String> {
    let sql = "SELECT package_id, total, restored, failed, finished_at IS NOT NULL FROM packages_service.restore_orders
               WHERE workspace_id = $1 AND (finished_at IS NULL OR total <> restored + failed)";
    let rows = app.workspace.client.query(sql, &[&app.workspace.id.0]).await.unwrap();
    let row = rows.first()?;
    let [total, restored, failed]: [i64; 3] = [row.get(1), row.get(2), row.get(3)];
    let (id, is_over): (i32, bool) = (row.get(0), row.get(4));
    Some(format!("order {id}: {restored} restored and {failed} failed of {total}, over: {is_over}"))
}

/// Removes the rows of the previous round.
async fn clear_workspace(app: &TestApp) {
    app.run_sql(
        r#"DELETE FROM "WORKSPACE".files; DELETE FROM "WORKSPACE".packages;
           DELETE FROM "WORKSPACE".dataset_storage;
           DELETE FROM pennsieve.organization_storage WHERE organization_id = WORKSPACE;
           DELETE FROM packages_service.restore_orders WHERE workspace_id = WORKSPACE;
           DELETE FROM packages_service.restore_failures WHERE workspace_id = WORKSPACE"#,
    )
    .await;
}
