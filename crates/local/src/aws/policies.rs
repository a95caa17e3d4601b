//! The policies that Terraform gives the functions, rendered for the resources of a test.

use std::{io, path::Path};

use serde_json::json;

use super::{ACCOUNT_ID, Account, REGION, iam::render_policy};

/// The resources of the functions. Most values are names, not ARNs.
#[derive(Debug, Clone, Copy, Default)]
pub struct FunctionResources<'a> {
    /// The queue of restore orders.
    pub restore_queue: &'a str,
    /// The dead-letter queue of the restore queue.
    pub dead_letter_queue: &'a str,
    /// The queue of changelog jobs.
    pub changelog_queue: &'a str,
    /// The table of delete records.
    pub delete_record_table: &'a str,
    /// The bucket of source files and of viewer assets.
    pub bucket: &'a str,
    /// The parameter with the signing key.
    pub key_parameter: &'a str,
    /// The ARNs of the roles that read buckets of other accounts.
    pub bucket_role_arns: &'a [&'a str],
}

impl Account {
    /// Creates a user with the permissions that Terraform gives a function (`service`, `restore`) for these resources.
    pub async fn create_function_user(
        &self,
        function: &str,
        resources: FunctionResources<'_>,
    ) -> io::Result<Self> {
        self.create_user(&load_policy(function, resources)?).await
    }
}

fn load_policy(function: &str, resources: FunctionResources<'_>) -> io::Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../terraform/policies");
    let template = std::fs::read_to_string(path.join(format!("{function}.json.tftpl")))?;
    let FunctionResources {
        restore_queue,
        dead_letter_queue,
        changelog_queue,
        delete_record_table,
        bucket,
        key_parameter,
        bucket_role_arns,
    } = resources;
    let bucket = format!("arn:aws:s3:::{bucket}");
    let (buckets, objects) = (json!([bucket]).to_string(), json!([format!("{bucket}/*")]).to_string());
    // Without KMS keys the statements have no resource, and `render_policy` removes them.
    let no_arns = || "[]".to_owned();
    let parameter_name = key_parameter.trim_start_matches('/');
    let values = [
        ("region", REGION.to_owned()),
        ("database_user_arn", format!("arn:aws:rds-db:{REGION}:{ACCOUNT_ID}:dbuser:prx-1/test")),
        ("restore_queue_arn", Account::queue_arn(restore_queue)),
        ("dead_letter_queue_arn", Account::queue_arn(dead_letter_queue)),
        ("changelog_queue_arns", json!([Account::queue_arn(changelog_queue)]).to_string()),
        ("changelog_kms_key_arns", no_arns()),
        ("delete_record_table_arns", json!([Account::table_arn(delete_record_table)]).to_string()),
        ("delete_record_kms_key_arns", no_arns()),
        ("storage_bucket_arns", buckets.clone()),
        ("storage_object_arns", objects.clone()),
        ("readable_bucket_arns", buckets),
        ("readable_object_arns", objects),
        ("bucket_kms_key_arns", no_arns()),
        ("bucket_role_arns", json!(bucket_role_arns).to_string()),
        (
            "private_key_parameter_arn",
            format!("arn:aws:ssm:{REGION}:{ACCOUNT_ID}:parameter/{parameter_name}"),
        ),
        ("parameter_kms_key_arns", no_arns()),
    ];
    render_policy(&template, &values)
}
