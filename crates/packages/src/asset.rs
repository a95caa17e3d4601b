//! The keys of viewer assets: `O{workspace}/D{dataset}/P{package}/{path}` in the assets bucket.

use crate::id::{DatasetId, PackageId, WorkspaceId};

/// The longest object key that S3 accepts (Amazon S3 User Guide, "Naming Amazon S3 objects").
const MAX_KEY_BYTES: usize = 1024;

/// The longest prefix: `O{i32}/D{i32}/P{i32}/`, each number with up to eleven characters.
const MAX_PREFIX_BYTES: usize = 3 * (1 + 11 + 1);

/// The path of a viewer asset inside its package: `preview/thumbnail.jpg`.
///
/// The key of a valid path stays below the package's prefix. A segment is never empty, `.` or `..`. Characters that a
/// URL, a policy or a client reads as something else are refused: `\`, `*`, `?`, control characters. A percent sign is
/// refused where it reads as an escape (`%2e`, `%2F`), because a client may decode it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetPath(String);

/// Why a text is not an asset path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAssetPath {
    /// The text is empty.
    #[error("the path is empty")]
    Empty,
    /// The key would be longer than S3's 1,024 bytes.
    #[error("the path is too long: the whole key must fit in 1,024 bytes")]
    TooLong,
    /// An empty segment: a leading, trailing or doubled slash.
    #[error("the path has an empty segment (a leading, trailing or doubled slash)")]
    EmptySegment,
    /// The path of a directory without its slash at the end.
    #[error("the path of a directory must end in a slash")]
    NoTrailingSlash,
    /// A `.` or `..` segment.
    #[error("the path has a '.' or '..' segment")]
    DotSegment,
    /// A character with a meaning of its own in a URL or in a policy.
    #[error("the path has a backslash, '*', '?', a percent escape or a control character")]
    ForbiddenCharacter,
}

impl AssetPath {
    /// Parses a path that was decoded once, as the client meant it.
    pub fn parse(path: &str) -> Result<Self, InvalidAssetPath> {
        check_length(path)?;
        check_segments(path)?;
        Ok(Self(path.to_owned()))
    }

    /// The object's key. Keys of viewer assets are made here and nowhere else.
    #[must_use]
    pub fn object_key(&self, workspace: WorkspaceId, dataset: DatasetId, package: PackageId) -> String {
        format!("{}{}", package_prefix(workspace, dataset, package), self.0)
    }

    /// The last segment.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

/// A directory of viewer assets inside its package, `image.ome.zarr/`, or all assets of the package.
///
/// The rules are those of [`AssetPath`]. The prefix of its keys ends in a slash, so it is never the beginning of a
/// sibling's key: `a/` is none of `ab/`, and `P4/` none of `P45/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetDirectory(String);

impl AssetDirectory {
    /// All assets of the package.
    pub const ROOT: Self = Self(String::new());

    /// Parses a path that was decoded once, with its slash at the end.
    pub fn parse(path: &str) -> Result<Self, InvalidAssetPath> {
        check_length(path)?;
        check_segments(path.strip_suffix('/').ok_or(InvalidAssetPath::NoTrailingSlash)?)?;
        Ok(Self(path.to_owned()))
    }

    /// The path in the package: empty, or with a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The beginning of all keys in the directory, with a slash at its end.
    #[must_use]
    pub fn key_prefix(&self, workspace: WorkspaceId, dataset: DatasetId, package: PackageId) -> String {
        format!("{}{}", package_prefix(workspace, dataset, package), self.0)
    }
}

fn package_prefix(workspace: WorkspaceId, dataset: DatasetId, package: PackageId) -> String {
    format!("O{workspace}/D{dataset}/P{package}/")
}

fn check_length(path: &str) -> Result<(), InvalidAssetPath> {
    match path.len() {
        0 => Err(InvalidAssetPath::Empty),
        length if length + MAX_PREFIX_BYTES > MAX_KEY_BYTES => Err(InvalidAssetPath::TooLong),
        _ => Ok(()),
    }
}

fn check_segments(path: &str) -> Result<(), InvalidAssetPath> {
    if path.chars().any(is_forbidden) || has_percent_escape(path) {
        return Err(InvalidAssetPath::ForbiddenCharacter);
    }
    path.split('/').try_for_each(|segment| match segment {
        "" => Err(InvalidAssetPath::EmptySegment),
        "." | ".." => Err(InvalidAssetPath::DotSegment),
        _ => Ok(()),
    })
}

fn is_forbidden(character: char) -> bool {
    character.is_control() || matches!(character, '\\' | '*' | '?')
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
        path.object_key(WorkspaceId(1), DatasetId(123), PackageId(456))
    }

    #[test]
    fn ordinary_paths_become_keys_unchanged() {
        for path in [
            "data.parquet",
            "preview/thumbnail.jpg",
            "0/0/0.0",
            "a b+c#d&e.txt",
            "東京/写真.png",
            "100% sure",
            "100%",
            "50%g2%2g",
            "..a",
            "a..",
            "...",
            ".zattrs",
        ] {
            assert_eq!(key(&AssetPath::parse(path).unwrap()), format!("O1/D123/P456/{path}"));
        }
    }

