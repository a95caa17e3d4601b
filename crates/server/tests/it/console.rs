//! The console of `dev` and of `serve --console`, as processes: what it serves, and whom it refuses.

use std::{path::Path, process::Command};

use axum::body::Body;
use futures_util::future::join_all;
use http::Request;
use restore::db::{
    overview::{PackageCounts, RestoreOverview, load_overview},
    queue::QueueSize,
};
use serde_json::{Value, json};

use crate::{
    app::{TestApp, TestResponse, build_request, fetch_url, send_over_tcp, wait_until},
    dev::{DevProcess, PROGRAM},
    standalone::{ServeProcess, serve_command},
};

const OPERATOR_TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Writes a small app. The tests do not depend on whether the real one was built.
fn write_app(dir: &Path) {
    std::fs::create_dir_all(dir.join("console/assets")).unwrap();
    std::fs::write(dir.join("index.html"), "<!doctype html>the app").unwrap();
    std::fs::write(dir.join("console/assets/app-1a2b.js"), "script").unwrap();
}

async fn send(method: &str, url: &str, headers: &[(&str, &str)]) -> TestResponse {
    let request =
        headers.iter().fold(Request::builder().method(method).uri(url), |request, (name, value)| {
            request.header(*name, *value)
        });
    send_over_tcp(request.body(Body::empty()).unwrap()).await
}

/// Asserts that this is a problem of the console, and that no page of another origin can read it.
fn assert_console_problem(response: &TestResponse, status: u16) {
    assert_eq!(response.status, status, "{:?}", response.body);
    assert_eq!(response.header("content-type"), "application/problem+json");
    let problem = response.json();
    assert_eq!(
        (&problem["status"], &problem["requestId"]),
        (&json!(status), &json!(response.header("x-request-id")))
    );
    assert_not_shared(response);
}

fn assert_not_shared(response: &TestResponse) {
    assert!(!response.headers.contains_key("access-control-allow-origin"), "{:?}", response.headers);
    assert_eq!(response.header("cross-origin-resource-policy"), "same-origin");
}

#[tokio::test]
async fn dev_serves_the_console_with_tokens_of_the_demos_users() {
    let dir = tempfile::tempdir().unwrap();
    let app = dir.path().join("app");
    write_app(&app);
    let dev = DevProcess::start(&dir.path().join("state"), &["--console-dir", app.to_str().unwrap()]);
    let api = dev.stack_text("/api").to_owned();
    let origin = api.strip_suffix("/packages").unwrap();
    let welcome = dev.welcome.trim_start();
    assert!(welcome.starts_with(&format!("Console   {origin}/\n")), "{welcome}");

    let page = send("GET", &format!("{origin}/dataset/N:dataset:1"), &[("accept", "text/html")]).await;
    assert_eq!((page.status.as_u16(), &page.body[..]), (200, &b"<!doctype html>the app"[..]));
    let policy = page.header("content-security-policy");
    let s3 = format!("{}/local-storage/", dev.stack_text("/s3/endpoint"));
    for source in [dev.stack_text("/edge"), &s3] {
        assert_eq!(policy.matches(source).count(), 3, "pictures, media and requests: {policy}");
    }
    let script = fetch_url("GET", &format!("{origin}/console/assets/app-1a2b.js")).await;
    assert_eq!((script.status.as_u16(), &script.body[..]), (200, &b"script"[..]));

    let settings = fetch_url("GET", &format!("{origin}/console/settings.json")).await.json();
    assert_eq!(settings["demo"]["spikes"], dev.stack_text("/demo/spikes"));
    assert_eq!(
        (&settings["api"], &settings["mode"], &settings["login"], &settings["operator"]),
        (&json!("/packages"), &json!("dev"), &Value::Null, &json!(true))
    );
    let document = fetch_url("GET", &format!("{origin}/console/openapi.json")).await.json();
    assert_eq!(document["servers"], json!([{"url": "/packages", "description": "This server"}]));
    assert!(document["paths"]["/presign/s3"]["get"].is_object());

    let users = fetch_url("GET", &format!("{origin}/console/users")).await;
    assert_not_shared(&users);
    let users = users.json();
    let viewer = users["users"].as_array().unwrap().iter().find(|user| user["name"] == "viewer").unwrap();
    assert_eq!((&viewer["email"], &viewer["role"]), (&json!("viewer@example.org"), &json!("viewer")));
    let token = fetch_url("POST", &format!("{origin}/console/users/viewer/token")).await;
    assert_not_shared(&token);
    assert_eq!(token.header("cache-control"), "no-store");
    let token = token.json()["token"].as_str().unwrap().to_owned();
    let trash = format!("{api}/trash?dataset_id={}", dev.stack_text("/demo/dataset_node_id"));
    assert_eq!(send_over_tcp(build_request("GET", &trash, &token, Body::empty())).await.status, 200);
    assert_console_problem(&fetch_url("POST", &format!("{origin}/console/users/nobody/token")).await, 404);
    assert_console_problem(&fetch_url("GET", &format!("{origin}/console/users/viewer/token")).await, 405);
    assert_console_problem(&fetch_url("POST", &format!("{origin}/console/settings.json")).await, 405);

    // The API is as without the console, also for a person who opens a wrong path of it.
    for path in ["/packages/unknown", "/packages", "/console/unknown", "/unknown.js"] {
        send("GET", &format!("{origin}{path}"), &[("accept", "text/html")]).await.assert_problem(404);
    }
    fetch_url("GET", &format!("{origin}/unknown")).await.assert_problem(404);
    fetch_url("DELETE", &format!("{api}/trash")).await.assert_problem(405);
}

