//! The private routes of the service, taken from the OpenAPI document. A documented operation without a sample fails every
//! test that walks the routes.

use std::collections::BTreeSet;

use axum::body::Body;
use http::Request;
use local::workspace::Package;
use packages::access::DatasetRole;
use serde_json::{Value, json};

use crate::app::{TestApp, build_request};

const METHODS: [&str; 7] = ["get", "head", "post", "put", "patch", "delete", "options"];

/// How the tests call a private operation. `PACKAGE` stands for the id of a package; `dataset_id` is added to the query.
struct Sample {
    method: &'static str,
    path: &'static str,
    query: &'static [(&'static str, &'static str)],
    body: &'static str,
    least_role: DatasetRole,
    /// The status for a caller with this role.
    success: u16,
}

const READ: Sample =
    Sample { method: "", path: "", query: &[], body: "", least_role: DatasetRole::Viewer, success: 200 };

const FILE: &[(&str, &str)] = &[("package_id", "PACKAGE")];
const ASSET: &[(&str, &str)] = &[("package_id", "PACKAGE"), ("path", "a.png")];
const DIRECTORY: &[(&str, &str)] = &[("package_id", "PACKAGE"), ("path", "image.ome.zarr/")];

const ONE_ITEM: &str = r#"{"items":[{"package_id":"PACKAGE"}]}"#;

const SAMPLES: [Sample; 24] = [
    Sample { method: "get", path: "/datasets", least_role: DatasetRole::None, ..READ },
    Sample { method: "head", path: "/datasets", least_role: DatasetRole::None, ..READ },
    Sample { method: "get", path: "/children", ..READ },
    Sample { method: "head", path: "/children", query: &[("sort", "-name")], ..READ },
    Sample { method: "get", path: "/metadata", query: FILE, ..READ },
    Sample { method: "head", path: "/metadata", query: FILE, ..READ },
    Sample { method: "get", path: "/assets", query: FILE, ..READ },
    Sample { method: "head", path: "/assets", query: DIRECTORY, ..READ },
    Sample { method: "get", path: "/presign/s3", query: FILE, success: 307, ..READ },
    Sample { method: "get", path: "/presign/s3", query: ASSET, success: 307, ..READ },
    Sample { method: "head", path: "/presign/s3", query: FILE, ..READ },
    Sample { method: "post", path: "/presign/s3", body: ONE_ITEM, ..READ },
    Sample { method: "get", path: "/presign/s3/{name}", query: FILE, success: 307, ..READ },
    Sample { method: "head", path: "/presign/s3/{name}", query: FILE, ..READ },
    Sample { method: "post", path: "/download-manifest", body: r#"{"nodeIds":["PACKAGE"]}"#, ..READ },
    Sample { method: "get", path: "/cloudfront/sign", query: ASSET, ..READ },
    Sample { method: "get", path: "/cloudfront/sign", query: FILE, ..READ },
    Sample { method: "get", path: "/cloudfront/sign", query: DIRECTORY, ..READ },
    Sample { method: "head", path: "/cloudfront/sign", query: ASSET, ..READ },
    Sample { method: "get", path: "/restore", query: FILE, ..READ },
    Sample { method: "head", path: "/restore", query: FILE, ..READ },
    Sample {
        method: "post",
        path: "/restore",
        body: r#"{"nodeIds":["PACKAGE"]}"#,
        least_role: DatasetRole::Editor,
        ..READ
    },
    Sample { method: "get", path: "/trash", ..READ },
    Sample { method: "head", path: "/trash", query: &[("outlook", "true")], ..READ },
];

/// A valid request of a private operation, for one package.
pub(crate) struct PrivateRequest {
    pub(crate) method: String,
    /// As in the document, without `/packages`.
    pub(crate) route: String,
    pub(crate) least_role: DatasetRole,
    pub(crate) success: u16,
    /// The query parameters that the document names.
    pub(crate) parameters: Vec<String>,
    query: Vec<(String, String)>,
    body: String,
}

impl PrivateRequest {
    /// Whether it is about one dataset. Otherwise `dataset_id` in its query means nothing.
    pub(crate) fn names_dataset(&self) -> bool {
        self.parameters.iter().any(|parameter| parameter == "dataset_id")
    }

    pub(crate) fn path(&self) -> String {
        let query: Vec<String> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("/packages{}?{}", self.route.replace("{name}", "scan.bam"), query.join("&"))
    }

    pub(crate) fn build(&self, token: &str) -> Request<Body> {
        build_request(&self.method, &self.path(), token, Body::from(self.body.clone()))
    }

    /// The same request with this value, percent-encoded, of a query parameter.
    pub(crate) fn with_parameter(&self, name: &str, value: &str) -> Self {
        let mut query = self.query.clone();
        query.retain(|(other, _)| other != name);
        query.push((name.to_owned(), value.to_owned()));
        let (method, route, body) = (self.method.clone(), self.route.clone(), self.body.clone());
        Self { method, route, body, query, parameters: self.parameters.clone(), ..*self }
    }
}

/// Requests of every private operation, for a package of the app's dataset.
pub(crate) fn private_requests(app: &TestApp, package: &Package) -> Vec<PrivateRequest> {
    let document = serde_json::to_value(api::openapi::public_document()).unwrap();
    assert_samples_match(&private_operations(&document));
    let fill = |text: &str| text.replace("PACKAGE", package.node_id.as_str());
    let build = |sample: &Sample| PrivateRequest {
        method: sample.method.to_uppercase(),
        route: sample.path.to_owned(),
        least_role: sample.least_role,
        success: sample.success,
        parameters: query_parameters(&document, sample),
        query: [("dataset_id", app.dataset.node_id.as_str())]
            .iter()
            .chain(sample.query)
            .map(|(name, value)| ((*name).to_owned(), fill(value)))
            .collect(),
        body: fill(sample.body),
    };
    SAMPLES.iter().map(build).collect()
}

/// Method and path of every operation that needs a token. Only an empty `security` makes an operation public.
fn private_operations(document: &Value) -> BTreeSet<(String, String)> {
    let mut operations = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if METHODS.contains(&method.as_str()) && operation["security"] != json!([]) {
                operations.insert((method.clone(), path.clone()));
            }
        }
    }
    operations
}

