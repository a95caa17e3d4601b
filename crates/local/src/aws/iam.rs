//! IAM users and roles, each with one policy.

use std::io;

use aws_credential_types::Credentials;
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use super::{ACCOUNT_ID, Account, Service, unique_name};

impl Account {
    /// Creates a user whose only permissions are those of this policy (JSON).
    pub async fn create_user(&self, policy: &str) -> io::Result<Self> {
        let policy = &adapt_policy(policy)?;
        let name = unique_name("user");
        self.call_iam(&[("Action", "CreateUser"), ("UserName", &name)]).await?;
        let put_policy = [
            ("Action", "PutUserPolicy"),
            ("UserName", &name),
            ("PolicyName", "only"),
            ("PolicyDocument", policy),
        ];
        self.call_iam(&put_policy).await?;
        let response = self.call_iam(&[("Action", "CreateAccessKey"), ("UserName", &name)]).await?;
        let element = |tag: &str| {
            let (_, rest) = response.split_once(&format!("<{tag}>"))?;
            Some(rest.split_once('<')?.0.to_owned())
        };
        let keys = element("AccessKeyId").zip(element("SecretAccessKey"));
        let (id, secret) = keys.ok_or_else(|| io::Error::other("IAM returned no access key"))?;
        Ok(self.with_credentials(Credentials::new(id, secret, None, None, "test")))
    }

    /// Creates a role with the permissions of this policy (JSON), which users of the account may assume if their own policy
    /// allows it. Returns its ARN.
    pub async fn create_role(&self, policy: &str) -> io::Result<String> {
        let name = unique_name("role");
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT_ID}:root")},
                "Action": "sts:AssumeRole",
            }],
        });
        let trust = trust.to_string();
        let role = [("Action", "CreateRole"), ("RoleName", &name), ("AssumeRolePolicyDocument", &trust)];
        self.call_iam(&role).await?;
        let put_policy = [
            ("Action", "PutRolePolicy"),
            ("RoleName", &name),
            ("PolicyName", "only"),
            ("PolicyDocument", policy),
        ];
        self.call_iam(&put_policy).await?;
        Ok(format!("arn:aws:iam::{ACCOUNT_ID}:role/{name}"))
    }

    /// Calls the Query API of IAM.
    async fn call_iam(&self, parameters: &[(&str, &str)]) -> io::Result<String> {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("Version", "2010-05-08").extend_pairs(parameters);
        let request = Request::post(format!("{}/", self.server.endpoint(Service::Iam)))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(form.finish()))
            .map_err(io::Error::other)?;
        let (status, body) = self.send_request(Service::Iam, request).await?;
        let body = String::from_utf8_lossy(&body).into_owned();
        if status.is_success() {
            Ok(body)
        } else {
            Err(io::Error::other(format!("IAM returned {status}: {body}")))
        }
    }
}

/// Actions that AWS checks, and the actions that ministack checks instead.
///
/// AWS checks `sqs:SendMessage` for batches of messages (Amazon SQS Developer Guide, "Amazon SQS API permissions") and has
/// no permission with the name of the batch operation. AWS checks `s3:DeleteObjectVersion` for each version in a batch.
/// ministack does so only for the first.
const MINISTACK_ACTIONS: [(&str, &str); 2] =
    [("sqs:SendMessage", "sqs:SendMessageBatch"), ("s3:DeleteObjectVersion", "s3:DeleteObject")];

/// A policy with which ministack allows what AWS would allow.
fn adapt_policy(policy: &str) -> io::Result<String> {
    let mut policy: Value = serde_json::from_str(policy)?;
    for statement in policy.get_mut("Statement").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(actions) = statement.get_mut("Action") else { continue };
        if !actions.is_array() {
            // IAM allows a string in place of a list with one action.
            *actions = json!([actions.take()]);
        }
        let Some(actions) = actions.as_array_mut() else { continue };
        for (aws_action, ministack_action) in MINISTACK_ACTIONS {
            if actions.iter().any(|action| action == aws_action) {
                actions.push(json!(ministack_action));
            }
        }
    }
    Ok(policy.to_string())
}

/// Renders a policy template of Terraform as Terraform does: fills in placeholders and removes statements without a
/// resource. A placeholder without a value is an error.
pub(super) fn render_policy(template: &str, values: &[(&str, String)]) -> io::Result<String> {
    let mut policy = template.to_owned();
    for (name, value) in values {
        policy = policy.replace(&format!("${{{name}}}"), value);
    }
    if let Some((_, rest)) = policy.split_once("${") {
        let name = rest.split('}').next().unwrap_or_default();
        return Err(io::Error::other(format!("no value for the placeholder {name} of the policy")));
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
    fn renders_a_policy_and_rejects_missing_values() {
        let template = r#"{"Statement": [{"Resource": ${arns}}, {"Resource": "${name}"}]}"#;
        let render = |values: &[(&str, &str)]| {
            let values: Vec<(&str, String)> =
                values.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            render_policy(template, &values).map_err(|error| error.to_string())
        };
        assert_eq!(
            render(&[("arns", r#"["a"]"#), ("name", "X")]).unwrap(),
            r#"{"Statement":[{"Resource":["a"]},{"Resource":"X"}]}"#
        );
        assert_eq!(render(&[("arns", "[]"), ("name", "X")]).unwrap(), r#"{"Statement":[{"Resource":"X"}]}"#);
        assert!(render(&[("arns", "[]")]).unwrap_err().contains("name"));
    }
}
