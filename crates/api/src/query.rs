//! Parses the query string, strictly and once per request.
//!
//! Two programs may read a repeated parameter or a broken escape differently: the gateway's authorizer could check one
//! dataset and this service could open another. So both are errors.

use std::{collections::BTreeMap, ops::RangeInclusive, str::FromStr, sync::Arc};

use axum::extract::FromRequestParts;
use http::request::Parts;
use packages::id::{DatasetNodeId, InvalidNodeId, PackageNodeId};

use crate::Problem;

/// The decoded parameters. No `Debug`: a parameter may hold a presigned URL, which must not be logged.
#[derive(Clone)]
pub(crate) struct Query(Arc<BTreeMap<String, String>>);

/// Why a query string is invalid.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum InvalidQuery {
    /// A percent sign without two hexadecimal digits.
    #[error("the query has a '%' that is not followed by two hexadecimal digits")]
    Escape,
    /// Bytes that are not UTF-8.
    #[error("the query is not UTF-8")]
    Utf8,
    /// A NUL character.
    #[error("the query has a NUL character")]
    Nul,
    /// A parameter occurs twice. The name is plain text and safe to repeat.
    #[error("query parameter '{0}' is given more than once")]
    Repeated(String),
    /// A parameter occurs twice. The name is not plain text, so it is not repeated.
    #[error("a query parameter is given more than once")]
    RepeatedUnnamed,
}

impl Query {
    /// Decodes `a=1&b=x+y%20z` as `application/x-www-form-urlencoded` (WHATWG URL, section 5.1). Unlike there, broken
    /// escapes are errors.
    fn parse(raw: &str) -> Result<Self, InvalidQuery> {
        let mut parameters = BTreeMap::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode_component(name)?, decode_component(value)?);
            if parameters.contains_key(&name) {
                let is_plain = is_plain_name(&name);
                return Err(if is_plain {
                    InvalidQuery::Repeated(name)
                } else {
                    InvalidQuery::RepeatedUnnamed
                });
            }
            parameters.insert(name, value);
        }
        Ok(Self(Arc::new(parameters)))
    }

    /// The query of a request. The first call parses it and stores it in the request's extensions.
    pub(crate) fn from_parts(parts: &mut Parts) -> Result<Self, Problem> {
        // `Caller` and the handler's own argument both need the query.
        if let Some(query) = parts.extensions.get::<Self>() {
            return Ok(query.clone());
        }
        let query = Self::parse(parts.uri.query().unwrap_or_default());
        let query = query.map_err(|error| Problem::invalid(error.to_string()))?;
        parts.extensions.insert(query.clone());
        Ok(query)
    }

    /// The value of a parameter. An empty value counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of a required parameter.
    pub(crate) fn require(&self, name: &'static str) -> Result<&str, Problem> {
        self.get(name).ok_or_else(|| Problem::invalid(format!("missing required '{name}' query parameter")))
    }

    /// `dataset_id`.
    pub(crate) fn dataset_id(&self) -> Result<DatasetNodeId, Problem> {
        DatasetNodeId::parse(self.require("dataset_id")?)
            .map_err(|error| invalid_node_id("dataset_id", error))
    }

    /// `package_id`. It is added to the request's span, and so to every later log line.
    pub(crate) fn package_id(&self) -> Result<PackageNodeId, Problem> {
        let id = self.require("package_id")?;
        let id = PackageNodeId::parse(id).map_err(|error| invalid_node_id("package_id", error))?;
        tracing::Span::current().record("package", id.as_str());
        Ok(id)
    }

    /// `parent`.
    pub(crate) fn parent_id(&self) -> Result<Option<PackageNodeId>, Problem> {
        let parent = self.get("parent").map(PackageNodeId::parse).transpose();
        parent.map_err(|error| invalid_node_id("parent", error))
    }

    /// A flag. An absent one is false.
    pub(crate) fn parse_flag(&self, name: &'static str) -> Result<bool, Problem> {
        Ok(self.parse_optional_flag(name)?.unwrap_or(false))
    }

    /// A flag: `true`, `1`, `false` or `0`, in any case.
    pub(crate) fn parse_optional_flag(&self, name: &'static str) -> Result<Option<bool>, Problem> {
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(Problem::invalid(format!("query parameter '{name}' must be true or false"))),
        }
    }

    /// A whole number in a range, in decimal digits.
    pub(crate) fn parse_number(
        &self,
        name: &'static str,
        range: RangeInclusive<u16>,
    ) -> Result<Option<u16>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let number = parse_digits(text).filter(|number| range.contains(number));
        let (first, last) = (range.start(), range.end());
        let invalid =
            || Problem::invalid(format!("query parameter '{name}' must be a number from {first} to {last}"));
        number.map(Some).ok_or_else(invalid)
    }

    /// The names of all parameters.
    pub(crate) fn parameter_names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::from_parts(parts)
    }
}

