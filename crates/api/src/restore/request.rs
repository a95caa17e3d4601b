//! The body of a restore request.

use std::{borrow::Cow, collections::HashSet, fmt};

use packages::id::{MAX_NODE_ID_BYTES, PackageNodeId};
use serde::{
    Deserialize,
    de::{Deserializer, IgnoredAny, MapAccess, Visitor},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Array, Object, RefOr, Schema, Type, schema::SchemaType},
};

use super::response::FailedOrder;
use crate::Problem;

/// How many packages one request may name.
const MAX_IDS: usize = 10_000;

/// How much of an invalid id the response repeats: the length of the longest node id.
const MAX_ECHO_CHARS: usize = MAX_NODE_ID_BYTES;

/// The texts in `{"nodeIds": [..]}`.
///
/// The parser is as lenient as the platform's clients expect. The member's name may be in any case, and the last one
/// counts. Other members are ignored. Null means an empty list, or an empty text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RestoreRequest {
    node_ids: Vec<String>,
}

/// The ids of a request, parsed.
#[derive(Debug, Default)]
pub(super) struct PackageIds {
    pub(super) valid: Vec<PackageNodeId>,
    /// Each invalid id once.
    pub(super) failures: Vec<FailedOrder>,
}

impl RestoreRequest {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Problem> {
        // `null` is a valid body, without ids.
        let request: Option<Self> = serde_json::from_slice(body).map_err(|_| {
            Problem::invalid(r#"the body must be JSON of the form {"nodeIds": ["N:package:…"]}"#)
        })?;
        let request = request.unwrap_or_default();
        if request.node_ids.len() > MAX_IDS {
            return Err(Problem::too_large(format!("one request may name up to {MAX_IDS} packages")));
        }
        Ok(request)
    }

    /// Separates valid ids from invalid ones, which the response lists as failures.
    pub(super) fn into_package_ids(self) -> PackageIds {
        let mut ids = PackageIds { valid: Vec::with_capacity(self.node_ids.len()), failures: Vec::new() };
        let mut seen = HashSet::new();
        for text in self.node_ids {
            match PackageNodeId::parse(&text) {
                Ok(id) => ids.valid.push(id),
                // Repeated valid ids are merged by the order itself.
                Err(_) if !seen.insert(text.clone()) => {}
                Err(_) => ids.failures.push(FailedOrder {
                    id: text.chars().take(MAX_ECHO_CHARS).collect(),
                    error: "not a package id: N:package:… or N:collection:…".to_owned(),
                }),
            }
        }
        ids
    }
}

impl PartialSchema for RestoreRequest {
    fn schema() -> RefOr<Schema> {
        let or_null = |kind| SchemaType::from_iter([kind, Type::Null]);
        let id = Object::builder()
            .schema_type(or_null(Type::String))
            .description(Some("A node id. An invalid one is listed in `failures`"))
            .examples(["N:package:032be5f6-8fb6-4b81-b783-615180ba7849"]);
        let ids = Array::builder().schema_type(or_null(Type::Array)).items(id).max_items(Some(MAX_IDS));
        let request = Object::builder()
            .schema_type(or_null(Type::Object))
            .description(Some(
                "The packages to restore. The member's name may be in any case. Other members are ignored",
            ))
            .property("nodeIds", ids.description(Some("Packages and collections. Null is an empty list")));
        request.into()
    }
}

impl ToSchema for RestoreRequest {
    fn name() -> Cow<'static, str> {
        "RestoreRequest".into()
    }
}

impl<'de> Deserialize<'de> for RestoreRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RestoreRequestVisitor)
    }
}

/// By hand, because serde matches member names by case and refuses repeated ones.
struct RestoreRequestVisitor;

impl<'de> Visitor<'de> for RestoreRequestVisitor {
    type Value = RestoreRequest;

    // Never shown: errors of the parser are replaced by one text.
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with nodeIds")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RestoreRequest, A::Error> {
        let mut request = RestoreRequest::default();
        while let Some(name) = map.next_key::<String>()? {
            if name.eq_ignore_ascii_case("nodeIds") {
                let ids: Option<Vec<Option<String>>> = map.next_value()?;
                request.node_ids =
                    ids.unwrap_or_default().into_iter().map(Option::unwrap_or_default).collect();
            } else {
                // Still parsed, so that malformed JSON is an error anywhere in the body.
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parse(body: &str) -> Result<Vec<String>, u16> {
        RestoreRequest::parse(body.as_bytes())
            .map(|request| request.node_ids)
            .map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn parses_leniently() {
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
    fn rejects_other_bodies() {
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
        assert!(RestoreRequest::parse(b"{\"nodeIds\":[\"\xff\"]}").is_err());
    }

    #[test]
    fn limits_the_number_of_ids() {
        let body = |count: usize| json!({ "nodeIds": vec!["N:package:1"; count] }).to_string();
        assert_eq!(parse(&body(MAX_IDS)).unwrap().len(), MAX_IDS);
        assert_eq!(parse(&body(MAX_IDS + 1)), Err(413));
    }

    #[test]
    fn separates_invalid_ids() {
        let long = "é".repeat(1000);
        let node_ids = ["N:package:1", "N:dataset:1", "", "N:collection:2", "N:dataset:1", &long];
        let request = RestoreRequest { node_ids: node_ids.map(str::to_owned).to_vec() };
        let ids = request.into_package_ids();
        assert_eq!(
            ids.valid.iter().map(PackageNodeId::as_str).collect::<Vec<_>>(),
            ["N:package:1", "N:collection:2"]
        );
        let failed: Vec<&str> = ids.failures.iter().map(|failure| failure.id.as_str()).collect();
        assert_eq!(failed, ["N:dataset:1", "", &"é".repeat(MAX_ECHO_CHARS)]);
    }

    proptest! {
        #[test]
        fn no_body_panics(body in any::<Vec<u8>>()) {
            let _ = RestoreRequest::parse(&body);
        }
    }
}
