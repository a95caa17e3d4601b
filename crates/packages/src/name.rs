//! The names of a package: in the trash, after a restore, and after a restore whose old name is taken.

use uuid::Uuid;

use crate::{id::PackageNodeId, package::PackageKind};

/// The longest name that the platform's column holds (`varchar(255)`). Postgres counts characters, not bytes.
pub const MAX_NAME_CHARS: usize = 255;

/// What the platform puts before the name of a package that it deletes. The node id, `_` and the name follow.
pub const DELETED_PREFIX: &str = "__DELETED__";

/// The last number of a numbered name. The candidate after it has a UUID.
pub const MAX_NAME_NUMBER: u32 = 99;

/// The name of a package before its deletion.
///
/// A deletion puts [`DELETED_PREFIX`], the node id and `_` before the name. A second deletion does so again, if nothing removed the
/// first prefix. A name without exactly this prefix is returned unchanged.
#[must_use]
pub fn original_name<'a>(name: &'a str, node_id: &PackageNodeId) -> &'a str {
    let mut original = name;
    while let Some(rest) = original
        .strip_prefix(DELETED_PREFIX)
        .and_then(|rest| rest.strip_prefix(node_id.as_str()))
        .and_then(|rest| rest.strip_prefix('_'))
        .filter(|rest| !rest.is_empty())
    {
        original = rest;
    }
    original
}

/// A candidate for a package whose original name is taken: `{base}-restored_{number}{extension}`, for a folder
/// `{name}-restored_{number}`.
#[must_use]
pub fn numbered_name(original: &str, kind: PackageKind, number: u32) -> String {
    insert_suffix(original, kind, &format!("-restored_{number}"))
}

/// The candidate after the last numbered one. It has a UUID in place of the number.
#[must_use]
pub fn unique_name(original: &str, kind: PackageKind, uuid: Uuid) -> String {
    insert_suffix(original, kind, &format!("-restored_{uuid}"))
}

/// Inserts the suffix before the extension. A base that is too long for the column is cut at its end.
fn insert_suffix(original: &str, kind: PackageKind, suffix: &str) -> String {
    let (base, extension) = if kind.is_collection() { (original, "") } else { split_extension(original) };
    let room = MAX_NAME_CHARS.saturating_sub(suffix.chars().count() + extension.chars().count());
    let base: String = base.chars().take(room).collect();
    let name = format!("{base}{suffix}{extension}");
    // An extension may be longer than the room beside the suffix: then it is cut, too.
    name.chars().take(MAX_NAME_CHARS).collect()
}

