//! Reads variables, and collects all errors instead of stopping at the first.

use std::collections::BTreeSet;

use crate::config::{
    Host, VariableLookup,
    variable::{Requirement, Variable, VariableDescription},
    variables::{ENV, POSTGRES_HOST, RDS_PROXY_ENDPOINT},
};

/// All errors of a configuration. It names variables and never repeats a value.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid configuration{}{}; see docs/configuration.md",
    list("; not set: ", missing),
    list("; invalid value: ", invalid)
)]
pub struct ConfigError {
    missing: BTreeSet<String>,
    invalid: BTreeSet<String>,
}

impl ConfigError {
    /// Variables that are not set, with the variable that may be set instead: `NAME (or OTHER)`.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.missing.iter().map(String::as_str)
    }

    /// Variables whose value is invalid, some with the reason: `NAME (reason)`.
    pub fn invalid(&self) -> impl Iterator<Item = &str> {
        self.invalid.iter().map(String::as_str)
    }
}

fn list(title: &str, names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return String::new();
    }
    format!("{title}{}", names.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
}

/// Reads variables for one kind of host. A blank value counts as not set.
pub(super) struct Reader<'a> {
    host: Host,
    lookup: VariableLookup<'a>,
    error: ConfigError,
}

impl<'a> Reader<'a> {
    /// Runs `read` to its end, and returns what it read if there was no error.
    pub(super) fn read_all<T>(
        host: Host,
        lookup: VariableLookup<'a>,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Result<T, ConfigError> {
        let mut reader = Self { host, lookup, error: ConfigError::default() };
        match read(&mut reader) {
            Some(config) if reader.error == ConfigError::default() => Ok(config),
            _ => Err(reader.error),
        }
    }

    pub(super) fn host(&self) -> Host {
        self.host
    }

    /// Whether Postgres is reached through RDS Proxy. Its variable takes precedence, and is the one to ask for if neither is set.
    pub(super) fn is_behind_proxy(&self) -> bool {
        self.is_set(&RDS_PROXY_ENDPOINT) || !self.is_set(&POSTGRES_HOST)
    }

    pub(super) fn is_set<T>(&self, variable: &Variable<T>) -> bool {
        self.find(variable.name()).is_some()
    }

    /// The variable's value, else its default. `None` for an optional variable that is not set, and after an error.
    pub(super) fn read<T>(&mut self, variable: &Variable<T>) -> Option<T> {
        let description = &variable.description;
        let text = self.find(description.name).or_else(|| self.find_default(description));
        if text.is_none() && self.is_required(description) {
            self.report_missing(description);
        }
        self.parse(description.name, &text?, variable.parse)
    }

    /// The value of a variable that must be set here, whatever its description says.
    pub(super) fn require<T>(&mut self, variable: &Variable<T>) -> Option<T> {
        if !self.is_set(variable) {
            self.report_missing(&variable.description);
        }
        self.read(variable)
    }

    /// The variable's value, else that of another variable, which then must be valid as a value of the first.
    pub(super) fn read_or<T, U>(&mut self, variable: &Variable<T>, other: &Variable<U>) -> Option<T> {
        match self.find(other.name()) {
            Some(text) if !self.is_set(variable) => self.parse(other.name(), &text, variable.parse),
            _ => self.read(variable),
        }
    }

    /// A secret, whose leading and trailing blanks belong to it.
    pub(super) fn read_untrimmed<T>(&mut self, variable: &Variable<T>) -> Option<T> {
        self.read(variable)?;
        self.parse(variable.name(), &(self.lookup)(variable.name())?, variable.parse)
    }

    /// Reports that a variable's value is invalid, and what is wrong with it.
    pub(super) fn reject<T>(&mut self, variable: &Variable<T>, reason: impl std::fmt::Display) {
        self.error.invalid.insert(format!("{} ({reason})", variable.name()));
    }

    fn find(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn find_default(&self, description: &VariableDescription) -> Option<String> {
        let default = match description.requirement {
            Requirement::Default(value) => value,
            Requirement::DefaultByHost { lambda, server } => match self.host {
                Host::Lambda => lambda,
                Host::Server => server,
            },
            Requirement::DefaultByDatabase { proxy, password } => {
                if self.is_behind_proxy() {
                    proxy
                } else {
                    password
                }
            }
            Requirement::Required
            | Requirement::RequiredUnless(_)
            | Requirement::RequiredInLambda
            | Requirement::Optional(_) => return None,
        };
        Some(default.replace("{ENV}", &self.find(ENV.name()).unwrap_or_default()))
    }

    fn is_required(&self, description: &VariableDescription) -> bool {
        match description.requirement {
            Requirement::Required => true,
            Requirement::RequiredUnless(other) => self.find(other).is_none(),
            Requirement::RequiredInLambda => self.host == Host::Lambda,
            _ => false,
        }
    }

    fn report_missing(&mut self, description: &VariableDescription) {
        let text = match description.requirement {
            Requirement::RequiredUnless(other) => format!("{} (or {other})", description.name),
            _ => description.name.to_owned(),
        };
        self.error.missing.insert(text);
    }

    fn parse<T>(&mut self, name: &str, text: &str, parse: fn(&str) -> Option<T>) -> Option<T> {
        let value = parse(text);
        if value.is_none() {
            self.error.invalid.insert(name.to_owned());
        }
        value
    }
}
