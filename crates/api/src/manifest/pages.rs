//! Makes a manifest, a page of files at a time.

use std::sync::Arc;

use axum::body::Bytes;
use packages::{
    file_name::Disposition,
    manifest::{FilePosition, ManifestFile, ReadableDatasets, Selection, load_files},
};
use storage::{PresignedLink, ResponseHeaders};

use super::{
    format::{ManifestEnd, ManifestFormat, blocked_json},
    response::{BlockedEntry, ManifestEntry, ManifestHeader, SkippedEntry},
};
use crate::{
    App, Problem,
    cursor::{decode_cursor, encode_cursor},
    links::{parse_lifetime, presign_file, yield_between_signatures},
    query::{Query, parse_digits},
    response_size::json_string_length,
};

/// Files of one statement and one part of the response: half a megabyte to a megabyte.
const PAGE_FILES: usize = 500;

/// The largest `limit`.
const MAX_LIMIT: u16 = 10_000;

/// The version of a cursor.
const CURSOR_FORM: &str = "1.";

/// Kept back of a limited response for what comes after the files.
const END_RESERVE_BYTES: usize = 500_000;

/// The part of a manifest that a request asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageRange {
    after: Option<FilePosition>,
    limit: Option<usize>,
    lifetime: u16,
}

impl PageRange {
    pub(super) fn from_query(query: &Query) -> Result<Self, Problem> {
        let after = query.get("cursor").map(parse_cursor).transpose()?;
        let limit = query.parse_number("limit", 1..=MAX_LIMIT)?.map(usize::from);
        Ok(Self { after, limit, lifetime: parse_lifetime(query)? })
    }
}

/// A manifest that is being made.
pub(super) struct ManifestPages {
    app: Arc<App>,
    access: ReadableDatasets,
    selection: Selection,
    format: ManifestFormat,
    range: PageRange,
    /// The index of this response's first file in the selection.
    start: usize,
    /// The index of the next file.
    next: usize,
    /// The index after the last file of this response.
    end: usize,
    /// The size of what this response has until now, as a string in JSON, and of what comes after the files.
    response_bytes: usize,
    /// The files without a link, as JSON.
    blocked: Vec<Vec<u8>>,
    has_header: bool,
    has_entries: bool,
    has_ended: bool,
}

impl ManifestPages {
    pub(super) fn new(
        app: Arc<App>,
        access: ReadableDatasets,
        selection: Selection,
        range: PageRange,
        format: ManifestFormat,
    ) -> Self {
        let files = &selection.files;
        let start = range.after.map_or(0, |after| files.partition_point(|file| file.position <= after));
        let end = range.limit.map_or(files.len(), |limit| files.len().min(start + limit));
        Self {
            app,
            access,
            selection,
            format,
            range,
            start,
            next: start,
            end,
            response_bytes: 0,
            blocked: Vec::new(),
            has_header: false,
            has_entries: false,
            has_ended: false,
        }
    }

    /// Whether the host returns responses at once, up to a size.
    pub(super) fn is_limited(&self) -> bool {
        self.app.max_response_bytes.is_some()
    }

    /// How many links this response has, if it does not end early.
    pub(super) fn count_links(&self) -> usize {
        let files = self.selection.files.get(self.next..self.end).unwrap_or_default();
        files.iter().filter(|file| !file.is_blocked).count()
    }

    /// The next part of the response; `None` after the last one.
    pub(super) async fn next_chunk(&mut self) -> Result<Option<Bytes>, Problem> {
        if self.has_ended {
            return Ok(None);
        }
        let page_end = self.end.min(self.next + PAGE_FILES);
        let page = self.selection.files.get(self.next..page_end).unwrap_or_default();
        let page: Vec<FilePosition> = page.iter().map(|file| file.position).collect();
        let files = self.load_page(&page).await?;
        let links = self.sign_files(&files).await?;
        let mut out = Vec::with_capacity(PAGE_FILES * 1024);
        if !self.has_header {
            self.has_header = true;
            self.format.write_header(&mut out, &self.header(&links));
        }
        self.next = page_end;
        for (file, link) in files.iter().zip(&links) {
            let (before, blocked_before) = (out.len(), self.blocked.len());
            self.write_file(&mut out, file, link.as_ref());
            self.response_bytes += json_string_length(out.get(before..).unwrap_or_default());
            if self.is_full() {
                out.truncate(before);
                self.blocked.truncate(blocked_before);
                self.end_before(file.position)?;
                break;
            }
        }
        if self.next >= self.end {
            self.has_ended = true;
            self.write_end(&mut out);
        }
        Ok(Some(out.into()))
    }

    async fn load_page(&self, page: &[FilePosition]) -> Result<Vec<ManifestFile>, Problem> {
        if page.is_empty() {
            return Ok(Vec::new());
        }
        Ok(load_files(&self.app.db, &self.access, &self.selection, page).await?)
    }

