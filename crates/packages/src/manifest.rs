//! The files of packages and of everything beneath them, for a download of whole folders.
//!
//! [`select_files`] finds them once: ids, sizes and folders, a few bytes a file. [`load_files`] then loads what a download
//! needs, some hundred files at a time. Files are ordered by folder, package and file id, so that a download can continue
//! after any of them.

mod page;
mod selection;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::{
    access::{DatasetAccess, ViewFiles},
    file_name::FileName,
    id::{DatasetId, PackageNodeId, WorkspaceId},
    links::LinkedFile,
};

pub use page::load_files;
pub use selection::select_files;

/// The largest number of files in one selection, and of folders.
pub const MAX_SELECTED_FILES: usize = 100_000;

/// The largest number of folders above a file, counted from the outermost selected one.
pub const MAX_FOLDER_DEPTH: usize = 1000;

/// How many skipped packages are listed.
pub const MAX_SKIPPED_PACKAGES: usize = 1000;

/// Proof that a person may read some datasets of one workspace.
#[derive(Debug, Clone)]
pub struct ReadableDatasets {
    workspace: WorkspaceId,
    datasets: Vec<DatasetAccess<ViewFiles>>,
}

impl ReadableDatasets {
    /// Datasets of one workspace. `None`: there is none, or they belong to more than one.
    #[must_use]
    pub fn new(datasets: Vec<DatasetAccess<ViewFiles>>) -> Option<Self> {
        let workspace = datasets.first()?.workspace();
        let is_one_workspace = datasets.iter().all(|dataset| dataset.workspace() == workspace);
        is_one_workspace.then_some(Self { workspace, datasets })
    }

    /// The datasets.
    #[must_use]
    pub fn datasets(&self) -> &[DatasetAccess<ViewFiles>] {
        &self.datasets
    }

    fn dataset_ids(&self) -> Vec<i32> {
        let ids = self.datasets.iter().map(DatasetAccess::dataset);
        ids.map(|DatasetId(id)| id).collect()
    }
}

/// What to select.
#[derive(Debug, Clone)]
pub struct ManifestRequest {
    /// The texts of the request, some of which may be no node ids.
    pub node_ids: Vec<String>,
    /// Those that are.
    pub packages: Vec<PackageNodeId>,
    /// Only these files; `None` for all.
    pub file_ids: Option<Vec<i32>>,
}

impl ManifestRequest {
    /// Parses the node ids.
    #[must_use]
    pub fn new(node_ids: Vec<String>, file_ids: Option<Vec<i32>>) -> Self {
        let packages = node_ids.iter().filter_map(|node_id| PackageNodeId::parse(node_id).ok()).collect();
        Self { node_ids, packages, file_ids }
    }
}

/// Where a file stands in the order: by folder (0 for none), package and file id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilePosition {
    /// The primary key of the package's folder; 0 at the top of the dataset.
    pub folder: i32,
    /// The package's primary key.
    pub package: i32,
    /// The file's primary key.
    pub file: i32,
}

/// One file of a selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelectedFile {
    /// Its place in the order.
    pub position: FilePosition,
    /// Its size in bytes; 0 if the database does not have it.
    pub size: u64,
    /// Whether it did not pass the malware scan.
    pub is_blocked: bool,
}

/// The files and folders that a request selects.
#[derive(Debug, Default)]
pub struct Selection {
    /// The files, in order.
    pub files: Vec<SelectedFile>,
    /// Requested packages without files, and packages that are not available.
    pub skipped: Vec<SkippedPackage>,
    folders: HashMap<i32, Folder>,
}

#[derive(Debug)]
struct Folder {
    parent: i32,
    name: FileName,
}

/// A package that is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedPackage {
    /// The node id, as it was requested or as the database has it.
    pub node_id: String,
    /// Why it is left out.
    pub reason: SkipReason,
}

/// Why a package is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// No dataset that the caller may read has it.
    NotFound,
    /// It is in the trash, or on its way there.
    InTrash,
    /// Its restore is in progress.
    Restoring,
    /// Its upload is not complete.
    Unavailable,
    /// It has no stored file.
    NoStoredFile,
}

/// Why there is no selection.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// More than [`MAX_SELECTED_FILES`] files or folders.
    #[error("the packages have more than {MAX_SELECTED_FILES} files or folders; request fewer at a time")]
    TooMany,
    /// More than [`MAX_FOLDER_DEPTH`] folders above a file.
    #[error(
        "the packages have folders with more than {MAX_FOLDER_DEPTH} folders above them; request inner folders"
    )]
    TooDeep,
    /// A statement failed.
    #[error(transparent)]
    Database(#[from] database::Error),
}

