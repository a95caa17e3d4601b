//! The document of a span (AWS X-Ray Developer Guide, "AWS X-Ray segment documents").

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::OpenSegment;
use crate::{fields::Fields, trace::SegmentKind};

/// Span names of AWS services, and the names by which X-Ray knows and draws them.
const AWS_SERVICES: [(&str, &str); 4] =
    [("dynamodb", "DynamoDB"), ("s3", "S3"), ("sqs", "SQS"), ("ssm", "SSM")];

/// The maximum length of an annotation's text, in characters.
const MAX_ANNOTATION_CHARS: usize = 1000;

/// Builds the document of a segment or a subsegment that ended at `end`.
pub(super) fn build_document(open: &OpenSegment, annotations: &[&str], end: Duration) -> Value {
    let aws_service = aws_service_name(open);
    let mut document = Map::new();
    let mut put = |name: &str, value: Value| document.insert(name.to_owned(), value);
    put("name", aws_service.unwrap_or(open.name).into());
    put("id", open.id.as_str().into());
    put("trace_id", open.trace_id.as_str().into());
    put("start_time", open.start.as_secs_f64().into());
    // The system clock may have been set back since the start.
    put("end_time", end.max(open.start).as_secs_f64().into());
    if let Some(parent) = &open.parent_id {
        put("parent_id", parent.as_str().into());
    }
    if open.root != Some(SegmentKind::Segment) {
        put("type", "subsegment".into());
    }
    if open.root.is_some() {
        put("http", build_http(&open.fields));
    } else if aws_service.is_some() {
        put("namespace", "aws".into());
        put("aws", build_aws(&open.fields));
    } else if open.name == "postgres" {
        put("namespace", "remote".into());
        put("sql", json!({ "database_type": "PostgreSQL" }));
    } else if open.name == "cognito" {
        put("namespace", "remote".into());
    }
    put("annotations", build_annotations(&open.fields, annotations).into());
    for flag in error_flags(&open.fields) {
        put(flag, true.into());
    }
    document.into()
}

/// The name of the AWS service that a step calls.
fn aws_service_name(open: &OpenSegment) -> Option<&'static str> {
    let service = AWS_SERVICES.into_iter().find(|(span, _)| open.root.is_none() && *span == open.name);
    service.map(|(_, name)| name)
}

fn build_aws(fields: &Fields) -> Value {
    fields.get_str("operation").map_or_else(|| json!({}), |operation| json!({ "operation": operation }))
}

fn build_http(fields: &Fields) -> Value {
    let mut http = Map::new();
    if let Some(method) = fields.get_str("method") {
        http.insert("request".to_owned(), json!({ "method": method }));
    }
    if let Some(status) = http_status(fields) {
        http.insert("response".to_owned(), json!({ "status": status }));
    }
    http.into()
}

/// The fields that the host allows. Traces have other readers than the log, and are kept longer.
fn build_annotations(fields: &Fields, allowed: &[&str]) -> Map<String, Value> {
    let annotations = fields.iter().filter(|(name, _)| allowed.contains(name));
    annotations.map(|(name, value)| (name.to_owned(), truncate_text(value))).collect()
}

fn truncate_text(value: &Value) -> Value {
    let truncate = |text: &str| text.chars().take(MAX_ANNOTATION_CHARS).collect::<String>().into();
    value.as_str().map_or_else(|| value.clone(), truncate)
}

/// X-Ray's flags. They follow from the status, or from a field of the same name that is not `false`.
fn error_flags(fields: &Fields) -> Vec<&'static str> {
    let status = http_status(fields).unwrap_or_default();
    let is_set = |name: &str| fields.get(name).is_some_and(|value| *value != Value::Bool(false));
    [
        ("error", (400..500).contains(&status) || is_set("error")),
        ("throttle", status == 429),
        ("fault", status >= 500 || is_set("fault")),
    ]
    .into_iter()
    .filter_map(|(name, applies)| applies.then_some(name))
    .collect()
}

fn http_status(fields: &Fields) -> Option<u64> {
    fields.get("status").and_then(Value::as_u64)
}
