mock_provider "aws" {
  source = "./tests/aws"
}

run "bucket" {
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.viewer_assets.block_public_acls,
      aws_s3_bucket_public_access_block.viewer_assets.block_public_policy,
      aws_s3_bucket_public_access_block.viewer_assets.ignore_public_acls,
      aws_s3_bucket_public_access_block.viewer_assets.restrict_public_buckets,
      aws_s3_bucket_ownership_controls.viewer_assets.rule[0].object_ownership == "BucketOwnerEnforced",
    ])
    error_message = "The bucket must not be public, and no object can be made public."
  }

  # Only CloudFront is allowed, and only one distribution.
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_s3_bucket_policy.viewer_assets.policy).Statement :
      statement.Principal == { Service = "cloudfront.amazonaws.com" } && statement.Condition.StringEquals["aws:SourceArn"] == aws_cloudfront_distribution.viewer_assets.arn
      if statement.Effect == "Allow"
    ])
    error_message = "Only the distribution may have access."
  }

  # The service's presigned links come neither from CloudFront nor from an administrator, so a wider deny would block them.
  assert {
    condition     = [for statement in jsondecode(aws_s3_bucket_policy.viewer_assets.policy).Statement : keys(statement.Condition) if statement.Effect == "Deny"] == [["Bool"]]
    error_message = "The policy may deny only connections without TLS."
  }

  assert {
    condition     = aws_s3_bucket_versioning.viewer_assets.versioning_configuration[0].status == "Enabled"
    error_message = "The bucket must keep versions."
  }

  assert {
    condition = alltrue([
      one(flatten([for rule in aws_s3_bucket_lifecycle_configuration.viewer_assets.rule : [for end in rule.noncurrent_version_expiration : end.noncurrent_days]])) == 30,
      one(flatten([for rule in aws_s3_bucket_lifecycle_configuration.viewer_assets.rule : [for end in rule.abort_incomplete_multipart_upload : end.days_after_initiation]])) == 7,
      one(flatten([for rule in aws_s3_bucket_lifecycle_configuration.viewer_assets.rule : [for move in rule.transition : "${move.days} ${move.storage_class}"]])) == "0 INTELLIGENT_TIERING",
      alltrue([for rule in aws_s3_bucket_lifecycle_configuration.viewer_assets.rule : rule.status == "Enabled"]),
    ])
    error_message = "Old versions must end after 30 days, unfinished uploads after 7. All objects must move to Intelligent-Tiering at once."
  }

  assert {
    condition     = one(flatten([for rule in aws_s3_bucket_server_side_encryption_configuration.viewer_assets.rule : [for default in rule.apply_server_side_encryption_by_default : default.sse_algorithm]])) == "AES256"
    error_message = "Objects must be encrypted with AES256."
  }

  assert {
    condition = alltrue([for rule in aws_s3_bucket_cors_configuration.viewer_assets.cors_rule :
      rule.allowed_methods == toset(["GET", "HEAD"]) && rule.allowed_origins == toset(["*"])
    ])
    error_message = "Any origin may read, because a redirected page has the origin null. No origin may write."
  }
}

run "distribution" {
  assert {
    condition = alltrue([
      for behaviour in concat(aws_cloudfront_distribution.viewer_assets.default_cache_behavior, aws_cloudfront_distribution.viewer_assets.ordered_cache_behavior) :
      behaviour.trusted_key_groups == tolist([aws_cloudfront_key_group.viewer_assets.id]) && behaviour.viewer_protocol_policy == "https-only"
    ])
    error_message = "Every path must need a signed link and TLS."
  }

  assert {
    condition     = aws_cloudfront_cache_policy.viewer_assets["parquet"].default_ttl == 2592000 && aws_cloudfront_cache_policy.viewer_assets["other"].default_ttl == 86400
    error_message = "Parquet must be cached for 30 days, all else for 24 hours."
  }

  assert {
    condition = alltrue([
      [for behaviour in aws_cloudfront_distribution.viewer_assets.ordered_cache_behavior : behaviour.path_pattern] == ["*.parquet", "*.PARQUET"],
      alltrue([for behaviour in aws_cloudfront_distribution.viewer_assets.ordered_cache_behavior : behaviour.cache_policy_id == aws_cloudfront_cache_policy.viewer_assets["parquet"].id && behaviour.compress == false]),
      one(aws_cloudfront_distribution.viewer_assets.default_cache_behavior).cache_policy_id == aws_cloudfront_cache_policy.viewer_assets["other"].id,
    ])
    error_message = "Each path pattern must have its cache policy."
  }

  assert {
    condition = alltrue([for policy in values(aws_cloudfront_cache_policy.viewer_assets) : alltrue([
      for part in policy.parameters_in_cache_key_and_forwarded_to_origin :
      part.query_strings_config[0].query_string_behavior == "none" && part.cookies_config[0].cookie_behavior == "none" && part.headers_config[0].header_behavior == "none"
    ])])
    error_message = "A signature must not split the cache, and no request may reach the bucket's listing."
  }

  assert {
    condition = alltrue([
      aws_cloudfront_distribution.viewer_assets.price_class == "PriceClass_100",
      length(aws_cloudfront_distribution.viewer_assets.default_root_object) > 0,
      aws_cloudfront_origin_access_control.viewer_assets.signing_behavior == "always",
      aws_cloudfront_origin_access_control.viewer_assets.signing_protocol == "sigv4",
      one(aws_cloudfront_distribution.viewer_assets.origin).origin_access_control_id == aws_cloudfront_origin_access_control.viewer_assets.id,
    ])
    error_message = "The distribution's price class, root object, or access to its origin is wrong."
  }

  assert {
    condition = alltrue([for name in ["Content-Range", "Content-Length", "ETag", "Accept-Ranges"] : contains(
      aws_cloudfront_response_headers_policy.viewer_assets.cors_config[0].access_control_expose_headers[0].items, name
    )])
    error_message = "The CDN must expose the headers that range readers need."
  }

  assert {
    condition = [for item in one(aws_cloudfront_response_headers_policy.viewer_assets.custom_headers_config).items : "${item.header}: ${item.value}"] == [
      "Cross-Origin-Resource-Policy: cross-origin"
    ]
    error_message = "Pages of other origins must be able to embed viewer assets."
  }

  assert {
    condition     = aws_cloudfront_response_headers_policy.viewer_assets.security_headers_config[0].strict_transport_security[0].access_control_max_age_sec >= 31536000
    error_message = "Browsers must use TLS for a year."
  }

  assert {
    condition = alltrue([for header in aws_cloudfront_response_headers_policy.viewer_assets.security_headers_config[0].strict_transport_security :
      header.preload == false && header.include_subdomains == false
    ])
    error_message = "The header must not cover subdomains of AWS's domain."
  }
}