#[tokio::test]
async fn pages_of_other_origins_get_nothing_from_dev() {
    let dir = tempfile::tempdir().unwrap();
    let dev = DevProcess::start(dir.path(), &[]);
    let origin = dev.stack_text("/api").strip_suffix("/packages").unwrap().to_owned();
    let host = origin.strip_prefix("http://").unwrap();
    let secrets = [
        ("GET", "/console/users"),
        ("POST", "/console/users/viewer/token"),
        ("GET", "/console/operations"),
        ("POST", "/console/doctor"),
    ];
    for (method, path) in secrets {
        let url = format!("{origin}{path}");
        for header in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("host", "evil.example"),
        ] {
            let refused = send(method, &url, &[header]).await;
            assert_eq!(refused.header("content-type"), "application/problem+json", "{header:?}");
            assert_eq!(refused.status, 403, "{header:?}");
            assert!(!refused.headers.contains_key("access-control-allow-origin"), "{header:?}");
            assert!(!String::from_utf8_lossy(&refused.body).contains("eyJ"), "a token");
        }
        let own = [("origin", origin.as_str()), ("sec-fetch-site", "same-origin"), ("host", host)];
        assert_eq!(send(method, &url, &own).await.status, 200, "{method} {path}");
        // A browser asks before it sends a header of a page of another origin. The answer allows nothing.
        let preflight = [("origin", "https://evil.example"), ("access-control-request-method", method)];
        assert_console_problem(&send("OPTIONS", &url, &preflight).await, 403);
    }
    // A name that was made to point to this machine reaches nothing at all.
    for path in ["/", "/metrics", "/packages/health", "/console/settings.json"] {
        let rebound = send("GET", &format!("{origin}{path}"), &[("host", "evil.example")]).await;
        assert_eq!(rebound.status, 403, "{path}");
    }
}

#[tokio::test]
async fn operators_of_dev_see_numbers_and_the_doctor() {
    let dir = tempfile::tempdir().unwrap();
    let dev = DevProcess::start(dir.path(), &[]);
    let origin = dev.stack_text("/api").strip_suffix("/packages").unwrap().to_owned();
    let dataset = dev.stack_text("/demo/dataset_node_id");
    let sign = |package: &str| {
        let package = dev.stack_text(&format!("/demo/{package}"));
        format!(
            "{origin}/packages/cloudfront/sign?dataset_id={dataset}&package_id={package}&path=spikes.parquet"
        )
    };
    let as_user = |user: &str| build_request("GET", &sign("spikes"), dev.user_token(user), Body::empty());
    assert_eq!(send_over_tcp(as_user("viewer")).await.status, 200);
    assert_eq!(send_over_tcp(as_user("stranger")).await.status, 403);
    dev.order_restore("trashed_folder").await;
    dev.wait_until_ready("trashed_folder").await;

    let operations = format!("{origin}/console/operations");
    // Its packages are ready a moment before.
    wait_until("the restore is counted", async || {
        let report = fetch_url("GET", &operations).await.json();
        report["others"].as_array().unwrap().iter().any(|metric| metric["name"] == "restores_total")
    })
    .await;
    let response = fetch_url("GET", &operations).await;
    assert_not_shared(&response);
    assert_eq!(response.header("cache-control"), "no-store");
    let report = response.json();
    assert_eq!(report["links"], json!([{"kind": "cdn-asset", "key_id": "KLOCAL00000001", "count": 1}]));
    assert_eq!(report["refusals"], json!([{"reason": "forbidden", "count": 1}]));
    let requests = report["requests"].as_array().unwrap();
    let refused = json!({"route": "/packages/cloudfront/sign", "method": "GET", "status": 403, "count": 1});
    assert!(requests.contains(&refused), "{requests:?}");
    let latencies = report["latencies"].as_array().unwrap();
    let latency = latencies.iter().find(|latency| latency["route"] == "/packages/cloudfront/sign").unwrap();
    let buckets = latency["buckets"].as_array().unwrap();
    assert_eq!((&latency["count"], buckets.len()), (&json!(2), 13));
    assert_eq!(buckets.last().unwrap(), &json!({"le_seconds": null, "count": 2}));
    assert!(latency["sum_seconds"].as_f64().unwrap() > 0.0);
    let others = report["others"].as_array().unwrap();
    let restores = others.iter().find(|metric| metric["name"] == "restores_total").unwrap();
    assert_eq!(restores["labels"], json!({"outcome": "finished"}));
    assert_eq!(restores["help"], "Restores by outcome");
    assert_eq!(report["restores"], json!({"queue": {"datasets": 0, "running": 0}, "unfinished": []}));
    assert_eq!(report["signing_key"]["id"], "KLOCAL00000001");
    assert_eq!(report["signing_key"]["warning"], Value::Null);
    let text = response.json().to_string();
    for secret in ["http://", "eyJ", "Signature", dataset] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }

    let doctor = format!("{origin}/console/doctor");
    let examinations = join_all((0..4).map(|_| fetch_url("POST", &doctor))).await;
    let (reports, refused): (Vec<_>, Vec<_>) =
        examinations.iter().partition(|response| response.status == 200);
    assert!(!reports.is_empty() && !refused.is_empty(), "one at a time");
    for refused in refused {
        assert_console_problem(refused, 503);
        assert!(!refused.header("retry-after").is_empty());
    }
    assert_eq!(reports[0].json()["sections"].as_array().unwrap().len(), 8);
}

