//! Removing delete markers, the one kind of version that is ever removed.

use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata,
    types::{Delete, ObjectIdentifier},
};
use tracing::{Instrument, info_span};

use super::Interrupted;

/// What a deletion left.
#[derive(Default)]
pub(super) struct Left {
    /// Keys that S3 refuses for good, and why, in words for the packages' owner.
    pub(super) refused: Vec<(String, String)>,
    /// Markers to be asked for again.
    pub(super) put_off: Vec<(String, String)>,
}

impl Left {
    /// Sorts a marker that was not removed by the reason that S3 gave.
    fn add(&mut self, marker: (String, String), code: Option<&str>) {
        match code {
            Some("NoSuchKey" | "NoSuchVersion") => {}
            Some(
                "InternalError" | "SlowDown" | "ServiceUnavailable" | "RequestTimeout" | "OperationAborted",
            ) => self.put_off.push(marker),
            _ => self.refused.push((marker.0, "S3 refuses to undelete its stored file".to_owned())),
        }
    }
}

/// Removes versions, each named by key and id. One that is gone already counts as removed.
pub(super) async fn delete(
    client: &Client,
    bucket: &str,
    markers: &[(String, String)],
) -> Result<Left, Interrupted> {
    let (plain, odd): (Vec<_>, Vec<_>) = markers.iter().partition(|(key, _)| fits_xml(key));
    let mut left = Left::default();
    if !plain.is_empty() {
        delete_batch(client, bucket, &plain, &mut left).await?;
    }
    for (key, version) in odd {
        delete_one(client, bucket, (key, version), &mut left).await?;
    }
    Ok(left)
}

/// Whether a key can be named in a request's body. XML 1.0 has no way to write most control characters, and one such key
/// would make the whole batch malformed; in a URL anything can be written.
fn fits_xml(key: &str) -> bool {
    !key.chars().any(|character| character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}'))
}

async fn delete_batch(
    client: &Client,
    bucket: &str,
    markers: &[&(String, String)],
    left: &mut Left,
) -> Result<(), Interrupted> {
    let objects = markers.iter().map(|(key, version)| {
        ObjectIdentifier::builder()
            .key(key)
            .version_id(version)
            .build()
            .map_err(|error| Interrupted::sdk("deleting", &error))
    });
    let delete = Delete::builder().set_objects(Some(objects.collect::<Result<_, _>>()?)).quiet(true).build();
    let delete = delete.map_err(|error| Interrupted::sdk("deleting", &error))?;
    let sent = client.delete_objects().bucket(bucket).delete(delete).send();
    let sent = sent.instrument(info_span!(target: "trace", "s3", operation = "DeleteObjects")).await;
    let errors =
        sent.map_err(|error| Interrupted::sdk("deleting markers", &error))?.errors.unwrap_or_default();
    for error in errors {
        let Some(key) = error.key else {
            return Err(Interrupted::new("S3 refused to remove a marker without saying which"));
        };
        left.add((key, error.version_id.unwrap_or_default()), error.code.as_deref());
    }
    Ok(())
}

async fn delete_one(
    client: &Client,
    bucket: &str,
    (key, version): (&str, &str),
    left: &mut Left,
) -> Result<(), Interrupted> {
    let sent = client.delete_object().bucket(bucket).key(key).version_id(version).send();
    let sent = sent.instrument(info_span!(target: "trace", "s3", operation = "DeleteObject")).await;
    match sent {
        Ok(_) => Ok(()),
        Err(error) if error.code().is_none() => Err(Interrupted::sdk("deleting a marker", &error)),
        Err(error) => {
            left.add((key.to_owned(), version.to_owned()), error.code());
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_write_is_known() {
        for key in ["a/b c", "<&>\"'", "東\u{10ffff}", "\u{fffd}"] {
            assert!(fits_xml(key), "{key:?}");
        }
        for key in ["a\u{1}b", "tab\t", "line\r\n", "\u{7f}", "\u{85}", "\u{fffe}", "\u{ffff}"] {
            assert!(!fits_xml(key), "{key:?}");
        }
    }
}
