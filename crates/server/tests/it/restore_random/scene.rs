//! A random tree, what was done to it, and what must be true of it in the end.

use std::collections::{BTreeMap, BTreeSet};

use local::workspace::{NewPackage, Package, SourceFile};
use packages::id::PackageId;
use serde_json::Value;

use super::dice::Dice;
use crate::app::{STORAGE, TestApp, uuid};

pub(super) struct Scene {
    packages: Vec<Node>,
    /// Packages that S3 refuses, or may have refused.
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

/// What a package is now.
struct Now {
    state: String,
    name: String,
}

impl Scene {
    /// Makes a tree and puts some of it into the trash, in several deletions.
    pub(super) async fn set(app: &TestApp, dice: &mut Dice) -> Self {
        clear(app).await;
        let mut packages: Vec<Node> = Vec::new();
        let mut folders: Vec<Option<PackageId>> = vec![None];
        for n in 0..3 + dice.below(20) {
            let parent = *dice.pick(&folders);
            let is_folder = dice.below(3) == 0;
            let name = if dice.below(4) == 0 { format!("{n}.txt") } else { format!("n{n}") };
            let key = (!is_folder && dice.below(8) > 0)
                .then(|| format!("O{}/D{}/{}", app.workspace.id, app.dataset.id, uuid()));
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
        if dice.below(3) == 0 {
            app.sql(r#"UPDATE "WORKSPACE".files SET size = NULL WHERE id % 3 = 0"#).await;
        }
        app.workspace.populate_usage().await.unwrap();
        app.forget_changelog();
        let mut scene = Self {
            packages,
            refused: BTreeSet::new(),
            deleted: BTreeSet::new(),
            ordered: BTreeSet::new(),
            stops: 0,
            deletions: 0,
        };
        for _ in 0..=dice.below(4) {
            scene.delete(app, dice).await;
        }
        scene.deleted.clear();
        scene.deletions = 0;
        let now = scene.now(app).await;
        for node in &mut scene.packages {
            node.was_deleted = now[&node.package.id].state == "DELETED";
        }
        scene
    }

    /// The platform deletes a live package, with all beneath it.
    pub(super) async fn delete(&mut self, app: &TestApp, dice: &mut Dice) {
        let now = self.now(app).await;
        let live: Vec<&Node> =
            self.packages.iter().filter(|node| now[&node.package.id].state == "READY").collect();
        if live.is_empty() {
            return;
        }
        let target = dice.pick(&live).package.clone();
        app.trash(&target).await;
        self.deletions += 1;
        let beneath: Vec<PackageId> =
            self.packages.iter().filter(|n| self.lies_in(n, target.id)).map(|n| n.package.id).collect();
        self.deleted.extend(beneath);
    }

    fn lies_in(&self, node: &Node, folder: PackageId) -> bool {
        self.line(node).any(|id| id == folder)
    }

    /// A package and the folders above it.
    fn line<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = PackageId> + 'a {
        let parent =
            |id: &PackageId| self.packages.iter().find(|n| n.package.id == *id).and_then(|n| n.parent);
        std::iter::successors(Some(node.package.id), parent)
    }

    /// A person orders some packages, whatever their states are.
    pub(super) async fn order(&mut self, app: &TestApp, token: &str, dice: &mut Dice) {
        let mut asked = Vec::new();
        for _ in 0..=dice.below(3) {
            asked.push(dice.pick(&self.packages).package.clone());
        }
        let ids: Vec<_> = asked.iter().map(|package| &package.node_id).collect();
        let answer = app.order(token, &ids).await;
        // A session may just have been cut.
        if answer.status != 200 {
            return;
        }
        let success = answer.json()["success"].clone();
        for package in asked {
            if success.as_array().unwrap().contains(&Value::String(package.node_id.to_string())) {
                self.ordered.insert(package.id);
                let newer: Vec<PackageId> = self
                    .packages
                    .iter()
                    .filter(|n| self.lies_in(n, package.id))
                    .map(|n| n.package.id)
                    .collect();
                self.deleted.retain(|id| !newer.contains(id));
            }
        }
    }

    pub(super) fn any_key(&self, dice: &mut Dice) -> String {
        let keys: Vec<&String> = self.packages.iter().filter_map(|node| node.key.as_ref()).collect();
        if keys.is_empty() { "none".to_owned() } else { (*dice.pick(&keys)).clone() }
    }

    /// From now on S3 may refuse this key.
    pub(super) fn refuse(&mut self, key: &str) {
        let whose = self.packages.iter().filter(|node| node.key.as_deref() == Some(key));
        let whose: Vec<PackageId> = whose.map(|node| node.package.id).collect();
        self.refused.extend(whose);
    }

    pub(super) async fn restored(&self, app: &TestApp) -> usize {
        let now = self.now(app).await;
        let is_back = |n: &&Node| n.was_deleted && now[&n.package.id].state == "READY";
        self.packages.iter().filter(is_back).count()
    }

    async fn now(&self, app: &TestApp) -> BTreeMap<PackageId, Now> {
        let sql = format!(r#"SELECT id, state, name FROM "{}".packages"#, app.workspace.id);
        let rows = app.workspace.client.query(&sql, &[]).await.unwrap();
        let now =
            |row: &tokio_postgres::Row| (PackageId(row.get(0)), Now { state: row.get(1), name: row.get(2) });
        rows.iter().map(now).collect()
    }

    /// What is wrong in the end, if anything is.
    pub(super) async fn fault(&self, app: &TestApp) -> Option<String> {
        app.assert_idle().await;
        let now = self.now(app).await;
        let events = app.changelog().0;
        let told: BTreeSet<i64> =
            events.iter().filter_map(|event| event["eventDetail"]["id"].as_i64()).collect();
        for node in &self.packages {
            if let Some(fault) = self.package_fault(app, node, (&now, &told)).await {
                return Some(format!("{} {fault}", node.package.id));
            }
        }
        let (counted, recount) =
            (app.workspace.load_usage().await.unwrap(), app.workspace.compute_usage().await.unwrap());
        let recount: BTreeMap<_, _> = recount.into_iter().filter(|(_, bytes)| *bytes != 0).collect();
        if counted != recount {
            return Some(format!("counted {counted:?}, recounted {recount:?}"));
        }
        numbers_fault(app).await
    }

    async fn package_fault(
        &self,
        app: &TestApp,
        node: &Node,
        (now, told): (&BTreeMap<PackageId, Now>, &BTreeSet<i64>),
    ) -> Option<String> {
        let Now { state, name } = &now[&node.package.id];
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
            "READY" => self.ready_fault(node, name, (now, told)),
            "DELETED" => self.deleted_fault(app, node, name).await,
            _ => Some(format!("is {state}")),
        }
    }

    fn ready_fault(
        &self,
        node: &Node,
        name: &str,
        (now, told): (&BTreeMap<PackageId, Now>, &BTreeSet<i64>),
    ) -> Option<String> {
        if name.contains("__DELETED__") {
            return Some(format!("is READY as {name}"));
        }
        if let Some(above) = self.line(node).find(|id| now[id].state != "READY") {
            return Some(format!("is READY beneath {above}, which is {}", now[&above].state));
        }
        let is_told = told.contains(&i64::from(node.package.id.0));
        (node.was_deleted && !is_told).then(|| "came back, and the changelog was not told".to_owned())
    }

    /// What is in the trash was not ordered, or deleted since, or S3 refused it; else nothing may keep it there.
    async fn deleted_fault(&self, app: &TestApp, node: &Node, name: &str) -> Option<String> {
        if !name.starts_with("__DELETED__") {
            return Some(format!("is DELETED as {name}"));
        }
        let is_ordered = self.line(node).any(|id| self.ordered.contains(&id));
        let is_excused = self.line(node).any(|id| self.deleted.contains(&id) || self.refused.contains(&id));
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

/// An order that is over has counted all that it held, once.
async fn numbers_fault(app: &TestApp) -> Option<String> {
    let sql = "SELECT package_id, total, restored, failed, finished_at IS NOT NULL FROM packages_service.restore_orders
               WHERE workspace_id = $1 AND (finished_at IS NULL OR total <> restored + failed)";
    let rows = app.workspace.client.query(sql, &[&app.workspace.id.0]).await.unwrap();
    let row = rows.first()?;
    let [total, restored, failed]: [i64; 3] = [row.get(1), row.get(2), row.get(3)];
    let (id, is_over): (i32, bool) = (row.get(0), row.get(4));
    Some(format!("order {id}: {restored} restored and {failed} failed of {total}, over: {is_over}"))
}

/// Removes what the round before left.
async fn clear(app: &TestApp) {
    app.sql(
        r#"DELETE FROM "WORKSPACE".files; DELETE FROM "WORKSPACE".packages;
           DELETE FROM "WORKSPACE".dataset_storage;
           DELETE FROM pennsieve.organization_storage WHERE organization_id = WORKSPACE;
           DELETE FROM packages_service.restore_orders WHERE workspace_id = WORKSPACE;
           DELETE FROM packages_service.restore_failures WHERE workspace_id = WORKSPACE"#,
    )
    .await;
}
