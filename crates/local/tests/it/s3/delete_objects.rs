//! `DeleteObjects`.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::delete_objects::DeleteObjectsOutput;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use local::faults::InjectedError;

use super::{BUCKET, Fixture};

fn target(key: &str, version: Option<&str>) -> ObjectIdentifier {
    ObjectIdentifier::builder().key(key).set_version_id(version.map(str::to_owned)).build().unwrap()
}

async fn delete(
    s3: &Fixture,
    objects: Vec<ObjectIdentifier>,
    quiet: bool,
) -> Result<DeleteObjectsOutput, aws_sdk_s3::Error> {
    let delete = Delete::builder().set_objects(Some(objects)).quiet(quiet).build().unwrap();
    Ok(s3.client.delete_objects().bucket(BUCKET).delete(delete).send().await?)
}

#[tokio::test]
async fn adds_delete_markers_and_removes_versions() {
    let s3 = Fixture::start().await;
    let (a, b) = (s3.put("a", "a").await, s3.put("b", "b").await);
    let marker = s3.store.add_delete_marker(BUCKET, "b").unwrap();
    let targets = vec![target("a", None), target("b", Some(&marker)), target("b", Some(&b))];
    let output = delete(&s3, targets, false).await.unwrap();
    assert!(output.errors().is_empty());
    let [hidden, removed_marker, removed] = output.deleted() else { panic!("not three results") };
    assert_eq!((hidden.delete_marker(), hidden.version_id()), (Some(true), None));
    assert_eq!(hidden.delete_marker_version_id().unwrap(), s3.store.list_versions(BUCKET, "a")[0].id);
    assert_eq!(removed_marker.version_id(), Some(marker.as_str()));
    assert_eq!(
        (removed_marker.delete_marker(), removed_marker.delete_marker_version_id()),
        (Some(true), Some(marker.as_str()))
    );
    assert_eq!((removed.version_id(), removed.delete_marker()), (Some(b.as_str()), None));
    assert_eq!(s3.store.list_versions(BUCKET, "a")[1].id, a);
    assert!(s3.store.list_versions(BUCKET, "b").is_empty());
}

#[tokio::test]
async fn deleting_a_missing_version_succeeds() {
    let s3 = Fixture::start().await;
    let id = s3.put("a", "a").await;
    for _ in 0..2 {
        let output = delete(&s3, vec![target("a", Some(&id))], false).await.unwrap();
        assert_eq!((output.deleted().len(), output.errors().len()), (1, 0));
    }
}

#[tokio::test]
async fn quiet_mode_reports_only_errors() {
    let s3 = Fixture::start().await;
    s3.put("a", "a").await;
    s3.faults.fail_key("b", 1, InjectedError::InternalError);
    let output = delete(&s3, vec![target("a", None), target("b", None)], true).await.unwrap();
    assert!(output.deleted().is_empty());
    assert_eq!((output.errors()[0].key(), output.errors()[0].code()), (Some("b"), Some("InternalError")));
    assert!(s3.store.list_versions(BUCKET, "b").is_empty());
    let output = delete(&s3, vec![target("b", None)], true).await.unwrap();
    assert!(output.errors().is_empty());
}

#[tokio::test]
async fn accepts_at_most_a_thousand_keys() {
    let s3 = Fixture::start().await;
    let objects: Vec<_> = (0..1_001).map(|n| target(&format!("key {n}"), None)).collect();
    let output = delete(&s3, objects[1..].to_vec(), false).await.unwrap();
    assert_eq!(output.deleted().len(), 1_000);
    let error = delete(&s3, objects, false).await.unwrap_err();
    assert_eq!(error.code(), Some("MalformedXML"));
    assert_eq!(delete(&s3, Vec::new(), false).await.unwrap_err().code(), Some("MalformedXML"));
}

#[tokio::test]
async fn a_malformed_version_id_fails_only_its_key() {
    let s3 = Fixture::start().await;
    s3.put("a", "a").await;
    let output = delete(&s3, vec![target("a", None), target("b", Some("nonsense"))], false).await.unwrap();
    assert_eq!((output.deleted().len(), output.errors()[0].code()), (1, Some("NoSuchVersion")));
}

#[tokio::test]
async fn requires_a_checksum_of_the_body() {
    let s3 = Fixture::start().await;
    let error_code = async |md5: Option<&'static str>| {
        let delete = Delete::builder().objects(target("a", None)).build().unwrap();
        let request = s3.client.delete_objects().bucket(BUCKET).delete(delete).customize();
        let request = request.mutate_request(move |request| {
            request.headers_mut().remove("x-amz-checksum-crc32");
            if let Some(md5) = md5 {
                request.headers_mut().insert("content-md5", md5);
            }
        });
        request.send().await.err().and_then(|error| error.code().map(str::to_owned))
    };
    assert_eq!(error_code(None).await.as_deref(), Some("InvalidRequest"));
    assert_eq!(error_code(Some("1B2M2Y8AsgTpgAmY7PhCfg==")).await.as_deref(), Some("BadDigest"));
    assert_eq!(error_code(Some("nonsense")).await.as_deref(), Some("InvalidDigest"));
    assert!(s3.store.list_versions(BUCKET, "a").is_empty());
}