/// A file with everything that a download needs.
#[derive(Debug, Clone)]
pub struct ManifestFile {
    /// Its place in the order.
    pub position: FilePosition,
    /// The package's node id.
    pub package_node_id: String,
    /// The package's name, as people see it.
    pub package_name: String,
    /// Where it is stored, its name and its size. `None`: it may not be read.
    pub file: Option<LinkedFile>,
    /// The name of a file that may not be read.
    pub file_name: FileName,
    /// The names of the folders from the requested package down, and of a package with several files.
    pub path: Arc<[FileName]>,
    /// The extension of the stored file, without its dot.
    pub extension: Option<String>,
    /// The status of the malware scan.
    pub scan_status: Option<String>,
    /// The checksum that the platform recorded at the upload.
    pub checksum: Option<serde_json::Value>,
}

impl Selection {
    /// The number of bytes of the files that are not blocked.
    #[must_use]
    pub fn total_size(&self) -> u64 {
        let sizes = self.files.iter().filter(|file| !file.is_blocked).map(|file| file.size);
        sizes.fold(0, u64::saturating_add)
    }

    /// The names of the folders above a package, from the outermost selected folder down.
    fn folder_names(&self, folder: i32) -> Arc<[FileName]> {
        let (mut names, mut visited, mut next) = (Vec::new(), HashSet::new(), folder);
        // Folders that form a cycle are each visited once.
        while let Some(Folder { parent, name }) = self.folders.get(&next).filter(|_| visited.insert(next)) {
            names.push(name.clone());
            next = *parent;
        }
        names.reverse();
        names.into()
    }
}

/// The length of the longest path of folders. Each folder is visited once, also where folders form a cycle.
fn longest_path(folders: &HashMap<i32, Folder>) -> usize {
    let mut depths: HashMap<i32, usize> = HashMap::with_capacity(folders.len());
    for folder in folders.keys() {
        let (mut chain, mut next) = (Vec::new(), *folder);
        while let Some(Folder { parent, .. }) = folders.get(&next).filter(|_| !depths.contains_key(&next)) {
            // Counted as the top until its folder is known, which also ends a cycle.
            depths.insert(next, 0);
            chain.push(next);
            next = *parent;
        }
        let above = depths.get(&next).copied().unwrap_or(0);
        for (distance, folder) in chain.into_iter().rev().enumerate() {
            depths.insert(folder, above + distance + 1);
        }
    }
    depths.into_values().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(folders: &[(i32, i32, &str)]) -> Selection {
        let folder = |(id, parent, name): &(i32, i32, &str)| {
            (*id, Folder { parent: *parent, name: FileName::from_file(name) })
        };
        Selection { folders: folders.iter().map(folder).collect(), ..Selection::default() }
    }

    fn names(selection: &Selection, folder: i32) -> Vec<String> {
        selection.folder_names(folder).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_path_begins_at_the_outermost_selected_folder() {
        let selection = selection(&[(2, 1, "a"), (3, 2, "b/c"), (5, 4, "..")]);
        assert_eq!(names(&selection, 3), ["a", "b_c"]);
        assert_eq!(names(&selection, 2), ["a"]);
        assert_eq!(names(&selection, 5), ["file"]);
        assert_eq!(names(&selection, 0), [""; 0]);
    }

    #[test]
    fn folders_that_form_a_cycle_have_an_end() {
        let selection = selection(&[(1, 3, "a"), (2, 1, "b"), (3, 2, "c")]);
        assert_eq!(names(&selection, 3), ["a", "b", "c"]);
        let path_length = longest_path(&selection.folders);
        assert!((3..=6).contains(&path_length), "{path_length}");
        let with_branch = self::selection(&[(1, 2, "a"), (2, 1, "b"), (3, 2, "c"), (4, 3, "d")]);
        assert_eq!(names(&with_branch, 4), ["a", "b", "c", "d"]);
    }

    #[test]
    fn the_longest_path_counts_folders() {
        let lengths = |folders: &[(i32, i32, &str)]| longest_path(&selection(folders).folders);
        assert_eq!(lengths(&[]), 0);
        assert_eq!(lengths(&[(2, 1, "a")]), 1);
        assert_eq!(lengths(&[(2, 1, "a"), (3, 2, "b"), (4, 3, "c"), (5, 2, "d")]), 3);
        let chain: Vec<_> = (2..=100_000).map(|id| (id, id - 1, "x")).collect();
        assert_eq!(lengths(&chain), 99_999);
    }
}
