//! The platform's public *node ids* and the database's primary keys.
//!
//! Both are parsed once, at the edge. After that the type says which is which. A client's text reaches SQL and storage
//! keys only through these types.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest node id that the platform's columns hold (`varchar(255)`). A node id is ASCII.
pub const MAX_NODE_ID_BYTES: usize = 255;

/// A text that is not a node id of the expected kind. The error does not repeat the text, which a client wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a node id of the form {expected}")]
pub struct InvalidNodeId {
    expected: &'static str,
}

/// Whether the text is `N:{kind}:` and then letters, digits and hyphens.
fn is_node_id(text: &str, kind: &str) -> bool {
    let rest = text.strip_prefix("N:").and_then(|rest| rest.strip_prefix(kind));
    let Some(name) = rest.and_then(|rest| rest.strip_prefix(':')) else { return false };
    text.len() <= MAX_NODE_ID_BYTES
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

macro_rules! define_node_id {
    ($(#[$doc:meta])* $name:ident, $($kind:literal)|+, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            #[doc = concat!("Parses `", $expected, "`: letters, digits and hyphens after the last colon, 255 bytes at most.")]
            pub fn parse(text: &str) -> Result<Self, InvalidNodeId> {
                if $(is_node_id(text, $kind))||+ {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidNodeId { expected: $expected })
                }
            }

            /// The id as it is on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidNodeId;

            fn try_from(text: String) -> Result<Self, InvalidNodeId> {
                Self::parse(&text)
            }
        }
    };
}

define_node_id! {
    /// The public id of a dataset.
    DatasetNodeId, "dataset", "N:dataset:…"
}
define_node_id! {
    /// The public id of a package. A collection is a package, too.
    PackageNodeId, "package" | "collection", "N:package:… or N:collection:…"
}
impl PackageNodeId {
    /// Whether the id says that the package is a folder.
    #[must_use]
    pub fn is_collection(&self) -> bool {
        self.0.starts_with("N:collection:")
    }
}

define_node_id! {
    /// The public id of a person.
    UserNodeId, "user", "N:user:…"
}

macro_rules! define_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

define_key! {
    /// A workspace's primary key. It names the workspace's schema in Postgres; SQL gets that name only from this type.
    WorkspaceId
}
define_key! {
    /// A dataset's primary key in its workspace.
    DatasetId
}
define_key! {
    /// A package's primary key in its workspace.
    PackageId
}

/// A dataset, unique among those of all workspaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DatasetKey {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The dataset in the workspace.
    pub dataset: DatasetId,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_platforms_ids_and_the_documented_examples_are_accepted() {
        for id in ["N:package:5f3c1b0e-7a51-4b8e-9a59-1d8d7c1f0a11", "N:collection:789", "N:package:456"] {
            assert_eq!(PackageNodeId::parse(id).unwrap().as_str(), id);
        }
        assert!(DatasetNodeId::parse("N:dataset:123").is_ok());
        assert!(UserNodeId::parse("N:user:61e7c1cf-a836-421b-b919-a2309402c9d6").is_ok());
    }

    #[test]
    fn a_folder_is_known_by_its_id() {
        for (id, expected) in
            [("N:collection:1", true), ("N:package:1", false), ("N:package:collection", false)]
        {
            assert_eq!(PackageNodeId::parse(id).unwrap().is_collection(), expected, "{id}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let long = format!("N:package:{}", "a".repeat(250));
        for id in [
            "",
            "N:package:",
            "N:package",
            "package:1",
            "n:package:1",
            "N:package:1'",
            "N:package:1 ",
            "N:package:1\0",
            "N:package:é",
            "N:package:1:2",
            "N:package:../1",
            "N:dataset:1",
            " N:package:1",
            "N:packages:1",
            &long,
        ] {
            assert!(PackageNodeId::parse(id).is_err(), "{id:?}");
        }
    }

    #[test]
    fn a_node_id_has_at_most_255_bytes() {
        assert!(PackageNodeId::parse(&format!("N:package:{}", "a".repeat(245))).is_ok());
        assert!(PackageNodeId::parse(&format!("N:package:{}", "a".repeat(246))).is_err());
    }

    #[test]
    fn a_refusal_says_the_expected_form_and_not_the_text() {
        let error = DatasetNodeId::try_from("N:package:1".to_owned()).unwrap_err();
        assert_eq!(error.to_string(), "not a node id of the form N:dataset:…");
        let id = UserNodeId::try_from("N:user:1".to_owned()).unwrap();
        assert_eq!((id.to_string(), String::from(id)), ("N:user:1".to_owned(), "N:user:1".to_owned()));
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_keeps_the_text(text in ".{0,300}") {
            if let Ok(id) = PackageNodeId::parse(&text) {
                prop_assert_eq!(id.as_str(), text);
            }
        }

        #[test]
        fn letters_digits_and_hyphens_are_accepted(name in "[A-Za-z0-9-]{1,100}") {
            let package = format!("N:package:{name}");
            let dataset = format!("N:dataset:{name}");
            prop_assert!(PackageNodeId::parse(&package).is_ok());
            prop_assert!(DatasetNodeId::parse(&dataset).is_ok());
        }
    }
}
