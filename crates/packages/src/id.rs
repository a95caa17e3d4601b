//! The names of things: the platform's public *node ids* and the database's own numbers.
//!
//! Both are parsed once, at the edge. After that the type says which is which, and nothing that a client wrote
//! reaches SQL or a storage key by another way.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest node id the platform's columns hold (`varchar(255)`).
const MAX_NODE_ID: usize = 255;

/// A text that is not a node id of the kind asked for. It does not repeat the text: that may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidNodeId {
    expected: &'static str,
}

impl fmt::Display for InvalidNodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a node id of the form {}", self.expected)
    }
}

impl std::error::Error for InvalidNodeId {}

/// `N:{kind}:` and then letters, digits and hyphens.
fn is_node_id(text: &str, kind: &str) -> bool {
    let rest = text.strip_prefix("N:").and_then(|rest| rest.strip_prefix(kind));
    let Some(name) = rest.and_then(|rest| rest.strip_prefix(':')) else { return false };
    text.len() <= MAX_NODE_ID
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

macro_rules! node_id {
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

            /// The id as it stands on the wire.
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

node_id! {
    /// The public id of a dataset.
    DatasetNodeId, "dataset", "N:dataset:…"
}
node_id! {
    /// The public id of a package; a collection is a package too.
    PackageNodeId, "package" | "collection", "N:package:… or N:collection:…"
}
node_id! {
    /// The public id of a person.
    UserNodeId, "user", "N:user:…"
}

macro_rules! number {
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

number! {
    /// A tenant's number. It names the tenant's schema in Postgres, and this type is the only way into that name.
    WorkspaceId
}
number! {
    /// A dataset's primary key in its workspace.
    DatasetId
}
number! {
    /// A package's primary key in its workspace.
    PackageId
}

/// A dataset among those of all workspaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DatasetKey {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The dataset in it.
    pub dataset: DatasetId,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_platforms_ids_and_the_documented_examples_are_node_ids() {
        for id in ["N:package:5f3c1b0e-7a51-4b8e-9a59-1d8d7c1f0a11", "N:collection:789", "N:package:456"] {
            assert_eq!(PackageNodeId::parse(id).unwrap().as_str(), id);
        }
        assert!(DatasetNodeId::parse("N:dataset:123").is_ok());
        assert!(UserNodeId::parse("N:user:61e7c1cf-a836-421b-b919-a2309402c9d6").is_ok());
    }

    #[test]
    fn what_is_no_node_id_is_refused() {
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
