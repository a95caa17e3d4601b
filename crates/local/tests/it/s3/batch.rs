//! `DeleteObjects`.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::delete_objects::DeleteObjectsOutput;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use local::faults::Failure;

use super::{BUCKET, Fixture};

fn one(key: &str, version: Option<&str>) -> ObjectIdentifier {
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
async fn hides_keys_and_removes_versions() {
    let s3 = Fixture::start().await;
    let (a, b) = (s3.put("a", "a").await, s3.put("b", "b").await);
    let marker = s3.store.delete_marker(BUCKET, "b").unwrap();
    let done =
        delete(&s3, vec![one("a", None), one("b", Some(&marker)), one("b", Some(&b))], false).await.unwrap();
    assert!(done.errors().is_empty());
    let [hidden, unhidden, gone] = done.deleted() else { panic!("three outcomes") };
    assert_eq!((hidden.delete_marker(), hidden.version_id()), (Some(true), None));
    assert_eq!(hidden.delete_marker_version_id().unwrap(), s3.store.versions(BUCKET, "a")[0].id);
    assert_eq!(unhidden.version_id(), Some(marker.as_str()));
    assert_eq!(
        (unhidden.delete_marker(), unhidden.delete_marker_version_id()),
        (Some(true), Some(marker.as_str()))
    );
    assert_eq!((gone.version_id(), gone.delete_marker()), (Some(b.as_str()), None));
    assert_eq!(s3.store.versions(BUCKET, "a")[1].id, a);
    assert!(s3.store.versions(BUCKET, "b").is_empty());
}

#[tokio::test]
async fn what_is_already_gone_is_a_success() {
    let s3 = Fixture::start().await;
    let id = s3.put("a", "a").await;
    for _ in 0..2 {
        let done = delete(&s3, vec![one("a", Some(&id))], false).await.unwrap();
        assert_eq!((done.deleted().len(), done.errors().len()), (1, 0));
    }
}

#[tokio::test]
async fn quiet_tells_only_errors() {
    let s3 = Fixture::start().await;
    s3.put("a", "a").await;
    s3.faults.fail_key("b", 1, Failure::InternalError);
    let done = delete(&s3, vec![one("a", None), one("b", None)], true).await.unwrap();
    assert!(done.deleted().is_empty());
    assert_eq!((done.errors()[0].key(), done.errors()[0].code()), (Some("b"), Some("InternalError")));
    assert!(s3.store.versions(BUCKET, "b").is_empty());
    let done = delete(&s3, vec![one("b", None)], true).await.unwrap();
    assert!(done.errors().is_empty());
}

#[tokio::test]
async fn a_thousand_and_no_more() {
    let s3 = Fixture::start().await;
    let objects: Vec<_> = (0..1_001).map(|n| one(&format!("key {n}"), None)).collect();
    let done = delete(&s3, objects[1..].to_vec(), false).await.unwrap();
    assert_eq!(done.deleted().len(), 1_000);
    let refused = delete(&s3, objects, false).await.unwrap_err();
    assert_eq!(refused.code(), Some("MalformedXML"));
    assert_eq!(delete(&s3, Vec::new(), false).await.unwrap_err().code(), Some("MalformedXML"));
}

#[tokio::test]
async fn a_version_id_that_could_not_be_one_fails_alone() {
    let s3 = Fixture::start().await;
    s3.put("a", "a").await;
    let done = delete(&s3, vec![one("a", None), one("b", Some("nonsense"))], false).await.unwrap();
    assert_eq!((done.deleted().len(), done.errors()[0].code()), (1, Some("NoSuchVersion")));
}

#[tokio::test]
async fn a_body_must_be_vouched_for() {
    let s3 = Fixture::start().await;
    let code = async |md5: Option<&'static str>| {
        let delete = Delete::builder().objects(one("a", None)).build().unwrap();
        let asked = s3.client.delete_objects().bucket(BUCKET).delete(delete).customize();
        let asked = asked.mutate_request(move |request| {
            request.headers_mut().remove("x-amz-checksum-crc32");
            if let Some(md5) = md5 {
                request.headers_mut().insert("content-md5", md5);
            }
        });
        asked.send().await.err().and_then(|error| error.code().map(str::to_owned))
    };
    assert_eq!(code(None).await.as_deref(), Some("InvalidRequest"));
    assert_eq!(code(Some("1B2M2Y8AsgTpgAmY7PhCfg==")).await.as_deref(), Some("BadDigest"));
    assert_eq!(code(Some("nonsense")).await.as_deref(), Some("InvalidDigest"));
    assert!(s3.store.versions(BUCKET, "a").is_empty());
}
