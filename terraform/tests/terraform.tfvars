environment     = "dev"
platform_domain = "example.org"

lambda_bucket  = "example-artifacts"
lambda_version = "v1.2.3"

subnet_ids            = ["subnet-1", "subnet-2"]
security_group_ids    = ["sg-1"]
rds_proxy_endpoint    = "dev.proxy-abc.us-east-1.rds.amazonaws.com"
rds_proxy_resource_id = "prx-0123456789abcdef0"

user_pool  = { id = "us-east-1_People111", client_id = "1people" }
token_pool = { id = "us-east-1_Tokens111", client_id = "1tokens" }

storage_buckets           = ["example-dev-storage-use1", "example-dev-storage-afs1"]
read_only_buckets         = ["example-dev-publish-use1"]
viewer_assets_bucket      = "example-dev-package-assets-use1"
delete_record_table       = "dev-delete-records"
delete_record_kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/records"
bucket_kms_key_arns       = ["arn:aws:kms:us-east-1:111122223333:key/files"]
parameter_kms_key_arn     = "arn:aws:kms:us-east-1:111122223333:key/parameters"
changelog_queue = {
  url         = "https://sqs.us-east-1.amazonaws.com/111122223333/dev-jobs"
  arn         = "arn:aws:sqs:us-east-1:111122223333:dev-jobs"
  kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/jobs"
}

cors_origins     = ["https://app.example.org"]
alarm_topic_arns = ["arn:aws:sns:us-east-1:111122223333:ops"]

# Not the placeholder, so that nothing warns.
cloudfront_public_key_pem = <<PEM
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE84LtkjnWsUSJLr86dZ9uq9Z0lH54
zZwI3sMFL6944URldOovr4FrfYkLg0FeBd7bkByxaAnxvd6GcHw3yvlFMg==
-----END PUBLIC KEY-----
PEM

# Not a real key. It must be set: Terraform's tests do not apply an ephemeral variable that has its default.
cloudfront_private_key_base64 = "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCm9ubHktdGhlLXRlc3RzLWtub3ctdGhpcwotLS0tLUVORCBQUklWQVRFIEtFWS0tLS0tCg=="
