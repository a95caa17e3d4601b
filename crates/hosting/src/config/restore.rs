//! What restoring needs.

use std::time::Duration;

use crate::config::{
    ConfigError, Host, PlatformConfig, VariableLookup,
    reader::Reader,
    variables::{
        DELETE_RECORD_DYNAMODB_TABLE_NAME, JOBS_QUEUE_ID, RESTORE_PACKAGE_QUEUE_URL, RESTORE_STRAY_HOURS,
    },
};

/// What restoring needs.
#[derive(Debug, Clone)]
pub struct RestoreConfig {
    /// What all hosts need.
    pub platform: PlatformConfig,
    /// The name of the DynamoDB table of delete records, if there is one.
    pub delete_record_table: Option<String>,
    /// The URL of the changelog's queue, if there is one.
    pub changelog_queue_url: Option<String>,
    /// The URL of the queue of restore messages, unless the host's own process runs restores.
    pub restore_queue_url: Option<String>,
    /// How long a package may be RESTORING without a restore order before it goes back to the trash.
    pub stray_max_age: Duration,
}

impl RestoreConfig {
    /// Reads what restoring needs.
    pub fn read(host: Host, lookup: VariableLookup<'_>) -> Result<Self, ConfigError> {
        Reader::read_all(host, lookup, |env| {
            let platform = PlatformConfig::read(env);
            Self::read_part(env, platform)
        })
    }

    pub(super) fn read_part(env: &mut Reader<'_>, platform: Option<PlatformConfig>) -> Option<Self> {
        let delete_record_table = env.read(&DELETE_RECORD_DYNAMODB_TABLE_NAME);
        let changelog_queue_url = env.read(&JOBS_QUEUE_ID);
        let restore_queue_url = env.read(&RESTORE_PACKAGE_QUEUE_URL);
        let stray_max_age = env.read(&RESTORE_STRAY_HOURS);
        Some(Self {
            platform: platform?,
            delete_record_table: delete_record_table?,
            changelog_queue_url: changelog_queue_url?,
            restore_queue_url,
            stray_max_age: stray_max_age?,
        })
    }
}