    /// The links to the files, in their order; `None` for a file that may not be read.
    async fn sign_files(&self, files: &[ManifestFile]) -> Result<Vec<Option<PresignedLink>>, Problem> {
        let mut links = Vec::with_capacity(files.len());
        for (number, file) in files.iter().enumerate() {
            yield_between_signatures(number).await;
            let Some(file) = &file.file else {
                links.push(None);
                continue;
            };
            let headers = ResponseHeaders {
                content_disposition: Some(file.name.content_disposition(Disposition::Attachment)),
                content_type: None,
            };
            links.push(Some(presign_file(&self.app, file, &headers, self.range.lifetime).await?));
        }
        Ok(links)
    }

    fn header(&self, links: &[Option<PresignedLink>]) -> ManifestHeader {
        let files = &self.selection.files;
        let blocked_count = files.iter().filter(|file| file.is_blocked).count();
        ManifestHeader {
            count: files.len() - blocked_count,
            size: self.selection.total_size(),
            blocked_count,
            expires_at: self.first_end(links).filter(|_| files.len() > blocked_count),
        }
    }

    /// When the first of all links ends. Later ones end later, but for those that sessions of roles sign.
    fn first_end(&self, links: &[Option<PresignedLink>]) -> Option<u64> {
        let now = self.app.clock.now();
        // The first files may have no link.
        let period = || self.app.link_window.link_period(now, self.range.lifetime).ends_at;
        let end = links.iter().flatten().map(PresignedLink::expires_at).min().unwrap_or_else(period);
        let more_follow = self.end > self.next + PAGE_FILES;
        let session = self.app.objects.shortest_session_seconds().filter(|_| more_follow);
        session.map(|seconds| now + seconds).into_iter().chain([end]).min()
    }

    fn write_file(&mut self, out: &mut Vec<u8>, file: &ManifestFile, link: Option<&PresignedLink>) {
        let Some(link) = link else {
            let json = blocked_json(&BlockedEntry::new(file));
            self.response_bytes += json_string_length(&json);
            self.blocked.push(json);
            return;
        };
        let size = file.file.as_ref().and_then(|file| file.size);
        self.format.write_entry(out, &ManifestEntry::new(file, link.url(), size), !self.has_entries);
        self.has_entries = true;
    }

    fn is_full(&self) -> bool {
        let used = self.response_bytes + END_RESERVE_BYTES;
        self.app.max_response_bytes.is_some_and(|most| used > most)
    }

    /// Ends this response early, which a client that did not ask for a page would not expect.
    fn end_before(&mut self, position: FilePosition) -> Result<(), Problem> {
        let next = self.selection.files.partition_point(|file| file.position < position);
        if self.range.limit.is_none() || next == self.start {
            return Err(Problem::too_large(
                "the manifest is too large for one response; request pages with 'limit', and continue with 'cursor'",
            ));
        }
        (self.next, self.end) = (next, next);
        Ok(())
    }

    fn write_end(&self, out: &mut Vec<u8>) {
        let last = self.next.checked_sub(1).filter(|_| self.next < self.selection.files.len());
        let last = last.and_then(|index| self.selection.files.get(index));
        let next = last.map(|file| format_cursor(file.position));
        let end = ManifestEnd {
            blocked: &self.blocked,
            // On the first page only.
            skipped: if self.range.after.is_none() {
                self.selection.skipped.iter().map(SkippedEntry::new).collect()
            } else {
                Vec::new()
            },
            next: next.as_deref(),
        };
        self.format.write_end(out, &end);
    }
}

/// The position in base64, so that clients do not come to depend on its form.
fn format_cursor(position: FilePosition) -> String {
    let FilePosition { folder, package, file } = position;
    encode_cursor(CURSOR_FORM, &format!("{folder}.{package}.{file}"))
}

fn parse_cursor(text: &str) -> Result<FilePosition, Problem> {
    let decode = || {
        let decoded = decode_cursor(CURSOR_FORM, text).ok()?;
        let mut parts = decoded.split('.');
        // A folder's id is 0 at the top, and none is negative.
        let mut number = || parts.next().and_then(parse_digits);
        let position = FilePosition { folder: number()?, package: number()?, file: number()? };
        parts.next().is_none().then_some(position)
    };
    decode().ok_or_else(|| Problem::invalid("query parameter 'cursor' is not the 'next' value of a manifest"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let position = FilePosition { folder: 0, package: i32::MAX, file: 7 };
        assert_eq!(parse_cursor(&format_cursor(position)).ok(), Some(position));
        for text in ["", "x", "MQ", "MS4xLjI", "MS4xLjIuMy40", "Mi4xLjIuMw", "MS4wLisxLjI", "MS4wLi0xLjI"] {
            assert!(parse_cursor(text).is_err(), "{text}");
        }
    }
}
