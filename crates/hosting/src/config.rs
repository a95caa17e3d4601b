//! The configuration: read once from the environment, whole or not at all.
//!
//! A host reads its part ([`ServiceConfig`], [`RestoreConfig`], [`AuthorizeConfig`], or [`ServerConfig`], which is all
//! three). It gets all of it or a [`ConfigError`], which names every variable that is missing or invalid, and no value.
//!
//! A new variable is a row in [`variables`], and a field of a part with the line that reads it. `make configuration` then
//! updates docs/configuration.md.

mod authorize;
mod buckets;
mod connections;
mod console;
mod parse;
mod platform;
mod reader;
mod restore;
mod service;
mod variable;
pub mod variables;

use std::time::Duration;

pub use self::{
    authorize::AuthorizeConfig,
    connections::ConnectionsConfig,
    console::{ConsoleConfig, LoginConfig, leaves_console_paths},
    platform::{DatabaseConfig, EndpointsConfig, PlatformConfig},
    reader::ConfigError,
    restore::RestoreConfig,
    service::{CdnConfig, KeyLocation, ServiceConfig},
    variable::{Requirement, Variable, VariableDescription, markdown_table},
    variables::VARIABLES,
};

use std::net::SocketAddr;

use api::PathPrefix;
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
    /// How long decisions of who has access are remembered.
    pub authorization_cache: Duration,
    /// Restoring, unless the restore function does it, which a queue leads to.
    pub restore: Option<RestoreConfig>,
    /// What its clients may take.
    pub connections: ConnectionsConfig,
    /// The address and port to listen on.
    pub listen: SocketAddr,
    /// The path that all routes of the API begin with.
    pub path_prefix: PathPrefix,
    /// The web app.
    pub console: ConsoleConfig,
}

impl ServerConfig {
    /// Reads the configuration of a server.
    pub fn read(lookup: VariableLookup<'_>) -> Result<Self, ConfigError> {
        Reader::read_all(Host::Server, lookup, |env| {
            // All parts are read before the first `?`, so that all errors are reported at once.
            let platform = PlatformConfig::read(env);
            let service = ServiceConfig::read_part(env, platform.clone());
            let authorize = AuthorizeConfig::read_part(env, platform.clone());
            let authorization_cache = env.read(&variables::AUTHORIZATION_CACHE_SECONDS);
            let runs_restores = !env.is_set(&variables::RESTORE_PACKAGE_QUEUE_URL);
            let restore = runs_restores.then(|| RestoreConfig::read_part(env, platform));
            let connections = ConnectionsConfig::read_part(env);
            let (listen, path_prefix) =
                (env.read(&variables::LISTEN_ADDRESS), env.read(&variables::API_PATH_PREFIX));
            let console = ConsoleConfig::read_part(env);
            Some(Self {
                service: service?,
                authorize: authorize?,
                authorization_cache: authorization_cache?,
                restore: restore.flatten(),
                connections: connections?,
                listen: listen?,
                path_prefix: path_prefix?,
                console: console?,
            })
        })
    }
}

#[cfg(test)]
mod tests;
