//! What is known about one variable, and the documentation's table of all.

use crate::config::VARIABLES;

/// A variable of the environment: its description, and how its value is parsed.
#[derive(Debug)]
pub struct Variable<T> {
    /// What operators read about it.
    pub description: VariableDescription,
    pub(super) parse: fn(&str) -> Option<T>,
}

/// What operators read about a variable.
#[derive(Debug, Clone, Copy)]
pub struct VariableDescription {
    /// Its name.
    pub name: &'static str,
    /// The hosts that read it.
    pub readers: &'static str,
    /// Whether it must be set, and what its default is.
    pub requirement: Requirement,
    /// What it means.
    pub meaning: &'static str,
}

/// Whether a variable must be set, and what its default is. `{ENV}` in a default stands for the value of `ENV`.
#[derive(Debug, Clone, Copy)]
pub enum Requirement {
    /// It must be set.
    Required,
    /// It must be set, unless this other variable is.
    RequiredUnless(&'static str),
    /// It must be set in Lambda, and may be set on a server.
    RequiredInLambda,
    /// It may be set, and has this default.
    Default(&'static str),
    /// It may be set, and each kind of host has a default of its own.
    DefaultByHost {
        /// In Lambda.
        lambda: &'static str,
        /// On a server.
        server: &'static str,
    },
    /// It may be set, and the default depends on how Postgres is reached.
    DefaultByDatabase {
        /// Through RDS Proxy.
        proxy: &'static str,
        /// With a password.
        password: &'static str,
    },
    /// It may be set. The text describes what is used otherwise.
    Optional(&'static str),
}

impl<T> Variable<T> {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.description.name
    }
}

/// The table of docs/configuration.md.
#[must_use]
pub fn markdown_table() -> String {
    let head = "| variable | read by | default | meaning |\n| --- | --- | --- | --- |\n";
    std::iter::once(head.to_owned()).chain(VARIABLES.iter().map(markdown_row)).collect()
}

fn markdown_row(variable: &VariableDescription) -> String {
    let VariableDescription { name, readers, requirement, meaning } = variable;
    let default = match requirement {
        Requirement::Required => "**required**".to_owned(),
        Requirement::RequiredUnless(other) => format!("**required**, unless `{other}` is set"),
        Requirement::RequiredInLambda => "**required** in Lambda".to_owned(),
        Requirement::Default(value) => format!("`{value}`"),
        Requirement::DefaultByHost { lambda, server } => format!("`{lambda}`; `{server}` in `serve`"),
        Requirement::DefaultByDatabase { proxy, password } => {
            format!("`{proxy}` with `RDS_PROXY_ENDPOINT`, else `{password}`")
        }
        Requirement::Optional(text) => (*text).to_owned(),
    };
    format!("| `{name}` | {readers} | {default} | {meaning} |\n")
}