run "own_domain" {
  variables {
    cdn_domain = { name = "cdn.example.org", certificate_arn = "arn:aws:acm:us-east-1:111122223333:certificate/1" }
  }

  assert {
    condition = alltrue([
      one(aws_cloudfront_distribution.viewer_assets.viewer_certificate).minimum_protocol_version == "TLSv1.2_2021",
      aws_cloudfront_distribution.viewer_assets.aliases == toset(["cdn.example.org"]),
      aws_lambda_function.function["service"].environment[0].variables["CLOUDFRONT_DISTRIBUTION_DOMAIN"] == "cdn.example.org",
      output.cloudfront_distribution_domain == "cdn.example.org",
      aws_cloudfront_response_headers_policy.viewer_assets.security_headers_config[0].strict_transport_security[0].preload,
    ])
    error_message = "With a custom domain, links must use it, and old TLS versions must be refused."
  }
}

run "no_access_logs_by_default" {
  assert {
    condition     = length(aws_s3_bucket_logging.viewer_assets) == 0 && length(aws_cloudwatch_log_delivery.cdn) == 0
    error_message = "Without a log bucket there must be no access logs."
  }
}

run "access_logs_without_signatures" {
  variables {
    access_log_bucket = "example-logs"
  }

  assert {
    condition     = length(aws_s3_bucket_logging.viewer_assets) == 0 && length(aws_cloudwatch_log_delivery.cdn) == 1
    error_message = "The CDN must write access logs. S3 must not by default, because its logs contain signed links."
  }

  assert {
    condition     = !anytrue([for field in one(aws_cloudwatch_log_delivery.cdn).record_fields : contains(["cs-uri-query", "cs(Cookie)", "cs(Referer)"], field)])
    error_message = "The log must not contain signed links."
  }
}

run "signing_keys" {
  assert {
    condition = alltrue([
      aws_ssm_parameter.private_key.type == "SecureString",
      aws_ssm_parameter.private_key.name == "/dev/packages-service/cloudfront/private-key",
      aws_ssm_parameter.public_key.type == "String",
      aws_ssm_parameter.public_key.name == "/dev/packages-service/cloudfront/public-key",
      output.cloudfront_key_group_id == aws_cloudfront_key_group.viewer_assets.id,
      aws_cloudfront_key_group.viewer_assets.items == toset([aws_cloudfront_public_key.first.id]),
    ])
    error_message = "The keys must have the documented names."
  }
}

run "access_logs_with_signatures_on_request" {
  variables {
    access_log_bucket        = "example-logs"
    viewer_assets_access_log = true
  }

  assert {
    condition     = one(aws_s3_bucket_logging.viewer_assets).target_bucket == "example-logs"
    error_message = "viewer_assets_access_log must switch S3's access log on."
  }
}

# Names that are unique in the account must differ in a second region, and must not be too long.
run "a_second_region_in_the_same_account" {
  variables {
    environment       = "fifteen-letters"
    service_name      = "a-service-of-22-letter"
    access_log_bucket = "example-logs"
  }

  override_data {
    target = data.aws_region.current
    values = { region = "ap-southeast-2" }
  }

  assert {
    condition = alltrue([for name in concat(
      [
        aws_cloudfront_public_key.first.name,
        aws_cloudfront_key_group.viewer_assets.name,
        aws_cloudfront_origin_access_control.viewer_assets.name,
        aws_cloudfront_response_headers_policy.viewer_assets.name,
        aws_cloudwatch_dashboard.packages.dashboard_name,
        aws_cloudwatch_metric_alarm.cdn.alarm_name,
        one(aws_cloudwatch_log_delivery_source.cdn).name,
        one(aws_cloudwatch_log_delivery_destination.cdn).name,
      ],
      [for policy in values(aws_cloudfront_cache_policy.viewer_assets) : policy.name],
    ) : strcontains(name, "ap-southeast-2")])
    error_message = "A name is already taken by the first region."
  }

  assert {
    condition     = length(aws_cloudfront_origin_access_control.viewer_assets.name) <= 64 && length(one(aws_cloudwatch_log_delivery_source.cdn).name) <= 60 && length(one(aws_cloudwatch_log_delivery_destination.cdn).name) <= 60
    error_message = "A name is too long for AWS."
  }
}