#[tokio::test]
async fn the_console_can_be_turned_off() {
    let dir = tempfile::tempdir().unwrap();
    let dev = DevProcess::start(dir.path(), &["--no-console"]);
    let origin = dev.stack_text("/api").strip_suffix("/packages").unwrap().to_owned();
    assert!(!dev.welcome.contains("Console"), "{}", dev.welcome);
    let serve = ServeProcess::spawn(serve_command(dir.path()));
    for origin in [&origin, &serve.api] {
        for path in ["/", "/docs", "/console/settings.json", "/console/users", "/console/operations"] {
            let response = send("GET", &format!("{origin}{path}"), &[("accept", "text/html")]).await;
            response.assert_problem(404);
            assert!(!response.headers.contains_key("content-security-policy"));
        }
        fetch_url("POST", &format!("{origin}/console/users/viewer/token")).await.assert_problem(404);
    }
    let rebound = send("GET", &format!("{origin}/metrics"), &[("host", "evil.example")]).await;
    assert_eq!(rebound.status, 403);
}

#[tokio::test]
async fn serve_without_an_operators_token_has_no_page_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let dev = DevProcess::start(dir.path(), &["--no-console"]);

    let mut command = serve_command(dir.path());
    command.args(["--console"]).env("USER_POOL_DOMAIN", "people.auth.us-east-1.amazoncognito.com");
    let mut serve = ServeProcess::spawn(command);
    let settings = serve.get("/console/settings.json", "").await;
    let policy = settings.header("content-security-policy");
    let connect = policy.split("; ").find(|directive| directive.starts_with("connect-src")).unwrap();
    assert!(connect.ends_with(" https://people.auth.us-east-1.amazoncognito.com/oauth2/token"), "{policy}");
    assert_eq!(policy.matches("amazoncognito").count(), 1, "{policy}");
    assert!(connect.contains(dev.stack_text("/edge")), "{policy}");
    let settings = settings.json();
    assert_eq!(
        (&settings["mode"], &settings["operator"], &settings["demo"]),
        (&json!("serve"), &json!(false), &Value::Null)
    );
    let pool = "https://people.auth.us-east-1.amazoncognito.com";
    assert_eq!(
        settings["login"],
        json!({
            "authorize_url": format!("{pool}/oauth2/authorize"), "token_url": format!("{pool}/oauth2/token"),
            "logout_url": format!("{pool}/logout"), "client_id": "localPeople", "scopes": ["openid"],
        })
    );
    // Without a token in the configuration there is no page for operators, and nobody gets tokens of users.
    for (method, path) in [
        ("GET", "/console/operations"),
        ("POST", "/console/doctor"),
        ("GET", "/console/users"),
        ("POST", "/console/users/viewer/token"),
    ] {
        let request = build_request(method, &format!("{}{path}", serve.api), OPERATOR_TOKEN, Body::empty());
        assert_eq!(send_over_tcp(request).await.status, 404, "{method} {path}");
    }
    serve.terminate();
}

