//! The query string, read strictly and once.
//!
//! A parameter that is given twice means one thing to us and another to whoever checked the request before us, so it
//! is refused, and so is what does not decode: a byte more or less decides which package is meant.

use std::{collections::BTreeMap, fmt, ops::RangeInclusive, sync::Arc};

use axum::extract::FromRequestParts;
use http::request::Parts;
use packages::id::{DatasetNodeId, InvalidNodeId, PackageNodeId};

use crate::Problem;

/// The decoded parameters. They may hold links that open things, so there is no `Debug`.
#[derive(Clone)]
pub(crate) struct Query(Arc<BTreeMap<String, String>>);

/// Why a query string is refused.
#[derive(Debug, PartialEq, Eq)]
enum InvalidQuery {
    /// A percent sign without two hexadecimal digits.
    Escape,
    /// Bytes that are not UTF-8.
    Utf8,
    /// A NUL character.
    Nul,
    /// A parameter is given twice; its name, where that is harmless to repeat.
    Repeated(Option<String>),
}

impl fmt::Display for InvalidQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Escape => f.write_str("the query has a '%' that is not followed by two hexadecimal digits"),
            Self::Utf8 => f.write_str("the query is not UTF-8"),
            Self::Nul => f.write_str("the query has a NUL character"),
            Self::Repeated(Some(name)) => write!(f, "query parameter '{name}' is given more than once"),
            Self::Repeated(None) => f.write_str("a query parameter is given more than once"),
        }
    }
}

impl Query {
    /// Decodes `a=1&b=x+y%20z` as forms are encoded (WHATWG URL, `application/x-www-form-urlencoded`), but strictly.
    fn parse(raw: &str) -> Result<Self, InvalidQuery> {
        let mut parameters = BTreeMap::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if parameters.contains_key(&name) {
                return Err(InvalidQuery::Repeated(is_plain(&name).then_some(name)));
            }
            parameters.insert(name, value);
        }
        Ok(Self(Arc::new(parameters)))
    }

    /// A request's query; the second time as it was read the first time.
    pub(crate) fn of(parts: &mut Parts) -> Result<Self, Problem> {
        if let Some(query) = parts.extensions.get::<Self>() {
            return Ok(query.clone());
        }
        let query = Self::parse(parts.uri.query().unwrap_or_default());
        let query = query.map_err(|error| Problem::invalid(error.to_string()))?;
        parts.extensions.insert(query.clone());
        Ok(query)
    }

    /// A parameter's value; an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of a parameter that must be there.
    pub(crate) fn required(&self, name: &'static str) -> Result<&str, Problem> {
        self.get(name).ok_or_else(|| Problem::invalid(format!("missing required '{name}' query parameter")))
    }

    /// `dataset_id`.
    pub(crate) fn dataset(&self) -> Result<DatasetNodeId, Problem> {
        DatasetNodeId::parse(self.required("dataset_id")?).map_err(|error| not_an_id("dataset_id", error))
    }

    /// `package_id`, which from here on is in every line that is logged for this request.
    pub(crate) fn package(&self) -> Result<PackageNodeId, Problem> {
        let id = self.required("package_id")?;
        let id = PackageNodeId::parse(id).map_err(|error| not_an_id("package_id", error))?;
        tracing::Span::current().record("package", id.as_str());
        Ok(id)
    }

    /// `parent`.
    pub(crate) fn parent(&self) -> Result<Option<PackageNodeId>, Problem> {
        let parent = self.get("parent").map(PackageNodeId::parse).transpose();
        parent.map_err(|error| not_an_id("parent", error))
    }

    /// A parameter that is `true` or `1`, or `false` or `0`, in any case; false where it is absent.
    pub(crate) fn flag(&self, name: &'static str) -> Result<bool, Problem> {
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            Some("true" | "1") => Ok(true),
            None | Some("false" | "0") => Ok(false),
            Some(_) => Err(Problem::invalid(format!("query parameter '{name}' is neither true nor false"))),
        }
    }

    /// A whole number in a range, in decimal digits.
    pub(crate) fn number(
        &self,
        name: &'static str,
        range: RangeInclusive<u16>,
    ) -> Result<Option<u16>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let number = digits.and_then(|text| text.parse().ok()).filter(|number| range.contains(number));
        let (first, last) = (range.start(), range.end());
        let wrong =
            || Problem::invalid(format!("query parameter '{name}' is not a number from {first} to {last}"));
        number.map(Some).ok_or_else(wrong)
    }

    /// The names of all parameters.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(parts)
    }
}

