//! `POST /packages/restore`: brings packages back from the trash.

use std::{borrow::Cow, collections::HashSet, fmt};

use aws::trace;
use axum::{Json, body::Body, extract::State};
use packages::{
    access::{CreateDeleteFiles, DatasetAccess},
    id::PackageNodeId,
};
use restore::{self, PlacedOrders, Preview};
use serde::{
    Deserialize, Serialize,
    de::{Deserializer, IgnoredAny, MapAccess, Visitor},
};

use tracing::Instrument;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Array, Object, RefOr, Schema, Type, schema::SchemaType},
};

use crate::{App, Problem, audit, body, caller::Caller, openapi, query::Query};

/// How many packages one request may name.
const MAX_IDS: usize = 10_000;

/// How much of a text that is no id is repeated in the answer, in characters: as much as an id may have.
const MAX_ECHO: usize = 255;

/// What became of each package.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = RestoreAnswer)]
pub(crate) struct Answer {
    /// Node ids of packages that are on their way.
    success: Vec<String>,
    /// Packages that are not.
    failures: Vec<Failure>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NotOrdered)]
struct Failure {
    /// The text that was asked for, as much of it as a node id may have.
    id: String,
    /// Why it is not on its way, in words.
    error: String,
}

/// What an order would do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RestorePreview)]
pub(crate) struct PreviewResponse {
    /// Packages that would come back, deleted folders above them included; the first thousand.
    #[schema(max_items = 1000)]
    packages: Vec<PreviewedPackage>,
    /// How many there are.
    #[schema(minimum = 0)]
    total: i64,
    /// The bytes of their files.
    #[schema(minimum = 0)]
    bytes: i64,
    /// Packages that were asked for and cannot be ordered.
    failures: Vec<Failure>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PreviewedPackage)]
struct PreviewedPackage {
    /// Its node id.
    id: String,
    /// Its kind.
    #[schema(example = "CSV")]
    kind: String,
    /// The name it had before it was deleted.
    name: String,
    /// The name it would get, where the other is taken by now.
    new_name: Option<String>,
    /// Why it would stay in the trash, as far as the storage tells now.
    lost: Option<String>,
}

/// What the endpoint answers: to an order, or to the question what one would do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = RestoreResponse)]
pub(crate) enum RestoreResponse {
    Ordered(Answer),
    Preview(PreviewResponse),
}

/// Brings packages back from the trash
///
/// Answers what became of each. They come back later; `GET` tells how far they are. An id that is on its way already is a
/// success; one that is asked for twice is answered once. Deleted folders above a package come back with it. A live folder is
/// ordered for what lies in the trash beneath it.
///
/// With `dry_run=true` nothing is ordered. The answer lists what would come back, under which names, and what of it is lost.
#[utoipa::path(
    post, path = "/restore", tag = "restore", operation_id = "restore", security(("bearer" = [])),
    params(openapi::Dataset, openapi::DryRun),
    request_body(content = Wish, description = "Up to 1 MiB, within 10 seconds"),
    responses(
        (status = OK, description = "The order is taken; or, with `dry_run`, what it would do", body = RestoreResponse),
        openapi::Private,
        openapi::Absent,
        openapi::Body,
    ),
)]
pub(crate) async fn post(
    State(app): State<App>,
    Caller(access): Caller<CreateDeleteFiles>,
    query: Query,
    body: Body,
) -> Result<Json<RestoreResponse>, Problem> {
    let is_dry_run = query.flag("dry_run")?;
    let Wish(asked) = Wish::parse(&body::read(body).await?)?;
    let (ids, mut answer) = sort(asked);
    if is_dry_run {
        let preview = restore::preview_restore(&app.db, &app.objects, &access, &ids).await?;
        return Ok(Json(RestoreResponse::Preview(PreviewResponse::new(preview, answer.failures))));
    }
    // In a task of its own: a client that hangs up must not stop it between the commit and the queue.
    let work = trace::scope(trace::header(), database::count_on(order(app, access, ids)));
    let ordered = tokio::spawn(work.in_current_span()).await;
    answer.add(ordered.unwrap_or_else(|_| Err(Problem::internal("ordering a restore panicked")))?);
    Ok(Json(RestoreResponse::Ordered(answer)))
}

