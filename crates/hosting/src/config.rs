//! The configuration: read once from the environment, whole or not at all.
//!
//! A host reads its part ([`ServiceConfig`], [`RestoreConfig`], [`AuthorizeConfig`], or [`ServerConfig`], which is all
//! three). It gets all of it or a [`ConfigError`], which names every variable that is missing or invalid, and no value.
//!
//! A new variable is a row in [`variables`], and a field of a part with the line that reads it. `make configuration` then
//! updates docs/configuration.md.

mod authorize;
mod buckets;
mod parse;
mod platform;
mod reader;
mod restore;
mod service;
mod variable;
pub mod variables;

pub use self::{
    authorize::AuthorizeConfig,
    platform::{DatabaseConfig, EndpointsConfig, PlatformConfig},
    reader::ConfigError,
    restore::RestoreConfig,
    service::{CdnConfig, KeyLocation, ServiceConfig},
    variable::{Requirement, Variable, VariableDescription, markdown_table},
    variables::VARIABLES,
};

use reader::Reader;

/// Where a variable's value comes from.
pub type VariableLookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The kind of host. Some requirements and defaults depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// A Lambda function: one request at a time, credentials in the environment.
    Lambda,
    /// A server: many requests at a time, credentials from AWS's default chain.
    Server,
}

/// The configuration of a server: all parts in one process.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The API.
    pub service: ServiceConfig,
    /// Verifying tokens.
    pub authorize: AuthorizeConfig,
    /// Restoring, unless the restore function does it, which a queue leads to.
    pub restore: Option<RestoreConfig>,
}

impl ServerConfig {
    /// Reads the configuration of a server.
    pub fn read(lookup: VariableLookup<'_>) -> Result<Self, ConfigError> {
        Reader::read_all(Host::Server, lookup, |env| {
            // All parts are read before the first `?`, so that all errors are reported at once.
            let platform = PlatformConfig::read(env);
            let service = ServiceConfig::read_part(env, platform.clone());
            let authorize = AuthorizeConfig::read_part(env, platform.clone());
            let runs_restores = !env.is_set(&variables::RESTORE_PACKAGE_QUEUE_URL);
            let restore = runs_restores.then(|| RestoreConfig::read_part(env, platform));
            Some(Self { service: service?, authorize: authorize?, restore: restore.flatten() })
        })
    }
}

#[cfg(test)]
mod tests;
