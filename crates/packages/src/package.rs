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

impl PackageState {
    /// The states, as the column holds them, in which a package's bytes do not count as stored.
    pub const NOT_LIVE: [&'static str; 4] = ["UNAVAILABLE", "DELETING", "DELETED", "RESTORING"];

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
        !matches!(self, Self::Unavailable | Self::Deleting | Self::Deleted | Self::Restoring)
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
    fn live_is_whatever_the_column_does_not_hide() {
        for text in PackageState::NOT_LIVE {
            assert!(!PackageState::parse(text).is_live(), "{text}");
        }
        for text in
            ["READY", "UPLOADED", "PROCESSING", "PROCESSING_FAILED", "UPLOAD_FAILED", "INFECTED", "ERROR"]
        {
            assert!(PackageState::parse(text).is_live(), "{text}");
        }
    }
}
