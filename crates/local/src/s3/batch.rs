//! `DeleteObjects`: up to 1,000 keys or versions in one request, each with its own outcome.

use http::{Method, Request};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, Error, ObjectIdentifier};
use s3s::{Body, S3Request, S3Response, S3Result, s3_error};

use super::checksum::Announced;
use super::content::check_md5;
use super::state::Deleted;
use super::store::S3;
use super::version::VersionId;
use crate::faults::{Failure, Faults};

/// AWS, `DeleteObjects`: more than this many keys is malformed.
const MOST: usize = 1_000;

/// Room for a thousand keys of 1,024 bytes with their versions, in XML.
const LONGEST_BODY: usize = 4 * 1024 * 1024;

/// Reads the body of a `DeleteObjects` and compares it with its `Content-MD5` or checksum, one of which it must have.
/// Any other request is passed on as it is.
pub(super) async fn check_body(request: Request<Incoming>) -> S3Result<Request<Body>> {
    let mut names = url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
    if request.method() != Method::POST || !names.any(|(name, _)| name == "delete") {
        return Ok(request.map(Body::from));
    }
    let (parts, body) = request.into_parts();
    let announced = Announced::find(&parts.headers)?;
    if announced.is_none() && !parts.headers.contains_key("content-md5") {
        return Err(s3_error!(
            InvalidRequest,
            "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"
        ));
    }
    let body =
        Limited::new(body, LONGEST_BODY).collect().await.map_err(|_| s3_error!(IncompleteBody))?.to_bytes();
    check_md5(&parts.headers, Md5::checksum(&body))?;
    if let Some(announced) = announced {
        let mut hasher = announced.hasher();
        hasher.update(&body);
        announced.check(hasher, None)?;
    }
    Ok(Request::from_parts(parts, Body::from(body)))
}

pub(super) fn delete(
    store: &S3,
    faults: &Faults,
    request: S3Request<DeleteObjectsInput>,
) -> S3Result<S3Response<DeleteObjectsOutput>> {
    let DeleteObjectsInput { bucket, delete, .. } = request.input;
    if delete.objects.is_empty() || delete.objects.len() > MOST {
        return Err(s3_error!(MalformedXML, "The XML you provided was not well-formed"));
    }
    let (mut planned, mut errors) = (Vec::new(), Vec::new());
    for object in &delete.objects {
        match plan(object, faults) {
            Ok(id) => planned.push((object.key.as_str(), id)),
            Err(failure) => errors.push(error(object, failure)),
        }
    }
    let items: Vec<_> = planned.iter().map(|(key, id)| (*key, id.as_ref())).collect();
    let outcomes = store.delete(&bucket, &items)?;
    let deleted = planned.iter().zip(outcomes).map(|((key, _), outcome)| deleted(key, outcome));
    let quiet = delete.quiet.unwrap_or(false);
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted: (!quiet).then(|| deleted.collect()),
        errors: (!errors.is_empty()).then_some(errors),
        ..DeleteObjectsOutput::default()
    }))
}

/// The version to remove, `None` to hide the key; or the code and message of this key's error.
fn plan(
    object: &ObjectIdentifier,
    faults: &Faults,
) -> Result<Option<VersionId>, (&'static str, &'static str)> {
    if let Some(failure) = faults.key(&object.key) {
        return Err((failure.code(), Failure::MESSAGE));
    }
    match object.version_id.as_deref() {
        None => Ok(None),
        Some(text) => match VersionId::parse(text) {
            Some(id) => Ok(Some(id)),
            None => Err(("NoSuchVersion", "The specified version does not exist.")),
        },
    }
}

fn error(object: &ObjectIdentifier, (code, message): (&str, &str)) -> Error {
    Error {
        code: Some(code.to_owned()),
        key: Some(object.key.clone()),
        message: Some(message.to_owned()),
        version_id: object.version_id.clone(),
    }
}

fn deleted(key: &str, outcome: Deleted) -> DeletedObject {
    let key = Some(key.to_owned());
    match outcome {
        Deleted::Hidden(id) => DeletedObject {
            delete_marker: Some(true),
            delete_marker_version_id: Some(id.to_string()),
            key,
            version_id: None,
        },
        Deleted::Removed { id, marker } => DeletedObject {
            delete_marker: marker.then_some(true),
            delete_marker_version_id: marker.then(|| id.to_string()),
            key,
            version_id: Some(id.to_string()),
        },
    }
}
