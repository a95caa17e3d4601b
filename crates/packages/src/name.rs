//! What a package is called: in the trash, when it comes back, and when its old name has been taken meanwhile.

use uuid::Uuid;

use crate::{id::PackageNodeId, package::PackageKind};

/// The longest name the platform's column holds, in characters (`varchar(255)`).
const MAX_NAME: usize = 255;

/// The last numbered candidate; after it comes one with a UUID.
pub const LAST_NUMBER: u32 = 99;

/// The name a package had before it was deleted.
///
/// Deleting puts `__DELETED__{node id}_` before the name, again if it was not given back in between. A name without
/// exactly that prefix is taken as it is.
#[must_use]
pub fn original<'a>(name: &'a str, node_id: &PackageNodeId) -> &'a str {
    let mut original = name;
    while let Some(rest) = original
        .strip_prefix("__DELETED__")
        .and_then(|rest| rest.strip_prefix(node_id.as_str()))
        .and_then(|rest| rest.strip_prefix('_'))
        .filter(|rest| !rest.is_empty())
    {
        original = rest;
    }
    original
}

/// The name to try when the original is taken: `{base}-restored_{number}{extension}`, of a folder
/// `{name}-restored_{number}`.
#[must_use]
pub fn numbered(original: &str, kind: PackageKind, number: u32) -> String {
    with_suffix(original, kind, &format!("-restored_{number}"))
}

/// The name to take when all numbers are taken: the same with a UUID in the number's place.
#[must_use]
pub fn unique(original: &str, kind: PackageKind, uuid: Uuid) -> String {
    with_suffix(original, kind, &format!("-restored_{uuid}"))
}

/// Puts the suffix before the extension; the base is cut where the whole would outgrow the column.
fn with_suffix(original: &str, kind: PackageKind, suffix: &str) -> String {
    let (base, extension) = if kind.is_collection() { (original, "") } else { split(original) };
    let room = MAX_NAME.saturating_sub(suffix.chars().count() + extension.chars().count());
    let base: String = base.chars().take(room).collect();
    let whole = format!("{base}{suffix}{extension}");
    whole.chars().take(MAX_NAME).collect()
}

/// Splits at the last dot: `a.nii.gz` is `a.nii` and `.gz`, `.hidden` has an empty base, `README` no extension.
fn split(name: &str) -> (&str, &str) {
    name.rfind('.').map_or((name, ""), |dot| name.split_at(dot))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id() -> PackageNodeId {
        PackageNodeId::parse("N:package:123").unwrap()
    }

    #[test]
    fn the_deletion_prefix_is_stripped_only_when_it_is_this_packages() {
        assert_eq!(original("__DELETED__N:package:123_scan.nii.gz", &id()), "scan.nii.gz");
        assert_eq!(
            original("__DELETED__N:package:124_scan.nii.gz", &id()),
            "__DELETED__N:package:124_scan.nii.gz"
        );
        assert_eq!(original("scan.nii.gz", &id()), "scan.nii.gz");
        assert_eq!(original("__DELETED__N:package:123_", &id()), "__DELETED__N:package:123_");
        assert_eq!(original("__DELETED__N:package:123___DELETED__x", &id()), "__DELETED__x");
        let twice = "__DELETED__N:package:123___DELETED__N:package:123_scan.nii.gz";
        assert_eq!(original(twice, &id()), "scan.nii.gz");
    }

    #[test]
    fn the_suffix_goes_before_the_last_extension() {
        let file = PackageKind::from_column("Text");
        assert_eq!(numbered("a.txt", file, 1), "a-restored_1.txt");
        assert_eq!(numbered("archive.tar.gz", file, 1), "archive.tar-restored_1.gz");
        assert_eq!(numbered("README", file, 7), "README-restored_7");
        assert_eq!(numbered(".hidden", file, 99), "-restored_99.hidden");
        assert_eq!(numbered("ends.", file, 2), "ends-restored_2.");
        assert_eq!(unique("a.txt", file, Uuid::nil()), "a-restored_00000000-0000-0000-0000-000000000000.txt");
    }

    #[test]
    fn a_folder_has_no_extension() {
        for (name, expected) in [
            ("Dr. Smith notes", "Dr. Smith notes-restored_1"),
            (".git", ".git-restored_1"),
            ("v1.2", "v1.2-restored_1"),
        ] {
            assert_eq!(numbered(name, PackageKind::COLLECTION, 1), expected);
        }
    }

    #[test]
    fn a_long_name_is_cut_before_the_suffix_and_keeps_its_extension() {
        let long = format!("{}.txt", "é".repeat(251));
        assert_eq!(
            numbered(&long, PackageKind::from_column("Text"), 1),
            format!("{}-restored_1.txt", "é".repeat(240))
        );
        let folder = "x".repeat(255);
        assert_eq!(
            numbered(&folder, PackageKind::COLLECTION, 99),
            format!("{}-restored_99", "x".repeat(243))
        );
    }

    proptest! {
        #[test]
        fn a_candidate_fits_its_column_and_differs_from_the_original(name in "\\PC{1,255}", number in 1u32..100) {
            for kind in [PackageKind::COLLECTION, PackageKind::from_column("Text")] {
                let candidate = numbered(&name, kind, number);
                prop_assert!(candidate.chars().count() <= MAX_NAME);
                prop_assert_ne!(&candidate, &name);
                prop_assert!(unique(&name, kind, Uuid::max()).chars().count() <= MAX_NAME);
            }
        }

        #[test]
        fn deleting_and_restoring_gives_the_name_back(name in "\\PC{1,197}") {
            let deleted = format!("__DELETED__{}_{name}", id());
            prop_assert_eq!(original(&deleted, &id()), name);
        }
    }
}
