//! Where the files that viewers stream lie: `O{workspace}/D{dataset}/P{package}/{path}` in the assets bucket.

use std::fmt;

use crate::id::{DatasetId, PackageId, WorkspaceId};

/// The longest object key that S3 takes, in bytes (Amazon S3 User Guide, "Naming Amazon S3 objects").
const MAX_KEY: usize = 1024;

/// Room for `O{i32}/D{i32}/P{i32}/`, each number with up to eleven characters.
const MAX_PREFIX: usize = 3 * (1 + 11 + 1);

/// The path of a viewer asset inside its package: `preview/thumbnail.jpg`.
///
/// Whatever it is, its key stays below the package's prefix: a segment is never empty, `.` or `..`, and there is no
/// character that a URL, a policy or a client reads as something else (`\`, `*`, `?`, control characters). A percent
/// sign is refused where it would read as an escape (`%2e`, `%2F`): some client on the way would decode it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetPath(String);

/// Why a text is not an asset path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidAssetPath {
    /// Nothing was given.
    Empty,
    /// The key would be longer than S3's 1,024 bytes.
    TooLong,
    /// An empty segment: a leading, trailing or doubled slash.
    EmptySegment,
    /// A `.` or `..` segment.
    DotSegment,
    /// A character with a meaning of its own in a URL or in a policy.
    Character,
}

impl fmt::Display for InvalidAssetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the path is empty",
            Self::TooLong => "the path is too long: the whole key must fit in 1,024 bytes",
            Self::EmptySegment => "the path has an empty segment (a leading, trailing or doubled slash)",
            Self::DotSegment => "the path has a '.' or '..' segment",
            Self::Character => "the path has a backslash, '*', '?', a percent escape or a control character",
        })
    }
}

impl std::error::Error for InvalidAssetPath {}

impl AssetPath {
    /// Parses a path as the client meant it, that is after the query string was decoded once.
    pub fn parse(path: &str) -> Result<Self, InvalidAssetPath> {
        if path.is_empty() {
            return Err(InvalidAssetPath::Empty);
        }
        if path.len() + MAX_PREFIX > MAX_KEY {
            return Err(InvalidAssetPath::TooLong);
        }
        if path.chars().any(|c| c.is_control() || matches!(c, '\\' | '*' | '?')) || has_percent_escape(path) {
            return Err(InvalidAssetPath::Character);
        }
        for segment in path.split('/') {
            match segment {
                "" => return Err(InvalidAssetPath::EmptySegment),
                "." | ".." => return Err(InvalidAssetPath::DotSegment),
                _ => {}
            }
        }
        Ok(Self(path.to_owned()))
    }

    /// The object's key. The one place where a viewer asset's key is made.
    #[must_use]
    pub fn key(&self, workspace: WorkspaceId, dataset: DatasetId, package: PackageId) -> String {
        format!("O{workspace}/D{dataset}/P{package}/{}", self.0)
    }
}

fn has_percent_escape(path: &str) -> bool {
    path.as_bytes()
        .windows(3)
        .any(|window| matches!(window, [b'%', a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(path: &AssetPath) -> String {
        path.key(WorkspaceId(1), DatasetId(123), PackageId(456))
    }

    #[test]
    fn ordinary_paths_become_keys_as_they_are() {
        for path in [
            "data.parquet",
            "preview/thumbnail.jpg",
            "0/0/0.0",
            "a b+c#d&e.txt",
            "東京/写真.png",
            "100% sure",
            "..a",
            "a..",
            ".zattrs",
        ] {
            assert_eq!(key(&AssetPath::parse(path).unwrap()), format!("O1/D123/P456/{path}"));
        }
    }

    #[test]
    fn whatever_could_leave_the_package_is_refused() {
        use InvalidAssetPath::*;
        for (path, why) in [
            ("", Empty),
            ("/etc/passwd", EmptySegment),
            ("a//b", EmptySegment),
            ("a/", EmptySegment),
            ("../P457/data", DotSegment),
            ("a/./b", DotSegment),
            ("a/..", DotSegment),
            ("a\\..\\b", Character),
            ("a*", Character),
            ("a?b", Character),
            ("a\0b", Character),
            ("a\nb", Character),
            ("%2e%2e%2fP457", Character),
            ("a%2Fb", Character),
        ] {
            assert_eq!(AssetPath::parse(path), Err(why), "{path:?}");
        }
        assert_eq!(AssetPath::parse(&"x".repeat(8192)), Err(TooLong));
        assert!(AssetPath::parse(&"x".repeat(MAX_KEY - MAX_PREFIX)).is_ok());
    }

    proptest! {
        #[test]
        fn a_key_never_leaves_its_packages_prefix(path in any::<String>()) {
            if let Ok(path) = AssetPath::parse(&path) {
                let key = key(&path);
                prop_assert!(key.len() <= MAX_KEY);
                let rest = key.strip_prefix("O1/D123/P456/").unwrap();
                prop_assert!(rest.split('/').all(|segment| !matches!(segment, "" | "." | "..")));
                prop_assert!(!key.contains(['\\', '*', '?']));
            }
        }

        #[test]
        fn hostile_paths_never_panic(path in "[./%2eEfF\\\\a*?\\x00]{0,40}") {
            let _ = AssetPath::parse(&path);
        }
    }
}
