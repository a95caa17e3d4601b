//! Deserialization that all events share.

use serde::{Deserialize, Deserializer};

/// Deserializes null as the default value, like an absent member. Test events of the AWS console and events of AWS's
/// libraries contain such nulls.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
