//! Pages of keys and of versions, in S3's order: keys ascending, the newest version of each first.

use std::ops::Bound;
use std::sync::Arc;

use super::state::Objects;
use super::version::{Version, VersionId};

/// What one page shall hold.
#[derive(Debug, Default)]
pub(crate) struct Query<'a> {
    pub(crate) prefix: &'a str,
    /// Keys with this after the prefix are told as one group, their common prefix.
    pub(crate) delimiter: Option<&'a str>,
    /// Where the page before ended.
    pub(crate) after: Option<Marker>,
    /// Rows and groups together.
    pub(crate) limit: usize,
    /// All versions and delete markers, not only what a plain GET would find.
    pub(crate) all_versions: bool,
}

/// The last thing of a page: a version, or, without one, all of a key or group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) key: String,
    pub(crate) version: Option<VersionId>,
}

#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) version: Arc<Version>,
    pub(crate) is_latest: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) rows: Vec<Row>,
    pub(crate) groups: Vec<String>,
    /// Where to go on, if this is not the last page.
    pub(crate) next: Option<Marker>,
    last: Option<Marker>,
}

impl Query<'_> {
    pub(crate) fn page(&self, objects: &Objects) -> Page {
        let mut page = Page::default();
        if self.limit == 0 {
            return page;
        }
        let after = self.after.as_ref().map_or("", |marker| marker.key.as_str());
        let from = after.max(self.prefix);
        let keys = objects
            .range::<str, _>((Bound::Included(from), Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(self.prefix));
        for (key, versions) in keys {
            let complete = match self.group(key) {
                Some(group) => self.add_group(&mut page, group, versions),
                None => self.add_rows(&mut page, key, versions),
            };
            if !complete {
                page.next = page.last.take();
                break;
            }
        }
        page
    }

    fn group<'k>(&self, key: &'k str) -> Option<&'k str> {
        let delimiter = self.delimiter.filter(|delimiter| !delimiter.is_empty())?;
        let rest = key.get(self.prefix.len()..)?;
        let end = self.prefix.len() + rest.find(delimiter)? + delimiter.len();
        key.get(..end)
    }

    /// Returns false if the page was full before.
    fn add_group(&self, page: &mut Page, group: &str, versions: &[Arc<Version>]) -> bool {
        let told = self.after.as_ref().is_some_and(|marker| marker.key == group)
            || page.groups.last().is_some_and(|last| last == group);
        if told || self.visible(versions).next().is_none() {
            return true;
        }
        if self.is_full(page) {
            return false;
        }
        page.groups.push(group.to_owned());
        page.last = Some(Marker { key: group.to_owned(), version: None });
        true
    }

    /// Returns false if the page was full before the last row.
    fn add_rows(&self, page: &mut Page, key: &str, versions: &[Arc<Version>]) -> bool {
        for (version, is_latest) in self.visible(versions) {
            if !self.is_after_marker(key, &version.id) {
                continue;
            }
            if self.is_full(page) {
                return false;
            }
            page.rows.push(Row { key: key.to_owned(), version: Arc::clone(version), is_latest });
            page.last = Some(Marker { key: key.to_owned(), version: Some(version.id.clone()) });
        }
        true
    }

    fn visible<'v>(&self, versions: &'v [Arc<Version>]) -> impl Iterator<Item = (&'v Arc<Version>, bool)> {
        let all_versions = self.all_versions;
        let ranked = versions.iter().rev().enumerate().map(|(age, version)| (version, age == 0));
        ranked.filter(move |(version, is_latest)| all_versions || (*is_latest && version.content.is_some()))
    }

    fn is_after_marker(&self, key: &str, id: &VersionId) -> bool {
        match &self.after {
            Some(Marker { key: last, version: Some(version) }) if last == key => id.place() < version.place(),
            Some(Marker { key: last, version: None }) => last != key,
            _ => true,
        }
    }

    fn is_full(&self, page: &Page) -> bool {
        page.rows.len() + page.groups.len() >= self.limit
    }
}