/// The dataset that a request is about, for a host that must know it to say who asks.
pub fn dataset_id(parts: &mut Parts) -> Result<DatasetNodeId, Problem> {
    Query::of(parts)?.dataset()
}

fn not_an_id(name: &str, error: InvalidNodeId) -> Problem {
    Problem::invalid(format!("query parameter '{name}' is {error}"))
}

fn is_plain(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn decode(text: &str) -> Result<String, InvalidQuery> {
    let decoded = signing::percent::decode(&text.replace('+', " ")).ok_or(InvalidQuery::Escape)?;
    if decoded.contains(&0) {
        return Err(InvalidQuery::Nul);
    }
    String::from_utf8(decoded).map_err(|_| InvalidQuery::Utf8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(raw: &str) -> Result<Query, InvalidQuery> {
        Query::parse(raw)
    }

    fn refused(raw: &str) -> InvalidQuery {
        parse(raw).err().unwrap()
    }

    #[test]
    fn parameters_are_decoded_as_forms_encode_them() {
        let query = parse("a=1&&b=x+y%20z%2B&c&d=&e=%E6%9D%B1=&").unwrap();
        assert_eq!(query.get("a"), Some("1"));
        assert_eq!(query.get("b"), Some("x y z+"));
        assert_eq!(query.get("c"), None);
        assert_eq!(query.get("d"), None, "an empty value counts as absent");
        assert_eq!(query.get("e"), Some("東="));
        assert_eq!(query.names().count(), 5);
        assert_eq!(parse("").unwrap().names().count(), 0);
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for raw in ["a=%", "a=%4", "a=%zz", "%=1", "a=%+1"] {
            assert_eq!(refused(raw), InvalidQuery::Escape, "{raw}");
        }
        for raw in ["a=%ff", "a=%C0%AF", "a=%ED%A0%80"] {
            assert_eq!(refused(raw), InvalidQuery::Utf8, "{raw}");
        }
        assert_eq!(refused("a=x%00"), InvalidQuery::Nul);
        assert_eq!(refused("dataset_id=1&dataset%5Fid=2"), InvalidQuery::Repeated(Some("dataset_id".into())));
        assert_eq!(
            refused("%3Cb%3E&%3Cb%3E"),
            InvalidQuery::Repeated(None),
            "an odd name is not repeated to the client"
        );
    }

    #[test]
    fn numbers_and_flags_are_read_strictly() {
        let query =
            parse("n=007&big=1001&huge=99999999999&sign=%2B5&zero=0&yes=true&no=false&one=1&none=0&loud=True&odd=yes").unwrap();
        let number = |name| query.number(name, 1..=1000).map_err(|problem| problem.status().as_u16());
        assert_eq!(number("n"), Ok(Some(7)));
        assert_eq!(number("absent"), Ok(None));
        for name in ["big", "huge", "sign", "zero", "yes"] {
            assert_eq!(number(name), Err(400), "{name}");
        }
        let flag = |name| query.flag(name).map_err(|problem| problem.status().as_u16());
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
            let _ = parse(&raw);
        }

        #[test]
        fn what_is_encoded_comes_back(value in "\\PC{1,40}") {
            let escapes: Vec<String> = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let query = parse(&format!("v={}", escapes.concat())).unwrap();
            prop_assert_eq!(query.get("v"), Some(value.as_str()));
        }
    }
}