    #[test]
    fn paths_that_could_leave_the_package_are_refused() {
        use InvalidAssetPath::*;
        for (path, why) in [
            ("", Empty),
            ("/", EmptySegment),
            ("/etc/passwd", EmptySegment),
            ("a//b", EmptySegment),
            ("a/", EmptySegment),
            (".", DotSegment),
            ("..", DotSegment),
            ("../P457/data", DotSegment),
            ("a/./b", DotSegment),
            ("a/..", DotSegment),
            ("a\\..\\b", ForbiddenCharacter),
            ("a*", ForbiddenCharacter),
            ("a?b", ForbiddenCharacter),
            ("a\0b", ForbiddenCharacter),
            ("a\nb", ForbiddenCharacter),
            ("a\u{7f}", ForbiddenCharacter),
            ("a\u{85}", ForbiddenCharacter),
            ("%2e%2e%2fP457", ForbiddenCharacter),
            ("a%2Fb", ForbiddenCharacter),
            ("a%aF", ForbiddenCharacter),
            ("%%20", ForbiddenCharacter),
        ] {
            assert_eq!(AssetPath::parse(path), Err(why), "{path:?}");
        }
    }

    #[test]
    fn a_path_has_at_most_985_bytes() {
        for (path, is_valid) in [
            ("x".repeat(985), true),
            ("x".repeat(986), false),
            (format!("{}x", "é".repeat(492)), true),
            ("é".repeat(493), false),
            ("x".repeat(8192), false),
        ] {
            let parsed = AssetPath::parse(&path);
            assert_eq!(parsed.is_ok(), is_valid, "{} bytes", path.len());
            assert!(is_valid || parsed == Err(InvalidAssetPath::TooLong));
        }
    }

    #[test]
    fn the_longest_key_has_1024_bytes() {
        let path = AssetPath::parse(&"x".repeat(985)).unwrap();
        let key = path.object_key(WorkspaceId(i32::MIN), DatasetId(i32::MIN), PackageId(i32::MIN));
        assert_eq!(key.len(), 1024);
    }

    fn prefix(directory: &AssetDirectory) -> String {
        directory.key_prefix(WorkspaceId(1), DatasetId(123), PackageId(456))
    }

    #[test]
    fn directories_become_prefixes_that_end_in_a_slash() {
        for path in ["image.ome.zarr/", "a/b c/", "100%/", "東京/", "..a/"] {
            assert_eq!(prefix(&AssetDirectory::parse(path).unwrap()), format!("O1/D123/P456/{path}"));
        }
        assert_eq!(prefix(&AssetDirectory::ROOT), "O1/D123/P456/");
    }

    #[test]
    fn directories_follow_the_rules_of_paths() {
        use InvalidAssetPath::*;
        for (path, why) in [
            ("", Empty),
            ("a", NoTrailingSlash),
            ("a/b", NoTrailingSlash),
            ("..", NoTrailingSlash),
            ("/", EmptySegment),
            ("//", EmptySegment),
            ("/a/", EmptySegment),
            ("a//", EmptySegment),
            ("a//b/", EmptySegment),
            ("./", DotSegment),
            ("../", DotSegment),
            ("../P457/", DotSegment),
            ("a/../", DotSegment),
            ("a/./b/", DotSegment),
            ("*/", ForbiddenCharacter),
            ("a*/", ForbiddenCharacter),
            ("P45?/", ForbiddenCharacter),
            ("a\\/", ForbiddenCharacter),
            ("a\0/", ForbiddenCharacter),
            ("%2e%2e/", ForbiddenCharacter),
            ("a%2Fb/", ForbiddenCharacter),
        ] {
            assert_eq!(AssetDirectory::parse(path), Err(why), "{path:?}");
        }
        assert!(AssetDirectory::parse(&format!("{}/", "x".repeat(984))).is_ok());
        assert_eq!(AssetDirectory::parse(&format!("{}/", "x".repeat(985))), Err(TooLong));
    }

    proptest! {
        #[test]
        fn a_prefix_begins_the_keys_beneath_and_no_others(
            directory in "[a-c%. ]{1,3}(/[a-c%. ]{1,3}){0,2}/", path in "[a-c%. ]{1,4}(/[a-c%. ]{1,4}){0,3}",
        ) {
            if let (Ok(directory), Ok(asset)) = (AssetDirectory::parse(&directory), AssetPath::parse(&path)) {
                prop_assert_eq!(key(&asset).starts_with(&prefix(&directory)), path.starts_with(&directory.0));
            }
        }

        #[test]
        fn a_prefix_never_leaves_its_package(path in "[./%2eEfF\\\\a*?\\x00]{0,40}") {
            if let Ok(directory) = AssetDirectory::parse(&path) {
                let prefix = prefix(&directory);
                let rest = prefix.strip_prefix("O1/D123/P456/").unwrap().strip_suffix('/').unwrap();
                prop_assert!(rest.split('/').all(|segment| !matches!(segment, "" | "." | "..")));
                prop_assert!(!prefix.contains(['\\', '*', '?']));
            }
        }

        #[test]
        fn a_key_never_leaves_its_packages_prefix(path in any::<String>()) {
            if let Ok(path) = AssetPath::parse(&path) {
                let key = key(&path);
                prop_assert!(key.len() <= 1024);
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
