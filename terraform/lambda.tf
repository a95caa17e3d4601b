# The three functions: one program each, on the runtime provided.al2023.

locals {
  # Seconds. The gateway waits 30 at most. 900 is Lambda's maximum.
  timeouts = { service = 30, authorizer = 10, restore = 900 }

  common_environment = {
    ENV                = var.environment
    REGION             = local.region
    RDS_PROXY_ENDPOINT = var.rds_proxy_endpoint
    POSTGRES_USER      = local.database_user
    PENNSIEVE_DB       = var.database_name
    LOG_LEVEL          = var.log_level
    # One file with all root certificates. Without this variable, the start reads a directory of some hundreds.
    SSL_CERT_FILE = "/etc/pki/tls/certs/ca-bundle.crt"
  }

  # What is known about buckets. The viewer-assets bucket is made here, so nobody needs to ask S3 where it is.
  bucket_table = jsonencode(concat(
    [{ bucket = var.viewer_assets_bucket, region = local.region }],
    [for entry in var.buckets : { for name, value in entry : name => value if value != null }],
  ))

  # The variables that each function reads, as in docs/configuration.md. `none` means that there is none; an empty value is an error.
  environments = {
    service = {
      PENNSIEVE_DOMAIN                 = var.platform_domain
      VIEWER_ASSETS_BUCKET             = aws_s3_bucket.viewer_assets.bucket
      STORAGE_BUCKETS                  = join(",", distinct(var.storage_buckets))
      PROXY_ALLOWED_BUCKETS            = join(",", coalesce(var.proxy_allowed_buckets, distinct(concat([var.viewer_assets_bucket], var.storage_buckets))))
      BUCKETS                          = local.bucket_table
      LINK_WINDOW_SECONDS              = tostring(var.link_window_seconds)
      CLOUDFRONT_DISTRIBUTION_DOMAIN   = local.cdn_domain
      CLOUDFRONT_KEY_ID                = aws_ssm_parameter.key_id.insecure_value
      CLOUDFRONT_PUBLIC_KEY            = aws_ssm_parameter.public_key.insecure_value
      CLOUDFRONT_PRIVATE_KEY_SSM_PARAM = aws_ssm_parameter.private_key.name
      CLOUDFRONT_HASH_ALGORITHM        = var.cloudfront_hash_algorithm
      RESTORE_PACKAGE_QUEUE_URL        = aws_sqs_queue.restore.url
    }
    authorizer = {
      USER_POOL    = try(var.user_pool.id, null)
      USER_CLIENT  = try(var.user_pool.client_id, null)
      TOKEN_POOL   = try(var.token_pool.id, null)
      TOKEN_CLIENT = try(var.token_pool.client_id, null)
    }
    restore = {
      BUCKETS                           = local.bucket_table
      DELETE_RECORD_DYNAMODB_TABLE_NAME = coalesce(var.delete_record_table, "none")
      JOBS_QUEUE_ID                     = try(var.changelog_queue.url, "none")
      RESTORE_PACKAGE_QUEUE_URL         = aws_sqs_queue.restore.url
    }
  }
}

resource "aws_lambda_function" "function" {
  for_each = local.functions

  function_name = local.function_names[each.key]
  description   = "packages-service ${var.lambda_version}: ${each.key}"
  role          = local.role_arns[each.key]

  runtime       = "provided.al2023"
  handler       = "bootstrap"
  architectures = [var.lambda_architecture]
  s3_bucket     = var.lambda_bucket
  # A tag never changes its build, so a new program has a new key.
  s3_key = "packages-service/${each.key}-${var.lambda_version}.zip"

  # Each release, and each change of settings, is a version. The alias can go back to it.
  publish = true

  timeout                        = local.timeouts[each.key]
  memory_size                    = var.memory_mb[each.key]
  reserved_concurrent_executions = var.reserved_concurrency[each.key]

  environment {
    variables = merge(local.common_environment, local.environments[each.key])
  }

  vpc_config {
    subnet_ids         = var.subnet_ids
    security_group_ids = var.security_group_ids
  }

  logging_config {
    log_format       = "JSON"
    log_group        = aws_cloudwatch_log_group.function[each.key].name
    system_log_level = "INFO"
    # LOG_LEVEL decides what is logged. Lambda's own filter would drop everything below INFO.
    application_log_level = "TRACE"
  }

  tracing_config {
    mode = "Active"
  }

  tags = var.tags

  # Before its role may write logs and use network interfaces, a function fails without a readable error.
  depends_on = [aws_iam_role_policy.runtime, aws_iam_role_policy.own]
}

# All callers use this alias. To go back, change only the alias: that takes a second, without a build or an upload.
resource "aws_lambda_alias" "live" {
  for_each = local.functions

  name             = "live"
  description      = "The version that callers get"
  function_name    = aws_lambda_function.function[each.key].function_name
  function_version = lookup(var.rollout.stay_at, each.key, aws_lambda_function.function[each.key].version)

  dynamic "routing_config" {
    for_each = contains(keys(var.rollout.stay_at), each.key) && var.rollout.new_percent > 0 ? [var.rollout.new_percent / 100] : []

    content {
      additional_version_weights = { (aws_lambda_function.function[each.key].version) = routing_config.value }
    }
  }
}

# Made before the functions. Otherwise Lambda makes the log groups itself, and keeps the logs for ever.
resource "aws_cloudwatch_log_group" "function" {
  for_each = local.functions

  name              = "/aws/lambda/${local.function_names[each.key]}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}

# API Gateway and SQS call synchronously and handle failures themselves. A failed asynchronous call, by hand for example, goes to
# this queue with its reason, and raises an alarm. The alias needs its own settings.
resource "aws_lambda_function_event_invoke_config" "function" {
  for_each = merge([for function in local.functions : {
    (function)           = { function = function, qualifier = null }
    ("${function}-live") = { function = function, qualifier = aws_lambda_alias.live[function].name }
  }]...)

  function_name                = aws_lambda_function.function[each.value.function].function_name
  qualifier                    = each.value.qualifier
  maximum_event_age_in_seconds = 3600
  maximum_retry_attempts       = 2

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failed_invocations.arn
    }
  }
}

# One message at a time. A worker can restore a folder of 50,000 files for one message. With ten messages, the nine after such a
# folder would reach the timeout and be delivered again.
resource "aws_lambda_event_source_mapping" "restore" {
  function_name           = aws_lambda_alias.live["restore"].arn
  event_source_arn        = aws_sqs_queue.restore.arn
  batch_size              = 1
  function_response_types = ["ReportBatchItemFailures"]

  # Not more than the reserved concurrency: a throttled message counts as delivered, and three deliveries would move it to the dead
  # letters without one attempt.
  scaling_config {
    maximum_concurrency = var.reserved_concurrency.restore == -1 ? 5 : min(1000, var.reserved_concurrency.restore)
  }

  tags = var.tags
}
