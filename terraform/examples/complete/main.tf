# One environment: the module, and what a platform usually has: a security group, a topic for alarms, a bucket for access logs.
# Copy it, and set source to a release's tag.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

module "packages_service" {
  source = "../.."

  environment        = var.environment
  platform_domain    = var.platform_domain
  function_role_arns = var.function_role_arns

  lambda_bucket       = var.lambda_bucket
  lambda_version      = var.lambda_version
  lambda_architecture = var.lambda_architecture
  rollout             = var.rollout

  subnet_ids            = var.subnet_ids
  security_group_ids    = [aws_security_group.functions.id]
  rds_proxy_endpoint    = var.rds_proxy_endpoint
  rds_proxy_resource_id = var.rds_proxy_resource_id

  user_pool  = var.user_pool
  token_pool = var.token_pool

  storage_buckets      = var.storage_buckets
  read_only_buckets    = var.read_only_buckets
  viewer_assets_bucket = var.viewer_assets_bucket

  viewer_assets_force_destroy = var.force_destroy

  # From the policy, not from the bucket: the delivery of logs needs the policy first. Do not use `depends_on` on the module instead:
  # each change here would make the module's data sources unknown, and replace the resources that are named after them.
  access_log_bucket   = aws_s3_bucket_policy.access_logs.bucket
  delete_record_table = var.delete_record_table
  changelog_queue     = var.changelog_queue

  cors_origins = var.cors_origins
  api_domain   = var.api_domain
  cdn_domain   = var.cdn_domain

  cdn_web_acl_arn = var.cdn_web_acl_arn

  cloudfront_public_key_pem     = var.cloudfront_public_key_pem
  cloudfront_private_key_base64 = var.cloudfront_private_key_base64

  reserved_concurrency = var.reserved_concurrency
  throttling           = var.throttling
  alarm_topic_arns     = [aws_sns_topic.alarms.arn]
}
