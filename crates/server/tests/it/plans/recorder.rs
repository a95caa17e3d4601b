//! A connection to Postgres that records how each statement was executed. `auto_explain` sends the plan as a notice
//! ("Message Formats" and `auto_explain` in PostgreSQL's manual).

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use database::Db;
use packages::id::WorkspaceId;
use serde_json::Value;
use tokio_postgres::Config;

use crate::postgres_proxy::{self, Flow, MessageObserver};

/// Start options of a connection. Notices, because log entries would fill the server's log. Statements inside triggers are
/// not reported: a foreign key would report each of its rows.
const AUTO_EXPLAIN_OPTIONS: &str = "-c session_preload_libraries=auto_explain -c auto_explain.log_level=notice \
    -c auto_explain.log_min_duration=0 -c auto_explain.log_format=json -c auto_explain.log_analyze=on \
    -c auto_explain.log_timing=off -c auto_explain.log_verbose=on";

/// The tables that grow with the number of packages.
const LARGE_TABLES: [&str; 2] = ["packages", "files"];

/// Whether this Postgres has `auto_explain` and lets this role load it. If not, prints that the test is skipped.
pub(super) async fn has_auto_explain() -> bool {
    let client = local::testing::connect(local::testing::database_url().await).await.unwrap();
    let loaded = client.batch_execute("LOAD 'auto_explain'").await;
    if let Err(error) = &loaded {
        eprintln!("SKIPPED: query plans are not checked, Postgres has no auto_explain: {error}");
    }
    loaded.is_ok()
}

/// The plans of all statements sent through this proxy.
pub(super) struct PlanRecorder {
    config: Config,
    recorded_plans: Arc<RecordedPlans>,
}

#[derive(Default)]
struct RecordedPlans(Mutex<Vec<Value>>);

impl MessageObserver for RecordedPlans {
    /// The notice with a plan arrives before the response to its statement is complete.
    fn on_response(&self, _: usize, tag: u8, body: &[u8]) -> Flow {
        if let Some(plan) = (tag == b'N').then(|| parse_plan(body)).flatten() {
            self.0.lock().unwrap().push(plan);
        }
        Flow::Forward
    }
}

impl PlanRecorder {
    /// Starts a proxy to the test database.
    pub(super) async fn start() -> Self {
        Self::start_for(local::testing::database_url().await).await
    }

    /// Starts a proxy to this database.
    pub(super) async fn start_for(database: &str) -> Self {
        let recorded_plans = Arc::<RecordedPlans>::default();
        let mut config = postgres_proxy::proxy_to_database(database, Arc::clone(&recorded_plans)).await;
        config.options(AUTO_EXPLAIN_OPTIONS);
        Self { config, recorded_plans }
    }

    /// A pool through the proxy. `log_analyze` slows statements down, so the timeout is long.
    pub(super) fn open_db(&self) -> Db {
        Db::new(self.config.clone(), 4).unwrap().with_statement_timeout(Duration::from_mins(5))
    }

    /// The same pool with one connection, whose frequent statements are prepared.
    pub(super) fn open_preparing_db(&self) -> Db {
        Db::new(self.config.clone(), 1).unwrap().with_prepared_statements(true)
    }

    /// The same pool, whose prepared statements have one plan for all parameters from their first use on (PostgreSQL
    /// documentation, `plan_cache_mode`).
    pub(super) fn open_generic_db(&self) -> Db {
        let mut config = self.config.clone();
        config.options(format!("{AUTO_EXPLAIN_OPTIONS} -c plan_cache_mode=force_generic_plan"));
        Db::new(config, 1).unwrap().with_prepared_statements(true)
    }

    /// A connection through the proxy.
    pub(super) async fn connect(&self) -> tokio_postgres::Client {
        let (client, connection) = self.config.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// The text of each statement so far, once per execution.
    pub(super) fn list_statements(&self) -> Vec<String> {
        self.recorded_plans.0.lock().unwrap().iter().map(query_text).collect()
    }

    /// The plan node that read the most rows of a table, and their number.
    pub(super) fn find_most_rows_read(&self) -> (f64, String) {
        let recorded_plans = self.recorded_plans.0.lock().unwrap();
        let efforts = recorded_plans.iter().flat_map(|statement| {
            collect_nodes(&statement["Plan"])
                .into_iter()
                .map(move |node| (count_rows_read(node), (node, statement)))
        });
        let (effort, (node, statement)) = efforts.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
        (effort, format!("{} of {}", describe_node(node), query_text(statement)))
    }

    /// Nodes that read a whole large table of this workspace: all its rows, or all of an index. Nodes that the planner prepared
    /// but did not execute do not count.
    pub(super) fn list_full_scans(&self, workspace: WorkspaceId) -> Vec<String> {
        let mut found = Vec::new();
        for statement in &*self.recorded_plans.0.lock().unwrap() {
            let scans =
                collect_nodes(&statement["Plan"]).into_iter().filter(|node| is_full_scan(node, workspace));
            found.extend(scans.map(|scan| format!("{}\n{}", describe_node(scan), query_text(statement))));
        }
        found
    }
}

fn query_text(statement: &Value) -> String {
    statement["Query Text"].as_str().unwrap_or_default().to_owned()
}

/// How many rows of a table a node read in all executions, including rows removed by a filter. An execution that finds
/// nothing counts as one row.
fn count_rows_read(node: &Value) -> f64 {
    if node["Relation Name"].is_null() || node["Node Type"] == "ModifyTable" {
        return 0.0;
    }
    let number = |name: &str| node[name].as_f64().unwrap_or_default();
    number("Actual Loops") * (number("Actual Rows") + number("Rows Removed by Filter")).max(1.0)
}

/// A plan node and all nodes inside it.
fn collect_nodes(plan: &Value) -> Vec<&Value> {
    let children = plan["Plans"].as_array().into_iter().flatten();
    std::iter::once(plan).chain(children.flat_map(collect_nodes)).collect()
}

fn is_full_scan(node: &Value, workspace: WorkspaceId) -> bool {
    let is_large = LARGE_TABLES.iter().any(|table| node["Relation Name"] == *table);
    let is_ours = node["Schema"].as_str() == Some(&workspace.to_string());
    let was_done = node["Actual Loops"].as_f64() != Some(0.0);
    let is_whole = match node["Node Type"].as_str() {
        Some("Seq Scan") => true,
        Some("Index Scan" | "Index Only Scan") => node["Index Cond"].is_null(),
        _ => false,
    };
    is_large && is_ours && was_done && is_whole
}

fn describe_node(node: &Value) -> String {
    let (kind, relation) = (&node["Node Type"], &node["Relation Name"]);
    format!("{kind} on {relation}, {} times {} rows", node["Actual Loops"], node["Actual Rows"])
}

/// Parses the plan in a notice. Each field of a notice is a letter and a text; `M` is the message.
fn parse_plan(notice: &[u8]) -> Option<Value> {
    let message = notice.split(|&byte| byte == 0).find_map(|field| field.strip_prefix(b"M"))?;
    let (_, plan) = std::str::from_utf8(message).ok()?.split_once("plan:\n")?;
    Some(serde_json::from_str(plan).unwrap_or_else(|error| panic!("{error}: {plan}")))
}
