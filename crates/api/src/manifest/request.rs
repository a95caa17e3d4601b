//! The body of a request for a manifest.

use packages::manifest::ManifestRequest;
use serde::Deserialize;
use serde_json::Number;
use utoipa::ToSchema;

use crate::Problem;

/// How many packages a request may name.
const MAX_NODE_IDS: usize = 200;

/// How many files a request may name.
const MAX_FILE_IDS: usize = 10_000;

/// The packages and files.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ManifestRequest)]
pub(crate) struct ManifestBody {
    /// Packages and collections: up to 200 node ids.
    #[schema(min_items = 1, max_items = 200)]
    node_ids: Vec<String>,
    /// Only these files of the packages: up to 10,000 ids. Null, absent or empty for all.
    #[schema(max_items = 10_000, value_type = Option<Vec<i64>>)]
    file_ids: Option<Vec<Number>>,
}

pub(super) fn parse_manifest_request(body: &[u8]) -> Result<ManifestRequest, Problem> {
    let malformed = || Problem::invalid(r#"the body must be JSON of the form {"nodeIds": ["N:package:…"]}"#);
    let ManifestBody { node_ids, file_ids } = serde_json::from_slice(body).map_err(|_| malformed())?;
    if node_ids.is_empty() {
        return Err(Problem::invalid("nodeIds must not be empty"));
    }
    if node_ids.len() > MAX_NODE_IDS {
        return Err(Problem::too_large(format!("one request may name up to {MAX_NODE_IDS} packages")));
    }
    let file_ids = file_ids.filter(|ids| !ids.is_empty());
    if file_ids.as_ref().is_some_and(|ids| ids.len() > MAX_FILE_IDS) {
        return Err(Problem::too_large(format!("one request may name up to {MAX_FILE_IDS} files")));
    }
    let file_ids: Option<Vec<f64>> = file_ids
        .map(|ids| ids.iter().map(whole_number).collect::<Option<_>>().ok_or_else(malformed))
        .transpose()?;
    let file_ids = file_ids.map(|ids| ids.into_iter().filter_map(parse_file_id).collect());
    Ok(ManifestRequest::new(node_ids, file_ids))
}

/// A number without a fraction. JSON has one type of numbers: `3.0` is an integer, too.
fn whole_number(number: &Number) -> Option<f64> {
    number.as_f64().filter(|number| number.fract() == 0.0)
}

/// `None`: the number does not fit the column, so that it is no file's id.
fn parse_file_id(number: f64) -> Option<i32> {
    let range = f64::from(i32::MIN)..=f64::from(i32::MAX);
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    range.contains(&number).then_some(number as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<ManifestRequest, u16> {
        parse_manifest_request(body.as_bytes()).map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn names_packages_and_files() {
        let request =
            parse(r#"{"nodeIds": ["N:package:1", "x"], "fileIds": [1, 2.0, 99999999999], "other": true}"#)
                .unwrap();
        assert_eq!((request.node_ids.len(), request.file_ids), (2, Some(vec![1, 2])));
        for all in [
            r#"{"nodeIds": ["a"]}"#,
            r#"{"nodeIds": ["a"], "fileIds": null}"#,
            r#"{"nodeIds": ["a"], "fileIds": []}"#,
        ] {
            assert_eq!(parse(all).unwrap().file_ids, None);
        }
    }

    #[test]
    fn other_bodies_are_refused() {
        for body in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"nodeIds": []}"#,
            r#"{"nodeIds": null}"#,
            r#"{"nodeIds": [1]}"#,
            r#"{"nodeIds": ["a"], "fileIds": [1.5]}"#,
        ] {
            assert_eq!(parse(body).err(), Some(400), "{body}");
        }
        let many = |count: usize| format!(r#"{{"nodeIds": [{}]}}"#, vec![r#""a""#; count].join(","));
        assert!(parse(&many(200)).is_ok());
        assert_eq!(parse(&many(201)).err(), Some(413));
    }
}
