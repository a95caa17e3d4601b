//! `DeleteObjects`: up to 1,000 keys or versions in one request, each with its own result.

use http::{Method, Request};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, Error, ObjectIdentifier};
use s3s::{Body, S3Request, S3Response, S3Result, s3_error};

use super::checksum::ExpectedChecksum;
use super::content::verify_md5;
use super::state::DeleteOutcome;
use super::store::{DeleteTarget, S3Store};
use super::version::VersionId;
use crate::faults::{FaultInjector, InjectedError};

/// AWS, `DeleteObjects`: a request with more keys is malformed.
const MAX_KEYS: usize = 1_000;

/// Enough for a thousand keys of 1,024 bytes with their versions, in XML.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// The error of one key. The other keys of the request are deleted.
struct KeyError {
    code: &'static str,
    message: &'static str,
}

/// Reads the body of a `DeleteObjects` request and verifies its `Content-MD5` or checksum. Returns other requests
/// unchanged.
///
/// S3 requires one of the two for this operation. The operation itself sees only the parsed body, so the bytes are
/// verified here.
pub(super) async fn verify_body(request: Request<Incoming>) -> S3Result<Request<Body>> {
    let mut names = url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
    if request.method() != Method::POST || !names.any(|(name, _)| name == "delete") {
        return Ok(request.map(Body::from));
    }
    let (parts, body) = request.into_parts();
    let expected = ExpectedChecksum::from_headers(&parts.headers)?;
    if expected.is_none() && !parts.headers.contains_key("content-md5") {
        return Err(s3_error!(
            InvalidRequest,
            "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"
        ));
    }
    let body =
        Limited::new(body, MAX_BODY_BYTES).collect().await.map_err(|_| s3_error!(IncompleteBody))?.to_bytes();
    verify_md5(&parts.headers, Md5::checksum(&body))?;
    if let Some(expected) = expected {
        let mut hasher = expected.new_hasher();
        hasher.update(&body);
        expected.verify(hasher, None)?;
    }
    Ok(Request::from_parts(parts, Body::from(body)))
}

pub(super) fn delete_objects(
    store: &S3Store,
    faults: &FaultInjector,
    request: S3Request<DeleteObjectsInput>,
) -> S3Result<S3Response<DeleteObjectsOutput>> {
    let DeleteObjectsInput { bucket, delete, .. } = request.input;
    if delete.objects.is_empty() || delete.objects.len() > MAX_KEYS {
        return Err(s3_error!(MalformedXML, "The XML you provided was not well-formed"));
    }
    let (mut accepted, mut errors) = (Vec::new(), Vec::new());
    for object in &delete.objects {
        match parse_version_id(object, faults) {
            Ok(id) => accepted.push((object.key.as_str(), id)),
            Err(error) => errors.push(error_entry(object, &error)),
        }
    }
    let targets: Vec<_> =
        accepted.iter().map(|(key, id)| DeleteTarget { key, version_id: id.as_ref() }).collect();
    let outcomes = store.delete(&bucket, &targets)?;
    let deleted = accepted.iter().zip(outcomes).map(|((key, _), outcome)| deleted_entry(key, outcome));
    // In quiet mode S3 reports only errors.
    let quiet = delete.quiet.unwrap_or(false);
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted: (!quiet).then(|| deleted.collect()),
        errors: (!errors.is_empty()).then_some(errors),
        ..DeleteObjectsOutput::default()
    }))
}

/// The version to remove. `None` adds a delete marker instead.
fn parse_version_id(
    object: &ObjectIdentifier,
    faults: &FaultInjector,
) -> Result<Option<VersionId>, KeyError> {
    if let Some(error) = faults.take_key_error(&object.key) {
        return Err(KeyError { code: error.code(), message: InjectedError::MESSAGE });
    }
    let Some(text) = object.version_id.as_deref() else { return Ok(None) };
    let invalid = KeyError { code: "NoSuchVersion", message: "The specified version does not exist." };
    VersionId::parse(text).map(Some).ok_or(invalid)
}

fn error_entry(object: &ObjectIdentifier, error: &KeyError) -> Error {
    Error {
        code: Some(error.code.to_owned()),
        key: Some(object.key.clone()),
        message: Some(error.message.to_owned()),
        version_id: object.version_id.clone(),
    }
}

fn deleted_entry(key: &str, outcome: DeleteOutcome) -> DeletedObject {
    let key = Some(key.to_owned());
    match outcome {
        DeleteOutcome::MarkerAdded(id) => DeletedObject {
            delete_marker: Some(true),
            delete_marker_version_id: Some(id.to_string()),
            key,
            version_id: None,
        },
        // If the removed version was a delete marker itself, S3 repeats its id as the marker's id.
        DeleteOutcome::VersionRemoved { id, was_marker } => DeletedObject {
            delete_marker: was_marker.then_some(true),
            delete_marker_version_id: was_marker.then(|| id.to_string()),
            key,
            version_id: Some(id.to_string()),
        },
    }
}
