//! The forms of a manifest, written part by part.

use http::{HeaderMap, HeaderValue};
use serde::Serialize;

use super::response::{BlockedEntry, ManifestEntry, ManifestHeader, SkippedEntry};
use crate::{Problem, link_format::accepted_quality, query::Query};

/// The form of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ManifestFormat {
    /// One object.
    Json,
    /// One value in each line.
    Ndjson,
    /// An input file for aria2 (aria2 manual, "Input File").
    Aria2,
}

impl ManifestFormat {
    /// `format`, and without it `Accept`.
    pub(super) fn from_request(query: &Query, headers: &HeaderMap) -> Result<Self, Problem> {
        match query.get("format") {
            Some("json") => Ok(Self::Json),
            Some("ndjson") => Ok(Self::Ndjson),
            Some("aria2") => Ok(Self::Aria2),
            Some(_) => Err(Problem::invalid("query parameter 'format' must be json, ndjson or aria2")),
            None => Ok(Self::from_accept(headers)),
        }
    }

    /// The format with the highest quality. JSON if none is named.
    fn from_accept(headers: &HeaderMap) -> Self {
        let named = [
            (Self::Aria2, "application/x-aria2-input"),
            (Self::Ndjson, "application/x-ndjson"),
            (Self::Json, "application/json"),
        ];
        let qualities = named.map(|(format, name)| (accepted_quality(headers, name), format));
        let best = qualities.into_iter().max_by_key(|(quality, _)| *quality);
        best.filter(|(quality, _)| quality.is_some()).map_or(Self::Json, |(_, format)| format)
    }

    pub(super) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Aria2 => "text/plain; charset=utf-8",
        })
    }

    pub(super) fn write_header(self, out: &mut Vec<u8>, header: &ManifestHeader) {
        match self {
            Self::Json => {
                out.extend_from_slice(br#"{"header":"#);
                write_json(out, header);
                out.extend_from_slice(br#","data":["#);
            }
            Self::Ndjson => write_line(out, &[("header", header)]),
            Self::Aria2 => {
                let ManifestHeader { count, size, .. } = header;
                out.extend_from_slice(format!("# {count} files, {size} bytes\n").as_bytes());
            }
        }
    }

    pub(super) fn write_entry(self, out: &mut Vec<u8>, entry: &ManifestEntry<'_>, is_first: bool) {
        match self {
            Self::Json => {
                if !is_first {
                    out.push(b',');
                }
                write_json(out, entry);
            }
            Self::Ndjson => {
                write_json(out, entry);
                out.push(b'\n');
            }
            // Names have no control characters, and a URL is percent-encoded.
            Self::Aria2 => {
                let line = format!("{}\n  out={}\n", entry.url(), entry.relative_path());
                out.extend_from_slice(line.as_bytes());
            }
        }
    }

    pub(super) fn write_end(self, out: &mut Vec<u8>, end: &ManifestEnd<'_>) {
        match self {
            Self::Json => {
                out.extend_from_slice(br#"],"blocked":["#);
                out.extend_from_slice(&end.blocked.join(&b','));
                out.extend_from_slice(br#"],"skipped":"#);
                write_json(out, &end.skipped);
                out.extend_from_slice(br#","next":"#);
                write_json(out, &end.next);
                out.push(b'}');
            }
            Self::Ndjson => {
                out.extend_from_slice(br#"{"blocked":["#);
                out.extend_from_slice(&end.blocked.join(&b','));
                out.extend_from_slice(b"]}\n");
                write_line(out, &[("skipped", &end.skipped)]);
                write_line(out, &[("next", &end.next)]);
            }
            Self::Aria2 => {
                for skipped in &end.skipped {
                    out.extend_from_slice(b"# skipped: ");
                    write_json(out, skipped);
                    out.push(b'\n');
                }
                for blocked in end.blocked {
                    out.extend_from_slice(b"# blocked: ");
                    out.extend_from_slice(blocked);
                    out.push(b'\n');
                }
                if let Some(next) = end.next {
                    out.extend_from_slice(format!("# next: {next}\n").as_bytes());
                }
            }
        }
    }
}

/// What comes after the files.
pub(super) struct ManifestEnd<'a> {
    /// Each as JSON.
    pub(super) blocked: &'a [Vec<u8>],
    pub(super) skipped: Vec<SkippedEntry<'a>>,
    pub(super) next: Option<&'a str>,
}

pub(super) fn blocked_json(entry: &BlockedEntry<'_>) -> Vec<u8> {
    let mut json = Vec::new();
    write_json(&mut json, entry);
    json
}

/// `{"name":value}` and the end of the line.
fn write_line<T: Serialize>(out: &mut Vec<u8>, [(name, value)]: &[(&str, T); 1]) {
    out.extend_from_slice(format!("{{\"{name}\":").as_bytes());
    write_json(out, value);
    out.extend_from_slice(b"}\n");
}

/// Neither a buffer nor these types can fail.
fn write_json<T: Serialize>(out: &mut Vec<u8>, value: &T) {
    let _ = serde_json::to_writer(out, value);
}