fn assert_samples_match(operations: &BTreeSet<(String, String)>) {
    let samples: BTreeSet<(String, String)> =
        SAMPLES.iter().map(|sample| (sample.method.to_owned(), sample.path.to_owned())).collect();
    let missing: Vec<_> = operations.difference(&samples).collect();
    assert!(missing.is_empty(), "private operations without a sample in routes.rs: {missing:?}");
    let unknown: Vec<_> = samples.difference(operations).collect();
    assert!(unknown.is_empty(), "samples in routes.rs that are not private operations: {unknown:?}");
}

fn query_parameters(document: &Value, sample: &Sample) -> Vec<String> {
    let parameters = document["paths"][sample.path][sample.method]["parameters"].as_array().unwrap();
    let resolve = |parameter: &Value| match parameter["$ref"].as_str() {
        Some(to) => document.pointer(to.strip_prefix('#').unwrap()).unwrap().clone(),
        None => parameter.clone(),
    };
    let parameters = parameters.iter().map(resolve).filter(|parameter| parameter["in"] == "query");
    parameters.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_operation_is_public_only_with_an_empty_security_list() {
    let document = json!({"paths": {"/a": {
        "get": {"security": []}, "post": {"security": [{"bearer": []}]}, "put": {}, "parameters": [],
    }}});
    let private = [("post", "/a"), ("put", "/a")].map(|(method, path)| (method.to_owned(), path.to_owned()));
    assert_eq!(private_operations(&document), private.into());
}

#[test]
#[should_panic(expected = r#"without a sample in routes.rs: [("delete", "/trash")]"#)]
fn a_private_operation_without_a_sample_fails() {
    let mut document = serde_json::to_value(api::openapi::public_document()).unwrap();
    document["paths"]["/trash"]["delete"] = json!({"security": [{"bearer": []}]});
    assert_samples_match(&private_operations(&document));
}