/// Parses the `dataset_id` parameter of a request, for a host that authorizes callers itself.
pub fn parse_dataset_id(parts: &mut Parts) -> Result<DatasetNodeId, Problem> {
    Query::from_parts(parts)?.dataset_id()
}

/// The same, where the parameter may be absent.
pub fn parse_optional_dataset_id(parts: &mut Parts) -> Result<Option<DatasetNodeId>, Problem> {
    let query = Query::from_parts(parts)?;
    query.get("dataset_id").map(|_| query.dataset_id()).transpose()
}

/// The package that a request names, for a host that looks it up with its decision on access. `None` if the endpoint will refuse
/// the query.
pub fn find_package_id(parts: &mut Parts) -> Option<PackageNodeId> {
    PackageNodeId::parse(Query::from_parts(parts).ok()?.get("package_id")?).ok()
}

fn invalid_node_id(name: &str, error: InvalidNodeId) -> Problem {
    Problem::invalid(format!("query parameter '{name}' is {error}"))
}

/// Whether a parameter's name can be repeated in an error. Other names could carry markup into a page or a log.
fn is_plain_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn decode_component(text: &str) -> Result<String, InvalidQuery> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+' | 0)) {
        return Ok(text.to_owned());
    }
    // Plus signs first, so that `%2B` stays a plus sign.
    let decoded = signing::percent::decode(&text.replace('+', " ")).ok_or(InvalidQuery::Escape)?;
    // Postgres's text type has no NUL.
    if decoded.contains(&0) {
        return Err(InvalidQuery::Nul);
    }
    String::from_utf8(decoded).map_err(|_| InvalidQuery::Utf8)
}

/// A number in decimal digits. `str::parse` would accept a leading sign.
pub(crate) fn parse_digits<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse_error(raw: &str) -> InvalidQuery {
        Query::parse(raw).err().unwrap()
    }

    #[test]
    fn decodes_parameters_as_form_data() {
        let query = Query::parse("a=1&&b=x+y%20z%2B&c&d=&e=%E6%9D%B1=&").unwrap();
        assert_eq!(query.get("a"), Some("1"));
        assert_eq!(query.get("b"), Some("x y z+"));
        assert_eq!(query.get("c"), None);
        assert_eq!(query.get("d"), None, "an empty value counts as absent");
        assert_eq!(query.get("e"), Some("東="));
        assert_eq!(query.parameter_names().count(), 5);
        assert_eq!(Query::parse("").unwrap().parameter_names().count(), 0);
    }

    #[test]
    fn rejects_ambiguous_queries() {
        for raw in ["a=%", "a=%4", "a=%zz", "%=1", "a=%+1"] {
            assert_eq!(parse_error(raw), InvalidQuery::Escape, "{raw}");
        }
        for raw in ["a=%ff", "a=%C0%AF", "a=%ED%A0%80"] {
            assert_eq!(parse_error(raw), InvalidQuery::Utf8, "{raw}");
        }
        assert_eq!(parse_error("a=x%00"), InvalidQuery::Nul);
        assert_eq!(parse_error("dataset_id=1&dataset%5Fid=2"), InvalidQuery::Repeated("dataset_id".into()));
        assert_eq!(
            parse_error("%3Cb%3E&%3Cb%3E"),
            InvalidQuery::RepeatedUnnamed,
            "an odd name is not repeated to the client"
        );
    }

    #[test]
    fn parses_numbers_and_flags_strictly() {
        let query =
            Query::parse("n=007&big=1001&huge=99999999999&sign=%2B5&zero=0&yes=true&no=false&one=1&none=0&loud=True&odd=yes").unwrap();
        let number = |name| query.parse_number(name, 1..=1000).map_err(|problem| problem.status().as_u16());
        assert_eq!(number("n"), Ok(Some(7)));
        assert_eq!(number("absent"), Ok(None));
        for name in ["big", "huge", "sign", "zero", "yes"] {
            assert_eq!(number(name), Err(400), "{name}");
        }
        let flag = |name| query.parse_flag(name).map_err(|problem| problem.status().as_u16());
        for name in ["yes", "one", "loud"] {
            assert_eq!(flag(name), Ok(true), "{name}");
        }
        for name in ["no", "none", "absent"] {
            assert_eq!(flag(name), Ok(false), "{name}");
        }
        assert_eq!(flag("odd"), Err(400));
    }

    proptest! {
        #[test]
        fn no_query_panics(raw in "[a-f0-9%=&+\\x00é]{0,60}") {
            let _ = Query::parse(&raw);
        }

        #[test]
        fn decodes_what_was_encoded(value in "\\PC{1,40}") {
            let escapes: Vec<String> = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let query = Query::parse(&format!("v={}", escapes.concat())).unwrap();
            prop_assert_eq!(query.get("v"), Some(value.as_str()));
        }
    }
}