async fn order(
    app: App,
    access: DatasetAccess<CreateDeleteFiles>,
    ids: Vec<PackageNodeId>,
) -> Result<PlacedOrders, Problem> {
    let order = restore::order_restore(&app.db, &app.queue, &access, &ids).await;
    let order = order.map_err(|error| Problem::order(error, &access))?;
    for package in &order.success {
        audit::restore(&access, package);
    }
    Ok(order)
}

/// Parts what may be asked of the database from what is a failure already.
fn sort(asked: Vec<String>) -> (Vec<PackageNodeId>, Answer) {
    let (mut ids, mut answer) = (Vec::with_capacity(asked.len()), Answer::default());
    let mut seen = HashSet::new();
    for text in asked {
        match PackageNodeId::parse(&text) {
            Ok(id) => ids.push(id),
            Err(_) if !seen.insert(text.clone()) => {}
            Err(_) => answer.failures.push(Failure {
                id: text.chars().take(MAX_ECHO).collect(),
                error: "not a package id: N:package:… or N:collection:…".to_owned(),
            }),
        }
    }
    (ids, answer)
}

impl PreviewResponse {
    fn new(preview: Preview, malformed: Vec<Failure>) -> Self {
        let package = |package: restore::PreviewedPackage| PreviewedPackage {
            id: package.id.into(),
            kind: package.kind.to_string(),
            name: package.name,
            new_name: package.new_name,
            lost: package.lost,
        };
        let refused = preview.failures.into_iter().map(Failure::from);
        Self {
            packages: preview.packages.into_iter().map(package).collect(),
            total: preview.total,
            bytes: preview.bytes,
            failures: malformed.into_iter().chain(refused).collect(),
        }
    }
}

impl From<restore::OrderFailure> for Failure {
    fn from(failure: restore::OrderFailure) -> Self {
        Self { id: failure.id.into(), error: failure.error }
    }
}

impl Answer {
    fn add(&mut self, order: PlacedOrders) {
        self.success.extend(order.success.into_iter().map(String::from));
        self.failures.extend(order.failures.into_iter().map(Failure::from));
    }
}

/// The texts in `{"nodeIds": [..]}`.
///
/// As lenient as the clients of the platform are used to: the member's name in any case (the last one counts), other
/// members ignored, null for an empty list or an empty text.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wish(Vec<String>);

impl Wish {
    fn parse(body: &[u8]) -> Result<Self, Problem> {
        let wish: Option<Self> = serde_json::from_slice(body).map_err(|_| {
            Problem::invalid(r#"the body must be JSON of the form {"nodeIds": ["N:package:…"]}"#)
        })?;
        let wish = wish.unwrap_or_default();
        if wish.0.len() > MAX_IDS {
            return Err(Problem::too_large(format!("one request may name up to {MAX_IDS} packages")));
        }
        Ok(wish)
    }
}

impl PartialSchema for Wish {
    fn schema() -> RefOr<Schema> {
        let or_null = |kind| SchemaType::from_iter([kind, Type::Null]);
        let id = Object::builder()
            .schema_type(or_null(Type::String))
            .description(Some("A node id. A text that is none becomes a failure of its own"))
            .examples(["N:package:032be5f6-8fb6-4b81-b783-615180ba7849"]);
        let ids = Array::builder().schema_type(or_null(Type::Array)).items(id).max_items(Some(MAX_IDS));
        let wish = Object::builder()
            .schema_type(or_null(Type::Object))
            .description(Some(
                "Which packages. The member's name may be in any case; other members are ignored",
            ))
            .property("nodeIds", ids.description(Some("Packages and collections; null for none")));
        wish.into()
    }
}

impl ToSchema for Wish {
    fn name() -> Cow<'static, str> {
        "RestoreRequest".into()
    }
}

