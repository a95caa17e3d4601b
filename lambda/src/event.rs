//! What events of all kinds have in common.

use serde::{Deserialize, Deserializer};

/// For members that may be null: what is said there is nothing, as where the member is absent. AWS's own console and
/// libraries write events so.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
