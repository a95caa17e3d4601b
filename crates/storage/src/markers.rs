//! Removing delete markers, the one kind of version that is ever removed.

use aws_sdk_s3::{
    Client,
    error::{BuildError, ProvideErrorMetadata},
    types::{Delete, ObjectIdentifier},
};
use tracing::{Instrument, info_span};

use crate::versions::{Error, sdk_error};

/// A key, and the id of a delete marker on it.
type Marker = (String, String);

/// What a deletion left.
#[derive(Default)]
pub(super) struct Left {
    /// Keys that S3 refuses for good.
    pub(super) refused: Vec<(String, Error)>,
    /// Markers to be asked for again.
    pub(super) put_off: Vec<(Marker, Error)>,
}

impl Left {
    /// Sorts a marker that was not removed by the reason that S3 gave.
    fn add(&mut self, marker: Marker, code: Option<&str>) {
        match code {
            Some("NoSuchKey" | "NoSuchVersion") => {}
            code => self.add_error(marker, Error::from_code("removing a delete marker", code)),
        }
    }

    fn add_error(&mut self, marker: Marker, error: Error) {
        if error.is_passing() {
            self.put_off.push((marker, error));
        } else {
            self.refused.push((marker.0, error));
        }
    }
}

/// Removes versions, each named by key and id. One that is gone already counts as removed.
pub(super) async fn delete(client: &Client, bucket: &str, markers: &[Marker]) -> Left {
    let (plain, odd): (Vec<&Marker>, Vec<&Marker>) = markers.iter().partition(|(key, _)| fits_xml(key));
    let mut left = Left::default();
    if !plain.is_empty()
        && let Err(error) = delete_batch(client, bucket, &plain, &mut left).await
    {
        for marker in plain {
            left.add_error(marker.clone(), error.clone());
        }
    }
    for marker in odd {
        delete_one(client, bucket, marker, &mut left).await;
    }
    left
}

/// Whether a key can be named in a request's body. XML 1.0 has no way to write most control characters, and one such key
/// would make the whole batch malformed; in a URL anything can be written.
fn fits_xml(key: &str) -> bool {
    !key.chars().any(|character| character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}'))
}

/// Asks for a batch. An error is about all of it.
async fn delete_batch(
    client: &Client,
    bucket: &str,
    markers: &[&Marker],
    left: &mut Left,
) -> Result<(), Error> {
    let malformed = |error: BuildError| Error::Refused(error.to_string());
    let object = |(key, version): &&Marker| {
        ObjectIdentifier::builder().key(key).version_id(version).build().map_err(malformed)
    };
    let objects = markers.iter().map(object).collect::<Result<_, _>>()?;
    let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build().map_err(malformed)?;
    let sent = client.delete_objects().bucket(bucket).delete(delete).send();
    let sent = sent.instrument(info_span!(target: "trace", "s3", operation = "DeleteObjects")).await;
    let answer = sent.map_err(|error| sdk_error("removing delete markers", &error))?;
    for error in answer.errors.unwrap_or_default() {
        let Some(key) = error.key else {
            return Err(Error::Unavailable("S3 refused to remove a marker without saying which".to_owned()));
        };
        left.add((key, error.version_id.unwrap_or_default()), error.code.as_deref());
    }
    Ok(())
}

async fn delete_one(client: &Client, bucket: &str, marker: &Marker, left: &mut Left) {
    let (key, version) = marker;
    let sent = client.delete_object().bucket(bucket).key(key).version_id(version).send();
    let sent = sent.instrument(info_span!(target: "trace", "s3", operation = "DeleteObject")).await;
    match sent {
        Ok(_) => {}
        Err(error) if error.code().is_some() => left.add(marker.clone(), error.code()),
        Err(error) => left.add_error(marker.clone(), sdk_error("removing a delete marker", &error)),
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