impl<'de> Deserialize<'de> for Wish {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(WishVisitor)
    }
}

struct WishVisitor;

impl<'de> Visitor<'de> for WishVisitor {
    type Value = Wish;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with nodeIds")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Wish, A::Error> {
        let mut wish = Wish::default();
        while let Some(name) = map.next_key::<String>()? {
            if name.eq_ignore_ascii_case("nodeIds") {
                let ids: Option<Vec<Option<String>>> = map.next_value()?;
                wish.0 = ids.unwrap_or_default().into_iter().map(Option::unwrap_or_default).collect();
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(wish)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parse(body: &str) -> Result<Vec<String>, u16> {
        Wish::parse(body.as_bytes()).map(|wish| wish.0).map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn a_body_is_read_leniently() {
        for (body, ids) in [
            (r#"{"nodeIds":["a","b"]}"#, vec!["a", "b"]),
            (r#"{"NODEIDS":["a"]}"#, vec!["a"]),
            (r#"{"nodeIds":["a"],"nodeids":["b"]}"#, vec!["b"]),
            (r#" {"userId":7,"nodeIds":["a"],"x":{"nodeIds":[1]}} "#, vec!["a"]),
            (r#"{"nodeIds":["a",null]}"#, vec!["a", ""]),
            (r#"{"nodeIds":null}"#, vec![]),
            (r#"{"nodeIds":[]}"#, vec![]),
            ("{}", vec![]),
            ("null", vec![]),
        ] {
            assert_eq!(parse(body).unwrap(), ids, "{body}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for body in [
            "",
            " ",
            "{",
            "[]",
            "\"x\"",
            "7",
            r#"{"nodeIds":"a"}"#,
            r#"{"nodeIds":{"0":"a"}}"#,
            r#"{"nodeIds":[1]}"#,
            r#"{"nodeIds":[["a"]]}"#,
            r#"{"nodeIds":["a"]} x"#,
            r#"{"nodeIds":["a",]}"#,
            "{\"nodeIds\":[\"a\n\"]}",
        ] {
            assert_eq!(parse(body), Err(400), "{body}");
        }
        assert_eq!(parse(&format!(r#"{{"x":{}}}"#, "[".repeat(100_000))), Err(400), "too deep");
        assert!(Wish::parse(b"{\"nodeIds\":[\"\xff\"]}").is_err());
    }

    #[test]
    fn the_list_has_a_limit() {
        let body = |count: usize| json!({ "nodeIds": vec!["N:package:1"; count] }).to_string();
        assert_eq!(parse(&body(MAX_IDS)).unwrap().len(), MAX_IDS);
        assert_eq!(parse(&body(MAX_IDS + 1)), Err(413));
    }

    #[test]
    fn what_is_no_package_id_fails_by_itself() {
        let long = "é".repeat(1000);
        let asked = ["N:package:1", "N:dataset:1", "", "N:collection:2", "N:dataset:1", &long];
        let (ids, answer) = sort(asked.map(str::to_owned).to_vec());
        assert_eq!(
            ids.iter().map(PackageNodeId::as_str).collect::<Vec<_>>(),
            ["N:package:1", "N:collection:2"]
        );
        let failed: Vec<&str> = answer.failures.iter().map(|failure| failure.id.as_str()).collect();
        assert_eq!(failed, ["N:dataset:1", "", &"é".repeat(MAX_ECHO)]);
    }

    #[test]
    fn both_lists_are_always_there() {
        assert_eq!(serde_json::to_string(&Answer::default()).unwrap(), r#"{"success":[],"failures":[]}"#);
    }

    proptest! {
        #[test]
        fn no_body_panics(body in any::<Vec<u8>>()) {
            let _ = Wish::parse(&body);
        }
    }
}
