//! The policies that Terraform gives the functions, for what a test made.

use std::{io, path::Path};

use serde_json::json;

use super::{ACCOUNT, Account, REGION, iam::render};

/// What the functions work with; all names, not ARNs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Resources<'a> {
    /// The queue of restore orders.
    pub orders: &'a str,
    /// The queue that the changelog is told through.
    pub jobs: &'a str,
    /// The table of deletion records.
    pub table: &'a str,
    /// The bucket of stored files and of viewer assets.
    pub bucket: &'a str,
    /// The parameter that holds the signing key.
    pub parameter: &'a str,
}

impl Account {
    /// Somebody who may do what Terraform lets a function do (`service`, `restore`), with these resources.
    pub async fn function(&self, name: &str, resources: Resources<'_>) -> io::Result<Self> {
        self.user(&policy(name, resources)?).await
    }
}

fn policy(function: &str, resources: Resources<'_>) -> io::Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../terraform/policies");
    let template = std::fs::read_to_string(path.join(format!("{function}.json.tftpl")))?;
    let Resources { orders, jobs, table, bucket, parameter } = resources;
    let bucket = format!("arn:aws:s3:::{bucket}");
    let (buckets, objects) = (json!([bucket]).to_string(), json!([format!("{bucket}/*")]).to_string());
    let none = || "[]".to_owned();
    let parameter = format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{}", parameter.trim_start_matches('/'));
    let values = [
        ("region", REGION.to_owned()),
        ("database_user_arn", format!("arn:aws:rds-db:{REGION}:{ACCOUNT}:dbuser:prx-1/test")),
        ("restore_queue_arn", Account::queue_arn(orders)),
        ("changelog_queue_arns", json!([Account::queue_arn(jobs)]).to_string()),
        ("changelog_kms_key_arns", none()),
        ("delete_record_table_arns", json!([Account::table_arn(table)]).to_string()),
        ("delete_record_kms_key_arns", none()),
        ("storage_bucket_arns", buckets.clone()),
        ("storage_object_arns", objects.clone()),
        ("readable_bucket_arns", buckets),
        ("readable_object_arns", objects),
        ("bucket_kms_key_arns", none()),
        ("private_key_parameter_arn", parameter),
        ("parameter_kms_key_arns", none()),
    ];
    render(&template, &values)
}
