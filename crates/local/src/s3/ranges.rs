//! Which bytes of an object a request gets: by its conditions, its part number and its range.

use std::ops::Range;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use s3s::{S3Error, S3Result, s3_error};

use super::conditions::{Conditions, Precondition};
use super::errors::{custom_error, format_http_date, precondition_failed};
use super::version::{Content, Version};

/// The parameters of a request that choose bytes.
pub(super) struct Selection<'a> {
    pub(super) headers: &'a HeaderMap,
    pub(super) range: Option<s3s::dto::Range>,
    pub(super) part_number: Option<i32>,
}

/// Evaluates the conditions, then the part or the range. `None` means the whole object.
pub(super) fn select_bytes(
    version: &Version,
    content: &Content,
    selection: &Selection<'_>,
) -> S3Result<Option<Range<u64>>> {
    match Conditions::from_headers(selection.headers).evaluate(&content.etag, version.modified_seconds()) {
        Precondition::Passed => {}
        Precondition::NotModified => return Err(not_modified(version, content)),
        Precondition::Failed => return Err(precondition_failed()),
    }
    match (selection.range, selection.part_number) {
        (Some(_), Some(_)) => {
            Err(s3_error!(InvalidRequest, "Cannot specify both Range header and partNumber query parameter"))
        }
        (Some(range), None) => range.check(content.size).map(Some).map_err(|_| invalid_range(content.size)),
        (None, Some(number)) => select_part(content, number).map(Some),
        (None, None) => Ok(None),
    }
}

/// The bytes of a part, as it was uploaded. An object that was uploaded in one piece has one part (AWS, `GetObject`).
fn select_part(content: &Content, number: i32) -> S3Result<Range<u64>> {
    let whole = [content.size];
    let sizes = if content.part_sizes.is_empty() { &whole[..] } else { &content.part_sizes };
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    let found = index.and_then(|index| Some((sizes.get(..index)?.iter().sum::<u64>(), *sizes.get(index)?)));
    let (start, size) = found.ok_or_else(|| {
        custom_error(
            "InvalidPartNumber",
            StatusCode::RANGE_NOT_SATISFIABLE,
            "The requested partnumber is not satisfiable",
        )
    })?;
    Ok(start..start + size)
}

/// RFC 9110, section 15.4.5: a 304 repeats the validators.
fn not_modified(version: &Version, content: &Content) -> S3Error {
    let mut headers = HeaderMap::new();
    headers.extend(HeaderValue::try_from(format!("\"{}\"", content.etag)).map(|tag| (header::ETAG, tag)));
    headers.extend(format_http_date(version.modified_seconds()).map(|date| (header::LAST_MODIFIED, date)));
    let mut error = s3_error!(NotModified);
    error.set_headers(headers);
    error
}

fn invalid_range(size: u64) -> S3Error {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    headers
        .extend(HeaderValue::try_from(format!("bytes */{size}")).map(|range| (header::CONTENT_RANGE, range)));
    let mut error = s3_error!(InvalidRange, "The requested range is not satisfiable");
    error.set_headers(headers);
    error
}