/// Splits at the last dot: `a.nii.gz` is `a.nii` and `.gz`, `.hidden` has an empty base, `README` no extension.
fn split_extension(name: &str) -> (&str, &str) {
    name.rfind('.').map_or((name, ""), |dot| name.split_at(dot))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id() -> PackageNodeId {
        PackageNodeId::parse("N:package:123").unwrap()
    }

    fn file() -> PackageKind {
        PackageKind::from_column("Text")
    }

    #[test]
    fn only_the_packages_own_deletion_prefix_is_removed() {
        for (name, original) in [
            ("__DELETED__N:package:123_scan.nii.gz", "scan.nii.gz"),
            ("__DELETED__N:package:123_a", "a"),
            ("__DELETED__N:package:124_scan.nii.gz", "__DELETED__N:package:124_scan.nii.gz"),
            ("__DELETED__N:package:1234_a", "__DELETED__N:package:1234_a"),
            ("__deleted__N:package:123_a", "__deleted__N:package:123_a"),
            ("scan.nii.gz", "scan.nii.gz"),
            ("N:package:123_a", "N:package:123_a"),
            ("__DELETED__N:package:123", "__DELETED__N:package:123"),
            ("__DELETED__N:package:123_", "__DELETED__N:package:123_"),
            ("__DELETED__N:package:123___DELETED__x", "__DELETED__x"),
            ("__DELETED__N:package:123___DELETED__N:package:123_a", "a"),
        ] {
            assert_eq!(original_name(name, &id()), original);
        }
    }

    #[test]
    fn the_suffix_goes_before_the_last_extension() {
        for (original, number, expected) in [
            ("a.txt", 1, "a-restored_1.txt"),
            ("a.txt", 10, "a-restored_10.txt"),
            ("archive.tar.gz", 1, "archive.tar-restored_1.gz"),
            ("README", 7, "README-restored_7"),
            (".hidden", 98, "-restored_98.hidden"),
            ("ends.", 2, "ends-restored_2."),
        ] {
            assert_eq!(numbered_name(original, file(), number), expected);
        }
    }

    #[test]
    fn the_last_number_is_99_and_a_uuid_follows() {
        assert_eq!(MAX_NAME_NUMBER, 99);
        assert_eq!(numbered_name("a.txt", file(), MAX_NAME_NUMBER), "a-restored_99.txt");
        let uuid = Uuid::from_u128(0x1234);
        let suffix = "-restored_00000000-0000-0000-0000-000000001234";
        assert_eq!(unique_name("a.txt", file(), uuid), format!("a{suffix}.txt"));
        assert_eq!(unique_name("a.b", PackageKind::COLLECTION, uuid), format!("a.b{suffix}"));
    }

    #[test]
    fn a_folder_has_no_extension() {
        for (name, expected) in [
            ("Dr. Smith notes", "Dr. Smith notes-restored_1"),
            (".git", ".git-restored_1"),
            ("v1.2", "v1.2-restored_1"),
        ] {
            assert_eq!(numbered_name(name, PackageKind::COLLECTION, 1), expected);
        }
    }

    /// The column has 255 characters, `-restored_1` has 11, `-restored_99` 12, `-restored_{uuid}` 46, `.txt` 4.
    #[test]
    fn a_long_base_is_cut_to_255_characters_in_all() {
        let cut = |base: usize, number| numbered_name(&format!("{}.txt", "é".repeat(base)), file(), number);
        assert_eq!(cut(251, 1), format!("{}-restored_1.txt", "é".repeat(240)));
        assert_eq!(cut(241, 1), format!("{}-restored_1.txt", "é".repeat(240)));
        assert_eq!(cut(240, 1), format!("{}-restored_1.txt", "é".repeat(240)));
        assert_eq!(cut(239, 1), format!("{}-restored_1.txt", "é".repeat(239)));
        assert_eq!(cut(251, 99), format!("{}-restored_99.txt", "é".repeat(239)));

        let folder = "東.".repeat(127) + "x";
        let expected: String = folder.chars().take(244).collect();
        assert_eq!(numbered_name(&folder, PackageKind::COLLECTION, 1), expected + "-restored_1");

        let long = format!("{}.txt", "x".repeat(251));
        let expected = format!("{}-restored_{}.txt", "x".repeat(205), Uuid::nil());
        assert_eq!(unique_name(&long, file(), Uuid::nil()), expected);
    }

    #[test]
    fn an_extension_is_cut_only_where_the_suffix_leaves_no_room() {
        let name = |extension: usize| numbered_name(&format!("ab.{}", "é".repeat(extension)), file(), 1);
        assert_eq!(name(242), format!("a-restored_1.{}", "é".repeat(242)));
        assert_eq!(name(243), format!("-restored_1.{}", "é".repeat(243)));
        assert_eq!(name(244), format!("-restored_1.{}", "é".repeat(243)));
        assert_eq!(name(252), format!("-restored_1.{}", "é".repeat(243)));
    }

    proptest! {
        #[test]
        fn a_candidate_fits_its_column_and_differs_from_the_original(name in "\\PC{1,255}", number in 1u32..100) {
            for kind in [PackageKind::COLLECTION, file()] {
                let candidate = numbered_name(&name, kind, number);
                prop_assert!(candidate.chars().count() <= 255);
                prop_assert_ne!(&candidate, &name);
                prop_assert!(unique_name(&name, kind, Uuid::max()).chars().count() <= 255);
            }
        }

        #[test]
        fn deleting_and_restoring_returns_the_name(name in "\\PC{1,197}") {
            let deleted = format!("__DELETED__{}_{name}", id());
            prop_assert_eq!(original_name(&deleted, &id()), name);
        }
    }
}
