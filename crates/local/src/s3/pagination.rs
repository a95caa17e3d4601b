//! Pages of keys and of versions, in S3's order: keys ascending, the newest version of a key first.

use std::ops::Bound;
use std::sync::Arc;

use super::state::Objects;
use super::version::{Version, VersionId};

/// What a page contains.
#[derive(Debug, Default)]
pub(crate) struct ListQuery<'a> {
    pub(crate) prefix: &'a str,
    /// Keys with the delimiter after the prefix are grouped into one common prefix.
    pub(crate) delimiter: Option<&'a str>,
    /// The end of the previous page.
    pub(crate) after: Option<PageMarker>,
    /// The maximum number of entries and common prefixes together.
    pub(crate) limit: usize,
    /// Whether to list all versions and delete markers, or only what a plain GET finds.
    pub(crate) all_versions: bool,
}

/// The last item of a page: one version or, without a version, a whole key or common prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageMarker {
    pub(crate) key: String,
    pub(crate) version: Option<VersionId>,
}

#[derive(Debug)]
pub(crate) struct ListEntry {
    pub(crate) key: String,
    pub(crate) version: Arc<Version>,
    pub(crate) is_latest: bool,
}

#[derive(Debug, Default)]
pub(crate) struct ListPage {
    pub(crate) entries: Vec<ListEntry>,
    pub(crate) common_prefixes: Vec<String>,
    /// The start of the next page. `None` on the last page.
    pub(crate) next: Option<PageMarker>,
    last: Option<PageMarker>,
}

impl ListQuery<'_> {
    pub(crate) fn list_page(&self, objects: &Objects) -> ListPage {
        let mut page = ListPage::default();
        // With `max-keys=0` S3 returns an empty page that is not truncated.
        if self.limit == 0 {
            return page;
        }
        let after = self.after.as_ref().map_or("", |marker| marker.key.as_str());
        // The marker of a key is included, because older versions of that key may follow.
        let start = after.max(self.prefix);
        let keys = objects
            .range::<str, _>((Bound::Included(start), Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(self.prefix));
        for (key, versions) in keys {
            let has_room = match self.common_prefix(key) {
                Some(prefix) => self.add_common_prefix(&mut page, prefix, versions),
                None => self.add_entries(&mut page, key, versions),
            };
            if !has_room {
                page.next = page.last.take();
                break;
            }
        }
        page
    }

    fn common_prefix<'k>(&self, key: &'k str) -> Option<&'k str> {
        let delimiter = self.delimiter.filter(|delimiter| !delimiter.is_empty())?;
        let rest = key.get(self.prefix.len()..)?;
        let end = self.prefix.len() + rest.find(delimiter)? + delimiter.len();
        key.get(..end)
    }

    /// Returns false if the page was already full.
    fn add_common_prefix(&self, page: &mut ListPage, prefix: &str, versions: &[Arc<Version>]) -> bool {
        // The previous page may have ended with this prefix.
        let is_listed = self.after.as_ref().is_some_and(|marker| marker.key == prefix)
            || page.common_prefixes.last().is_some_and(|last| last == prefix);
        // A prefix whose keys are all hidden by delete markers is not listed.
        if is_listed || self.listed_versions(versions).next().is_none() {
            return true;
        }
        if self.is_full(page) {
            return false;
        }
        page.common_prefixes.push(prefix.to_owned());
        page.last = Some(PageMarker { key: prefix.to_owned(), version: None });
        true
    }

    /// Returns false if the page was full before the last version.
    fn add_entries(&self, page: &mut ListPage, key: &str, versions: &[Arc<Version>]) -> bool {
        for (version, is_latest) in self.listed_versions(versions) {
            if !self.is_after_marker(key, &version.id) {
                continue;
            }
            if self.is_full(page) {
                return false;
            }
            page.entries.push(ListEntry { key: key.to_owned(), version: Arc::clone(version), is_latest });
            page.last = Some(PageMarker { key: key.to_owned(), version: Some(version.id.clone()) });
        }
        true
    }

    fn listed_versions<'v>(
        &self,
        versions: &'v [Arc<Version>],
    ) -> impl Iterator<Item = (&'v Arc<Version>, bool)> {
        let all_versions = self.all_versions;
        let newest_first = versions.iter().rev().enumerate().map(|(age, version)| (version, age == 0));
        newest_first
            .filter(move |(version, is_latest)| all_versions || (*is_latest && version.content.is_some()))
    }

    fn is_after_marker(&self, key: &str, id: &VersionId) -> bool {
        match &self.after {
            // The version of the marker may be deleted by now, so its position is compared and not looked up.
            Some(PageMarker { key: last, version: Some(version) }) if last == key => {
                id.sequence() < version.sequence()
            }
            Some(PageMarker { key: last, version: None }) => last != key,
            _ => true,
        }
    }

    fn is_full(&self, page: &ListPage) -> bool {
        page.entries.len() + page.common_prefixes.len() >= self.limit
    }
}
