//! A way to Postgres that writes down how each statement was carried out: `auto_explain` tells the client as a notice
//! ("Message Formats", and the chapter on `auto_explain`, in PostgreSQL's manual).

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use database::Db;
use packages::id::WorkspaceId;
use serde_json::Value;
use tokio_postgres::Config;

use crate::wire::{self, Flow, Listener};

/// What a connection starts with. Notices, not log entries: those would fill the server's log, too. What a trigger does is
/// not told, so that a foreign key does not tell of each of its rows.
const OPTIONS: &str = "-c session_preload_libraries=auto_explain -c auto_explain.log_level=notice \
    -c auto_explain.log_min_duration=0 -c auto_explain.log_format=json -c auto_explain.log_analyze=on \
    -c auto_explain.log_timing=off -c auto_explain.log_verbose=on";

/// The tables that grow with packages.
const LARGE: [&str; 2] = ["packages", "files"];

/// Whether this Postgres has `auto_explain`, and lets us use it. If not, that is said.
pub(super) async fn can_explain() -> bool {
    let client = local::testing::connect(local::testing::database_url().await).await.unwrap();
    let loaded = client.batch_execute("LOAD 'auto_explain'").await;
    if let Err(error) = &loaded {
        eprintln!(
            "SKIPPED: how statements are carried out is not checked, Postgres has no auto_explain: {error}"
        );
    }
    loaded.is_ok()
}

/// The plans of all statements that came this way.
pub(super) struct Plans {
    config: Config,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard(Mutex<Vec<Value>>);

impl Listener for Heard {
    /// A plan is written down before the answer that it belongs to is complete.
    fn answer(&self, _: usize, tag: u8, body: &[u8]) -> Flow {
        if let Some(plan) = (tag == b'N').then(|| plan(body)).flatten() {
            self.0.lock().unwrap().push(plan);
        }
        Flow::Pass
    }
}

impl Plans {
    /// Listens for connections to the test database.
    pub(super) async fn record() -> Self {
        let heard = Arc::<Heard>::default();
        let mut config = wire::database_through(Arc::clone(&heard)).await;
        config.options(OPTIONS);
        Self { config, heard }
    }

    /// The database by this way. Counting what each node does takes its time.
    pub(super) fn db(&self) -> Db {
        Db::new(self.config.clone(), 4).unwrap().with_statement_timeout(Duration::from_mins(5))
    }

    /// A connection by this way.
    pub(super) async fn client(&self) -> tokio_postgres::Client {
        let (client, connection) = self.config.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// The statements so far, each as often as it was carried out.
    pub(super) fn statements(&self) -> Vec<String> {
        self.heard.0.lock().unwrap().iter().map(text).collect()
    }

    /// The node that looked at the most rows of a table, and how many those were.
    pub(super) fn most_effort(&self) -> (f64, String) {
        let heard = self.heard.0.lock().unwrap();
        let efforts = heard.iter().flat_map(|statement| {
            nodes(&statement["Plan"]).into_iter().map(move |node| (effort(node), (node, statement)))
        });
        let (effort, (node, statement)) = efforts.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
        (effort, format!("{} of {}", described(node), text(statement)))
    }

    /// Where a statement so far has read the whole of a tenant's large table: its rows one after another, or all of an
    /// index. What the planner prepared for and did not do is not among them.
    pub(super) fn whole_scans(&self, workspace: WorkspaceId) -> Vec<String> {
        let mut found = Vec::new();
        for statement in &*self.heard.0.lock().unwrap() {
            let scans = nodes(&statement["Plan"]).into_iter().filter(|node| reads_all(node, workspace));
            found.extend(scans.map(|scan| format!("{}\n{}", described(scan), text(statement))));
        }
        found
    }
}

fn text(statement: &Value) -> String {
    statement["Query Text"].as_str().unwrap_or_default().to_owned()
}

/// How many rows of a table a node has looked at in all, those that it then left out included; a look that finds nothing
/// counts as one.
fn effort(node: &Value) -> f64 {
    if node["Relation Name"].is_null() || node["Node Type"] == "ModifyTable" {
        return 0.0;
    }
    let number = |name: &str| node[name].as_f64().unwrap_or_default();
    number("Actual Loops") * (number("Actual Rows") + number("Rows Removed by Filter")).max(1.0)
}

/// A node of a plan and all beneath it.
fn nodes(plan: &Value) -> Vec<&Value> {
    let beneath = plan["Plans"].as_array().into_iter().flatten();
    std::iter::once(plan).chain(beneath.flat_map(nodes)).collect()
}

fn reads_all(node: &Value, workspace: WorkspaceId) -> bool {
    let is_large = LARGE.iter().any(|table| node["Relation Name"] == *table);
    let is_ours = node["Schema"].as_str() == Some(&workspace.to_string());
    let was_done = node["Actual Loops"].as_f64() != Some(0.0);
    let is_whole = match node["Node Type"].as_str() {
        Some("Seq Scan") => true,
        Some("Index Scan" | "Index Only Scan") => node["Index Cond"].is_null(),
        _ => false,
    };
    is_large && is_ours && was_done && is_whole
}

fn described(node: &Value) -> String {
    let (kind, relation) = (&node["Node Type"], &node["Relation Name"]);
    format!("{kind} on {relation}, {} times {} rows", node["Actual Loops"], node["Actual Rows"])
}

/// The plan in a notice: its fields are a letter and a text each, `M` being the message.
fn plan(notice: &[u8]) -> Option<Value> {
    let message = notice.split(|&byte| byte == 0).find_map(|field| field.strip_prefix(b"M"))?;
    let (_, plan) = std::str::from_utf8(message).ok()?.split_once("plan:\n")?;
    Some(serde_json::from_str(plan).unwrap_or_else(|error| panic!("{error}: {plan}")))
}
