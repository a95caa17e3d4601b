//! The body of a request for a manifest.

use packages::manifest::ManifestRequest;
use serde::Deserialize;
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
    #[schema(max_items = 10_000)]
    file_ids: Option<Vec<i64>>,
}

pub(super) fn parse_manifest_request(body: &[u8]) -> Result<ManifestRequest, Problem> {
    let ManifestBody { node_ids, file_ids } = serde_json::from_slice(body)
        .map_err(|_| Problem::invalid(r#"the body must be JSON of the form {"nodeIds": ["N:package:…"]}"#))?;
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
    // A number that is too large for the column is no file's id.
    let file_ids = file_ids.map(|ids| ids.into_iter().filter_map(|id| i32::try_from(id).ok()).collect());
    Ok(ManifestRequest { node_ids, file_ids })
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
            parse(r#"{"nodeIds": ["N:package:1", "x"], "fileIds": [1, 99999999999], "other": true}"#)
                .unwrap();
        assert_eq!((request.node_ids.len(), request.file_ids), (2, Some(vec![1])));
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
        for body in
            ["", "null", "[]", "{}", r#"{"nodeIds": []}"#, r#"{"nodeIds": null}"#, r#"{"nodeIds": [1]}"#]
        {
            assert_eq!(parse(body).err(), Some(400), "{body}");
        }
        let many = |count: usize| format!(r#"{{"nodeIds": [{}]}}"#, vec![r#""a""#; count].join(","));
        assert!(parse(&many(200)).is_ok());
        assert_eq!(parse(&many(201)).err(), Some(413));
    }
}