#[tokio::test]
async fn serve_shows_operators_their_page_for_a_token() {
    let dir = tempfile::tempdir().unwrap();
    let dev = DevProcess::start(dir.path(), &["--no-console"]);
    let mut command = serve_command(dir.path());
    command.envs([
        ("CONSOLE", "on"),
        ("CONSOLE_OPERATOR_TOKEN", OPERATOR_TOKEN),
        ("API_PATH_PREFIX", "/data"),
    ]);
    let mut serve = ServeProcess::spawn(command);
    let settings = serve.get("/console/settings.json", "").await.json();
    assert_eq!((&settings["api"], &settings["operator"]), (&json!("/data"), &json!(true)));
    let viewer = dev.user_token("viewer");
    for token in ["", &OPERATOR_TOKEN[1..], viewer] {
        let refused = serve.get("/console/operations", token).await;
        assert_console_problem(&refused, 401);
        assert_eq!(refused.header("www-authenticate"), "Bearer realm=\"operators\"");
        let url = format!("{}/console/doctor", serve.api);
        assert_console_problem(&send_over_tcp(build_request("POST", &url, token, Body::empty())).await, 401);
    }
    let report = serve.get("/console/operations", OPERATOR_TOKEN).await;
    assert_eq!(report.json()["signing_key"]["id"], "KLOCAL00000001");
    let url = format!("{}/console/doctor", serve.api);
    let doctor = send_over_tcp(build_request("POST", &url, OPERATOR_TOKEN, Body::empty())).await;
    assert_eq!(doctor.json()["sections"][0]["title"], "Configuration");
    // The token opens nothing else.
    let trash = format!("/data/trash?dataset_id={}", dev.stack_text("/demo/dataset_node_id"));
    serve.get(&trash, OPERATOR_TOKEN).await.assert_problem(401);
    serve.terminate();
    let log: Vec<String> = serve.log.iter().map(|line| line.to_string()).collect();
    assert!(log.iter().any(|line| line.contains("a request for the operators' page was refused")), "{log:?}");
    assert!(!log.iter().any(|line| line.contains(OPERATOR_TOKEN)), "{log:?}");
}

#[tokio::test]
async fn serve_refuses_paths_that_the_console_would_share_with_the_api() {
    let dir = tempfile::tempdir().unwrap();
    let _dev = DevProcess::start(dir.path(), &["--no-console"]);
    for prefix in ["/", "/console", "/console/api"] {
        let mut command: Command = serve_command(dir.path());
        let output = command.arg("--console").env("API_PATH_PREFIX", prefix).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("with this API_PATH_PREFIX"), "{prefix}: {said}");
    }
    let token =
        Command::new(PROGRAM).arg("serve").env_clear().env("CONSOLE_OPERATOR_TOKEN", "short").output();
    let said = String::from_utf8(token.unwrap().stderr).unwrap();
    assert!(said.contains("invalid value: CONSOLE_OPERATOR_TOKEN") && !said.contains("short"), "{said}");
}

#[tokio::test]
async fn unfinished_restores_are_counted_across_workspaces() {
    let app = TestApp::start_with_own_database().await;
    let (editor, db) = (app.create_token("editor").await, &app.app.db);
    assert_eq!(load_overview(db).await.unwrap(), RestoreOverview::default());
    let folder = app.create_folder(None, "folder").await;
    app.create_files(&folder, 3).await;
    let file = app.create_file(None, "a.txt", b"a").await;
    app.trash_package(&folder).await;
    app.trash_package(&file).await;
    app.order_restore(&editor, &[&folder.node_id, &file.node_id]).await;

    let overview = load_overview(db).await.unwrap();
    assert_eq!(overview.queue, QueueSize { datasets: 1, leased: 0 });
    let [dataset] = &overview.datasets[..] else { panic!("{overview:?}") };
    assert_eq!((dataset.key, dataset.orders), (app.dataset_key(), 2));
    assert_eq!(dataset.packages, PackageCounts::default(), "not claimed yet");
    assert!(!dataset.is_leased && dataset.due_in.unwrap().is_zero() && dataset.attempts == Some(0));

    // While a worker waits for S3.
    app.run_orders_during_undelete(async {
        let overview = load_overview(db).await.unwrap();
        assert_eq!(overview.queue, QueueSize { datasets: 1, leased: 1 });
        assert_eq!(overview.datasets[0].packages.total, 4, "{overview:?}");
        assert!(overview.datasets[0].is_leased);
    })
    .await;
    assert_eq!(load_overview(db).await.unwrap(), RestoreOverview::default());

    // An order that no queue entry leads to.
    app.trash_package(&file).await;
    app.order_restore(&editor, &[&file.node_id]).await;
    app.run_sql("DELETE FROM packages_service.restore_queue").await;
    let overview = load_overview(db).await.unwrap();
    assert_eq!((overview.queue.datasets, overview.datasets[0].due_in), (0, None));
}
