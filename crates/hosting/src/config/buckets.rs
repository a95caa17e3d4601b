//! What is known about buckets.

use signing::s3::Region;
use storage::BucketTable;

use crate::config::{
    reader::Reader,
    variables::{BUCKETS, EXTERNAL_BUCKETS_ROLE_MAP},
};

/// Reads the table of buckets. `home` is the service's region.
pub(super) fn read_buckets(env: &mut Reader<'_>, home: &Region) -> Option<BucketTable> {
    let table = match env.read(&BUCKETS) {
        None => Ok(BucketTable::default()),
        Some(value) => load_json(&value)
            .and_then(|json| BucketTable::parse(&json, home).map_err(|error| error.to_string())),
    };
    let table = table.map_err(|reason| env.reject(&BUCKETS, reason)).ok()?;
    let Some(roles) = env.read(&EXTERNAL_BUCKETS_ROLE_MAP) else { return Some(table) };
    let table = table.with_external_roles(&roles, home);
    table.map_err(|reason| env.reject(&EXTERNAL_BUCKETS_ROLE_MAP, reason)).ok()
}

/// The value itself, or the content of the file that it names: no path begins with a bracket.
fn load_json(value: &str) -> Result<String, String> {
    if value.starts_with('[') {
        return Ok(value.to_owned());
    }
    std::fs::read_to_string(value).map_err(|error| format!("the file cannot be read: {}", error.kind()))
}
