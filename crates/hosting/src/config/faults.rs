//! Reading variables without stopping at the first fault.

use std::{collections::BTreeSet, fmt};

use crate::config::{VARIABLES, VariableLookup};

/// Everything that is wrong with the environment. It names variables and never repeats a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    missing: BTreeSet<String>,
    unusable: BTreeSet<String>,
}

impl ConfigError {
    /// Variables that are not set.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.missing.iter().map(String::as_str)
    }

    /// Variables whose value cannot be meant.
    pub fn unusable(&self) -> impl Iterator<Item = &str> {
        self.unusable.iter().map(String::as_str)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: &BTreeSet<String>| names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        f.write_str("the environment is incomplete")?;
        if !self.missing.is_empty() {
            write!(f, "; not set: {}", list(&self.missing))?;
        }
        if !self.unusable.is_empty() {
            write!(f, "; set to something that cannot be meant: {}", list(&self.unusable))?;
        }
        f.write_str(" (the README describes each)")
    }
}

impl std::error::Error for ConfigError {}

/// Reads variables and remembers what was wrong. A variable that is empty or blank counts as not set.
pub(super) struct Reader<'a> {
    lookup: VariableLookup<'a>,
    faults: ConfigError,
}

impl<'a> Reader<'a> {
    /// Reads something to its end, and answers it if nothing was wrong.
    pub(super) fn read<T>(
        lookup: VariableLookup<'a>,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Result<T, ConfigError> {
        let faults = ConfigError { missing: BTreeSet::new(), unusable: BTreeSet::new() };
        let mut reader = Self { lookup, faults };
        match read(&mut reader) {
            Some(read) if reader.faults.missing.is_empty() && reader.faults.unusable.is_empty() => Ok(read),
            _ => Err(reader.faults),
        }
    }

    pub(super) fn optional(&self, name: &str) -> Option<String> {
        debug_assert!(VARIABLES.iter().any(|variable| variable.name == name), "{name} is not described");
        (self.lookup)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    pub(super) fn required(&mut self, name: &str) -> Option<String> {
        self.noted(name, name)
    }

    /// A secret, of which blanks may be a part.
    pub(super) fn required_as_is(&mut self, name: &str) -> Option<String> {
        self.required(name).and_then(|_| (self.lookup)(name))
    }

    /// A variable in place of which another would do.
    pub(super) fn required_else(&mut self, name: &str, other: &str) -> Option<String> {
        self.noted(name, &format!("{name} (or {other})"))
    }

    fn noted(&mut self, name: &str, text: &str) -> Option<String> {
        let value = self.optional(name);
        if value.is_none() {
            self.faults.missing.insert(text.to_owned());
        }
        value
    }

    /// A variable that must be there and be understood.
    pub(super) fn parsed<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        self.required(name).and_then(|value| self.understood(name, parse(&value)))
    }

    /// The first of two variables that is there.
    pub(super) fn parsed_either<T>(
        &mut self,
        [name, other]: [&str; 2],
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        if self.optional(name).is_none() && self.optional(other).is_some() {
            return self.parsed(other, parse);
        }
        self.parsed(name, parse)
    }

    /// A variable that may be absent, but must be understood if it is there.
    pub(super) fn optional_parsed<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.optional(name)?;
        self.understood(name, parse(&value))
    }

    /// A service's own endpoint, else the one for all services.
    pub(super) fn endpoint<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let name = if self.optional(name).is_some() { name } else { "AWS_ENDPOINT_URL" };
        self.optional_parsed(name, parse)
    }

    pub(super) fn is_faulty(&self, name: &str) -> bool {
        self.faults.unusable.contains(name)
    }

    fn understood<T>(&mut self, name: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.faults.unusable.insert(name.to_owned());
        }
        value
    }
}
