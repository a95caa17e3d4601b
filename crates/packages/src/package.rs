//! The kind and the state of a package: the platform's enumerations, as far as this service needs them.

use std::fmt;

/// The states, each with the text of the `state` column: the enumeration, how it is read and written, and the texts for SQL.
macro_rules! package_states {
    ($($(#[$doc:meta])+ $state:ident, $sql:ident, $text:literal;)+) => {
        /// The state of a package, from the `state` column.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum PackageState {
            $($(#[$doc])+ $state,)+
            /// A state that is not known here. Its files are not handed out.
            Other,
        }

        impl PackageState {
            $(#[doc = concat!("[`PackageState::", stringify!($state), "`] as a literal in SQL.")]
            pub const $sql: &'static str = concat!("'", $text, "'");)+

            /// Reads the `state` column. A text that is not known here is [`Self::Other`].
            #[must_use]
            pub fn from_column(text: &str) -> Self {
                match text {
                    $($text => Self::$state,)+
                    _ => Self::Other,
                }
            }

            /// The text of the `state` column. `None` for [`Self::Other`], which stands for many texts.
            #[must_use]
            pub const fn as_column(self) -> Option<&'static str> {
                match self {
                    $(Self::$state => Some($text),)+
                    Self::Other => None,
                }
            }
        }

        /// The text of a state, for lists.
        macro_rules! state_text {
            $(($state) => { $text };)+
        }
    };
}

package_states! {
    /// Its bytes are not stored yet.
    Unavailable, UNAVAILABLE_SQL, "UNAVAILABLE";
    /// Its deletion is in progress.
    Deleting, DELETING_SQL, "DELETING";
    /// It is in the trash.
    Deleted, DELETED_SQL, "DELETED";
    /// Its restore is in progress.
    Restoring, RESTORING_SQL, "RESTORING";
    /// The malware scan found something in its upload.
    Infected, INFECTED_SQL, "INFECTED";
    /// It is stored, and not processed yet.
    Uploaded, UPLOADED_SQL, "UPLOADED";
    /// It is stored, and its processing waits or is in progress.
    Processing, PROCESSING_SQL, "PROCESSING";
    /// It is stored, and its processing is in progress.
    Running, RUNNING_SQL, "RUNNING";
    /// It is stored, and could not be processed.
    ProcessingFailed, PROCESSING_FAILED_SQL, "PROCESSING_FAILED";
    /// It is stored and processed.
    Ready, READY_SQL, "READY";
}

/// Some states as the column holds them: as a list of texts, and as the same list in SQL.
macro_rules! state_list {
    ($first:ident $(, $rest:ident)*) => {
        (
            [state_text!($first) $(, state_text!($rest))*],
            concat!("('", state_text!($first), "'" $(, ", '", state_text!($rest), "'")*, ")"),
        )
    };
}

/// The one list that says whose files are handed out. What it does not name is refused, whatever state the platform adds
/// (contract §2.7, §12.4).
const READABLE: ([&str; 5], &str) = state_list!(Ready, Uploaded, Processing, Running, ProcessingFailed);

/// The one list that says what is not live. Unlike in [`READABLE`], a state that is not known here counts as live: it belongs to
/// another service, and a restore must neither change it nor take what is in its folder for lost.
const NOT_LIVE: ([&str; 4], &str) = state_list!(Unavailable, Deleting, Deleted, Restoring);

/// The one list that says what is in the trash.
const IN_TRASH: ([&str; 3], &str) = state_list!(Deleting, Deleted, Restoring);

/// The one list that says what can be ordered back, or is on its way back.
const RESTORABLE: ([&str; 2], &str) = state_list!(Deleted, Restoring);

impl PackageState {
    /// The states in which a package's files are handed out, as a list in SQL.
    pub const READABLE_SQL: &'static str = READABLE.1;
    /// The states in which a package is not in the tree that people see. Its bytes do not count as stored.
    pub const NOT_LIVE: [&'static str; 4] = NOT_LIVE.0;
    /// [`PackageState::NOT_LIVE`] as a list in SQL: `('UNAVAILABLE', …)`.
    pub const NOT_LIVE_SQL: &'static str = NOT_LIVE.1;
    /// The states of what is in the trash, on its way there or on its way back: what the trash lists.
    pub const IN_TRASH: [&'static str; 3] = IN_TRASH.0;
    /// [`PackageState::IN_TRASH`] as a list in SQL.
    pub const IN_TRASH_SQL: &'static str = IN_TRASH.1;
    /// The states from which a restore moves a package on.
    pub const RESTORABLE: [&'static str; 2] = RESTORABLE.0;
    /// [`PackageState::RESTORABLE`] as a list in SQL.
    pub const RESTORABLE_SQL: &'static str = RESTORABLE.1;

    /// Whether the package's files are handed out.
    #[must_use]
    pub fn is_readable(self) -> bool {
        self.as_column().is_some_and(|text| READABLE.0.contains(&text))
    }

    /// Whether the package is in the tree that people see.
    #[must_use]
    pub fn is_live(self) -> bool {
        self.as_column().is_none_or(|text| !Self::NOT_LIVE.contains(&text))
    }
}

/// The kind of a package. Only collections matter here. Restore messages carry the number of every kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackageKind(u8);

/// The kinds in the order of their numbers in restore messages.
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
    /// [`PackageKind::COLLECTION`] as a literal in SQL.
    pub const COLLECTION_SQL: &'static str = "'Collection'";
    const UNKNOWN: Self = Self(10);

    /// Reads the `type` column. A text that is not known here is `Unknown`, as everywhere on the platform.
    #[must_use]
    pub fn from_column(text: &str) -> Self {
        (0u8..).zip(KINDS).find(|(_, name)| *name == text).map_or(Self::UNKNOWN, |(number, _)| Self(number))
    }

    /// The number of this kind in restore messages.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// Whether the package is a folder.
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
        let names = [
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
        for (number, name) in (0..).zip(names) {
            let kind = PackageKind::from_column(name);
            assert_eq!((kind.number(), kind.to_string().as_str()), (number, name));
            assert_eq!(kind.is_collection(), number == 11, "{name}");
        }
        assert_eq!(PackageKind::from_column("Collection"), PackageKind::COLLECTION);
        assert_eq!(format!("'{}'", PackageKind::COLLECTION), PackageKind::COLLECTION_SQL);
        for unknown in ["Hologram", "collection", ""] {
            assert_eq!(PackageKind::from_column(unknown).number(), 10, "{unknown}");
        }
    }

    #[test]
    fn named_states_are_read_and_written_as_the_column_has_them() {
        use PackageState::*;
        for (text, state) in [
            ("UNAVAILABLE", Unavailable),
            ("DELETING", Deleting),
            ("DELETED", Deleted),
            ("RESTORING", Restoring),
            ("INFECTED", Infected),
            ("READY", Ready),
            ("UPLOADED", Uploaded),
            ("PROCESSING", Processing),
            ("RUNNING", Running),
            ("PROCESSING_FAILED", ProcessingFailed),
        ] {
            assert_eq!(PackageState::from_column(text), state);
            assert_eq!(state.as_column(), Some(text));
        }
        for text in ["UPLOAD_FAILED", "ARCHIVED", "ERROR", "ready", ""] {
            assert_eq!(PackageState::from_column(text), Other, "{text:?}");
        }
        assert_eq!(Other.as_column(), None);
    }

    #[test]
    fn only_named_states_are_readable() {
        let is_readable = |text| PackageState::from_column(text).is_readable();
        let readable = ["READY", "UPLOADED", "PROCESSING", "RUNNING", "PROCESSING_FAILED"];
        assert!(readable.into_iter().all(is_readable));
        for text in ["UNAVAILABLE", "DELETED", "INFECTED", "UPLOAD_FAILED", "ERROR", "ARCHIVED", "ready", ""]
        {
            assert!(!is_readable(text), "{text}");
        }
        assert_eq!(
            PackageState::READABLE_SQL,
            "('READY', 'UPLOADED', 'PROCESSING', 'RUNNING', 'PROCESSING_FAILED')"
        );
    }

    #[test]
    fn live_is_every_state_that_the_list_does_not_name() {
        let is_live = |text| PackageState::from_column(text).is_live();
        for text in ["UNAVAILABLE", "DELETING", "DELETED", "RESTORING"] {
            assert!(!is_live(text) && PackageState::NOT_LIVE.contains(&text), "{text}");
        }
        for text in
            ["READY", "UPLOADED", "PROCESSING", "PROCESSING_FAILED", "UPLOAD_FAILED", "INFECTED", "ERROR"]
        {
            assert!(is_live(text) && !PackageState::NOT_LIVE.contains(&text), "{text}");
        }
    }

    #[test]
    fn what_the_trash_lists_is_not_live() {
        assert_eq!(PackageState::IN_TRASH, ["DELETING", "DELETED", "RESTORING"]);
        assert_eq!(PackageState::RESTORABLE, ["DELETED", "RESTORING"]);
        for text in PackageState::IN_TRASH {
            assert!(PackageState::NOT_LIVE.contains(&text), "{text}");
        }
    }

    #[test]
    fn lists_in_sql_name_known_states() {
        assert_eq!(PackageState::NOT_LIVE_SQL, "('UNAVAILABLE', 'DELETING', 'DELETED', 'RESTORING')");
        assert_eq!(PackageState::IN_TRASH_SQL, "('DELETING', 'DELETED', 'RESTORING')");
        assert_eq!(PackageState::RESTORABLE_SQL, "('DELETED', 'RESTORING')");
        for text in IN_TRASH.0.iter().chain(&RESTORABLE.0) {
            let state = PackageState::from_column(text);
            assert!(state != PackageState::Other && !state.is_live(), "{text}");
        }
        for (sql, state) in [
            (PackageState::DELETING_SQL, PackageState::Deleting),
            (PackageState::DELETED_SQL, PackageState::Deleted),
            (PackageState::RESTORING_SQL, PackageState::Restoring),
            (PackageState::READY_SQL, PackageState::Ready),
        ] {
            assert_eq!(PackageState::from_column(sql.trim_matches('\'')), state, "{sql}");
        }
    }
}
