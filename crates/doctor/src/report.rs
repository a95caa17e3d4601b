//! The report: sections of checks, each with what to do.

use serde::{Serialize, Serializer, ser::SerializeStruct};

/// The result of a check, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Could not be checked.
    Skipped,
    /// Works, but needs attention.
    Warning,
    /// Does not work.
    Failure,
}

impl Status {
    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}

/// One check, which is one line of the report. No text in it contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its result.
    pub status: Status,
    /// What was checked.
    pub name: String,
    /// What was found.
    pub found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Check {
    fn new(status: Status, name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { status, name: name.into(), found: found.into(), advice: None }
    }

    pub(crate) fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(Status::Ok, name, found)
    }

    pub(crate) fn skipped(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(Status::Skipped, name, found)
    }

    pub(crate) fn warning(
        name: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { advice: Some(advice.into()), ..Self::new(Status::Warning, name, found) }
    }

    pub(crate) fn failure(
        name: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { advice: Some(advice.into()), ..Self::new(Status::Failure, name, found) }
    }
}

/// Checks of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Section {
    /// The topic.
    pub title: &'static str,
    /// The checks.
    pub checks: Vec<Check>,
}

/// All sections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order in which a person would check.
    pub sections: Vec<Section>,
}

impl Report {
    /// Adds a section, unless it has no checks.
    pub(crate) fn add_section(&mut self, title: &'static str, checks: Vec<Check>) {
        if !checks.is_empty() {
            self.sections.push(Section { title, checks });
        }
    }

    /// The number of checks with this result.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.checks().filter(|check| check.status == status).count()
    }

    /// Whether nothing failed.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.count(Status::Failure) == 0
    }

    /// The checks of all sections.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        self.sections.iter().flat_map(|section| &section.checks)
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let worst = self.checks().map(|check| check.status).filter(|status| *status != Status::Skipped).max();
        let mut report = serializer.serialize_struct("Report", 2)?;
        report.serialize_field("status", &worst.unwrap_or(Status::Ok))?;
        report.serialize_field("sections", &self.sections)?;
        report.end()
    }
}
