//! What a package is and in which state: the platform's enumerations, as far as this service cares.

use std::fmt;

/// Where a package is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackageState {
    /// Its bytes are not there yet.
    Unavailable,
    /// It is on its way to the trash.
    Deleting,
    /// It is in the trash.
    Deleted,
    /// It is on its way back.
    Restoring,
    /// Its upload was found to carry malware.
    Infected,
    /// It is there.
    Ready,
    /// It is there, and some other process minds its state (uploaded, processing, processing failed, …).
    Other,
}

/// Some states as the column holds them: as a list of texts, and as the same list in SQL.
macro_rules! state_list {
    ($first:ident $(, $rest:ident)*) => {
        (
            [stringify!($first) $(, stringify!($rest))*],
            concat!("('", stringify!($first), "'" $(, ", '", stringify!($rest), "'")*, ")"),
        )
    };
}

/// The one list that says what is not live.
const NOT_LIVE: ([&str; 4], &str) = state_list!(UNAVAILABLE, DELETING, DELETED, RESTORING);

/// The one list that says what is in the trash.
const IN_TRASH: ([&str; 3], &str) = state_list!(DELETING, DELETED, RESTORING);

/// The one list that says what can be ordered back, or is on its way back.
const RESTORABLE: ([&str; 2], &str) = state_list!(DELETED, RESTORING);

impl PackageState {
    /// The states in which a package is not in the tree that people see. Its bytes do not count as stored.
    pub const NOT_LIVE: [&'static str; 4] = NOT_LIVE.0;
    /// [`PackageState::NOT_LIVE`] as a list in SQL: `('UNAVAILABLE', …)`.
    pub const NOT_LIVE_SQL: &'static str = NOT_LIVE.1;
    /// The states of what is in the trash, on its way there or on its way back, as a list in SQL.
    pub const IN_TRASH_SQL: &'static str = IN_TRASH.1;
    /// The states from which a package comes back, as a list in SQL.
    pub const RESTORABLE_SQL: &'static str = RESTORABLE.1;
    /// [`PackageState::Deleting`] as a literal in SQL.
    pub const DELETING_SQL: &'static str = "'DELETING'";
    /// [`PackageState::Deleted`] as a literal in SQL.
    pub const DELETED_SQL: &'static str = "'DELETED'";
    /// [`PackageState::Restoring`] as a literal in SQL.
    pub const RESTORING_SQL: &'static str = "'RESTORING'";
    /// [`PackageState::Ready`] as a literal in SQL.
    pub const READY_SQL: &'static str = "'READY'";

    /// Reads the column's text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "UNAVAILABLE" => Self::Unavailable,
            "DELETING" => Self::Deleting,
            "DELETED" => Self::Deleted,
            "RESTORING" => Self::Restoring,
            "INFECTED" => Self::Infected,
            "READY" => Self::Ready,
            _ => Self::Other,
        }
    }

    /// Whether the package is in the tree that people see.
    #[must_use]
    pub fn is_live(self) -> bool {
        !Self::NOT_LIVE.iter().any(|text| Self::parse(text) == self)
    }
}

/// What a package is. Only collections matter here; the queue's messages carry the number of every kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackageKind(u8);

/// The kinds in the order of their numbers on the wire.
const KINDS: [&str; 16] = [
    "Image",
    "MRI",
    "Slide",
    "ExternalFile",
    "MSWord",
    "PDF",
    "CSV",
    "Tabular",
    "TimeSeries",
    "Video",
    "Unknown",
    "Collection",
    "Text",
    "Unsupported",
    "HDF5",
    "ZIP",
];

impl PackageKind {
    /// A folder.
    pub const COLLECTION: Self = Self(11);
    const UNKNOWN: Self = Self(10);

    /// Reads the column's text; an unknown one is `Unknown`, as everywhere on the platform.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        (0u8..).zip(KINDS).find(|(_, name)| *name == text).map_or(Self::UNKNOWN, |(number, _)| Self(number))
    }

    /// The number that stands for this kind in the queue's messages.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// Whether it is a folder.
    #[must_use]
    pub fn is_collection(self) -> bool {
        self == Self::COLLECTION
    }
}

impl fmt::Display for PackageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(KINDS.get(usize::from(self.0)).unwrap_or(&"Unknown"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_the_platforms_numbers() {
        assert_eq!(PackageKind::parse("Image").number(), 0);
        assert_eq!(PackageKind::parse("Collection"), PackageKind::COLLECTION);
        assert_eq!(PackageKind::parse("ZIP").number(), 15);
        assert_eq!(PackageKind::parse("Hologram").number(), 10);
        assert_eq!(PackageKind::COLLECTION.to_string(), "Collection");
    }

    #[test]
    fn each_state_is_live_or_not() {
        for text in PackageState::NOT_LIVE {
            assert!(!PackageState::parse(text).is_live(), "{text}");
        }
        for text in
            ["READY", "UPLOADED", "PROCESSING", "PROCESSING_FAILED", "UPLOAD_FAILED", "INFECTED", "ERROR"]
        {
            assert!(PackageState::parse(text).is_live(), "{text}");
        }
    }

    #[test]
    fn lists_in_sql_name_known_states() {
        assert_eq!(PackageState::NOT_LIVE_SQL, "('UNAVAILABLE', 'DELETING', 'DELETED', 'RESTORING')");
        assert_eq!(PackageState::IN_TRASH_SQL, "('DELETING', 'DELETED', 'RESTORING')");
        assert_eq!(PackageState::RESTORABLE_SQL, "('DELETED', 'RESTORING')");
        for text in IN_TRASH.0.iter().chain(&RESTORABLE.0) {
            let state = PackageState::parse(text);
            assert!(state != PackageState::Other && !state.is_live(), "{text}");
        }
        for (sql, state) in [
            (PackageState::DELETING_SQL, PackageState::Deleting),
            (PackageState::DELETED_SQL, PackageState::Deleted),
            (PackageState::RESTORING_SQL, PackageState::Restoring),
            (PackageState::READY_SQL, PackageState::Ready),
        ] {
            assert_eq!(PackageState::parse(sql.trim_matches('\'')), state, "{sql}");
        }
    }
}
