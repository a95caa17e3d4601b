//! Removing delete markers. The service removes no other kind of version.

use aws_sdk_s3::{
    Client,
    error::{BuildError, ProvideErrorMetadata},
    types::{Delete, ObjectIdentifier},
};
use tracing::{Instrument, info_span};

use crate::s3_error::{S3Error, from_sdk_error};

/// A delete marker of a key.
#[derive(Debug, Clone)]
pub(super) struct DeleteMarker {
    pub(super) key: String,
    pub(super) version_id: String,
}

/// The markers that were not removed.
#[derive(Default)]
pub(super) struct DeleteFailures {
    /// The keys of markers that S3 refuses to remove.
    pub(super) refused: Vec<(String, S3Error)>,
    /// Markers that another attempt may remove.
    pub(super) transient: Vec<(DeleteMarker, S3Error)>,
}

impl DeleteFailures {
    /// Adds a marker with S3's error code. A marker that no longer exists is no failure.
    fn add_code(&mut self, marker: DeleteMarker, code: Option<&str>) {
        match code {
            Some("NoSuchKey" | "NoSuchVersion") => {}
            code => self.add(marker, S3Error::from_code("removing a delete marker", code)),
        }
    }

    fn add(&mut self, marker: DeleteMarker, error: S3Error) {
        if error.is_transient() {
            self.transient.push((marker, error));
        } else {
            self.refused.push((marker.key, error));
        }
    }
}

/// Removes delete markers. A marker that no longer exists counts as removed.
pub(super) async fn remove_markers(
    client: &Client,
    bucket: &str,
    markers: &[DeleteMarker],
) -> DeleteFailures {
    let (batch, single): (Vec<&DeleteMarker>, Vec<&DeleteMarker>) =
        markers.iter().partition(|marker| is_xml_text(&marker.key));
    let mut failures = DeleteFailures::default();
    if !batch.is_empty()
        && let Err(error) = remove_batch(client, bucket, &batch, &mut failures).await
    {
        for marker in batch {
            failures.add(marker.clone(), error.clone());
        }
    }
    for marker in single {
        remove_single(client, bucket, marker, &mut failures).await;
    }
    failures
}

/// Whether XML 1.0 can express the key (W3C, "Extensible Markup Language (XML) 1.0", section 2.2). One key with a control
/// character makes the body of a whole batch malformed. In a URL every character can be encoded.
fn is_xml_text(key: &str) -> bool {
    !key.chars().any(|character| character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}'))
}

/// Removes a batch. An error is about the whole batch.
async fn remove_batch(
    client: &Client,
    bucket: &str,
    markers: &[&DeleteMarker],
    failures: &mut DeleteFailures,
) -> Result<(), S3Error> {
    let malformed = |error: BuildError| S3Error::Refused(error.to_string());
    let object = |marker: &&DeleteMarker| {
        ObjectIdentifier::builder().key(&marker.key).version_id(&marker.version_id).build().map_err(malformed)
    };
    let objects = markers.iter().map(object).collect::<Result<_, _>>()?;
    let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build().map_err(malformed)?;
    let sent = client.delete_objects().bucket(bucket).delete(delete).send();
    let sent = sent.instrument(info_span!(target: "trace", "s3", operation = "DeleteObjects")).await;
    let output = sent.map_err(|error| from_sdk_error("removing delete markers", &error))?;
    // The status is 200 even if S3 removed nothing (Amazon S3 API Reference, `DeleteObjects`).
    for error in output.errors.unwrap_or_default() {
        let Some(key) = error.key else {
            return Err(S3Error::Unavailable(
                "S3 refused to remove a delete marker without its key".to_owned(),
            ));
        };
        let marker = DeleteMarker { key, version_id: error.version_id.unwrap_or_default() };
        failures.add_code(marker, error.code.as_deref());
    }
    Ok(())
}

async fn remove_single(client: &Client, bucket: &str, marker: &DeleteMarker, failures: &mut DeleteFailures) {
    let sent = client.delete_object().bucket(bucket).key(&marker.key).version_id(&marker.version_id).send();
    let sent = sent.instrument(info_span!(target: "trace", "s3", operation = "DeleteObject")).await;
    match sent {
        Ok(_) => {}
        Err(error) if error.code().is_some() => failures.add_code(marker.clone(), error.code()),
        Err(error) => failures.add(marker.clone(), from_sdk_error("removing a delete marker", &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_xml_cannot_express_are_known() {
        for key in ["a/b c", "<&>\"'", "東\u{10ffff}", "\u{fffd}"] {
            assert!(is_xml_text(key), "{key:?}");
        }
        for key in ["a\u{1}b", "tab\t", "line\r\n", "\u{7f}", "\u{85}", "\u{fffe}", "\u{ffff}"] {
            assert!(!is_xml_text(key), "{key:?}");
        }
    }

    #[test]
    fn failures_are_sorted_by_what_another_attempt_does() {
        let mut failures = DeleteFailures::default();
        let marker = |key: &str| DeleteMarker { key: key.to_owned(), version_id: "1".to_owned() };
        failures.add_code(marker("gone"), Some("NoSuchKey"));
        failures.add_code(marker("gone, too"), Some("NoSuchVersion"));
        failures.add_code(marker("denied"), Some("AccessDenied"));
        failures.add_code(marker("slow"), Some("SlowDown"));
        failures.add_code(marker("silent"), None);
        let refused: Vec<&str> = failures.refused.iter().map(|(key, _)| key.as_str()).collect();
        let transient: Vec<&str> = failures.transient.iter().map(|(marker, _)| marker.key.as_str()).collect();
        assert_eq!((refused, transient), (vec!["denied"], vec!["slow", "silent"]));
    }
}
