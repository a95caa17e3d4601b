//! Users with one policy.

use std::io;

use aws_credential_types::Credentials;
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Account, Service};

impl Account {
    /// A new user who may do what this policy (JSON) says, and nothing else.
    pub async fn user(&self, policy: &str) -> io::Result<Self> {
        let policy = &as_ministack_reads(policy)?;
        let name = format!("user-{}", Uuid::new_v4().simple());
        self.iam(&[("Action", "CreateUser"), ("UserName", &name)]).await?;
        let attach = [
            ("Action", "PutUserPolicy"),
            ("UserName", &name),
            ("PolicyName", "only"),
            ("PolicyDocument", policy),
        ];
        self.iam(&attach).await?;
        let keys = self.iam(&[("Action", "CreateAccessKey"), ("UserName", &name)]).await?;
        let part = |tag: &str| {
            let (_, rest) = keys.split_once(&format!("<{tag}>"))?;
            Some(rest.split_once('<')?.0.to_owned())
        };
        let keys = part("AccessKeyId").zip(part("SecretAccessKey"));
        let (key, secret) = keys.ok_or_else(|| io::Error::other("IAM gave no keys"))?;
        Ok(self.with_keys(Credentials::new(key, secret, None, None, "test")))
    }

    /// One call of IAM's Query API.
    async fn iam(&self, parameters: &[(&str, &str)]) -> io::Result<String> {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("Version", "2010-05-08").extend_pairs(parameters);
        let request = Request::post(format!("{}/", self.server.endpoint(Service::Iam)))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(form.finish()))
            .map_err(io::Error::other)?;
        let (status, body) = self.send(Service::Iam, request).await?;
        let body = String::from_utf8_lossy(&body).into_owned();
        if status.is_success() { Ok(body) } else { Err(io::Error::other(format!("IAM: {status} {body}"))) }
    }
}

/// What ministack asks for where AWS asks for the first of a pair. Messages in batches need `sqs:SendMessage` (Amazon SQS
/// Developer Guide, "Amazon SQS API permissions"), and AWS knows no permission of the operation's own name. Versions in
/// batches need `s3:DeleteObjectVersion`, each its own; ministack asks so for all but the first.
const ASKED_INSTEAD: [(&str, &str); 2] =
    [("sqs:SendMessage", "sqs:SendMessageBatch"), ("s3:DeleteObjectVersion", "s3:DeleteObject")];

/// A policy by which ministack allows what AWS would.
fn as_ministack_reads(policy: &str) -> io::Result<String> {
    let mut policy: Value = serde_json::from_str(policy)?;
    for statement in policy.get_mut("Statement").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(actions) = statement.get_mut("Action") else { continue };
        if !actions.is_array() {
            *actions = json!([actions.take()]);
        }
        let Some(actions) = actions.as_array_mut() else { continue };
        for (right, instead) in ASKED_INSTEAD {
            if actions.iter().any(|action| action == right) {
                actions.push(json!(instead));
            }
        }
    }
    Ok(policy.to_string())
}

/// A policy template of Terraform's, rendered as Terraform does it: placeholders are filled in, and a statement about no
/// resource at all goes. A placeholder without a value is an error.
pub fn render(template: &str, values: &[(&str, String)]) -> io::Result<String> {
    let mut policy = template.to_owned();
    for (name, value) in values {
        policy = policy.replace(&format!("${{{name}}}"), value);
    }
    if let Some((_, rest)) = policy.split_once("${") {
        let name = rest.split('}').next().unwrap_or_default();
        return Err(io::Error::other(format!("the policy's placeholder {name} has no value")));
    }
    let mut policy: Value = serde_json::from_str(&policy)?;
    if let Some(statements) = policy.get_mut("Statement").and_then(Value::as_array_mut) {
        statements
            .retain(|statement| statement.get("Resource").is_some_and(|resource| *resource != json!([])));
    }
    Ok(policy.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_rendered_whole_or_not_at_all() {
        let template = r#"{"Statement": [{"Resource": ${arns}}, {"Resource": "${name}"}]}"#;
        let render = |values: &[(&str, &str)]| {
            let values: Vec<(&str, String)> =
                values.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            render(template, &values).map_err(|error| error.to_string())
        };
        assert_eq!(
            render(&[("arns", r#"["a"]"#), ("name", "X")]).unwrap(),
            r#"{"Statement":[{"Resource":["a"]},{"Resource":"X"}]}"#
        );
        assert_eq!(render(&[("arns", "[]"), ("name", "X")]).unwrap(), r#"{"Statement":[{"Resource":"X"}]}"#);
        assert!(render(&[("arns", "[]")]).unwrap_err().contains("name"));
    }
}
