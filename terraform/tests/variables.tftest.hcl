mock_provider "aws" {
  source = "./tests/aws"
}

run "placeholder_keys_warn" {
  command = plan

  variables {
    cloudfront_public_key_pem = null
  }

  expect_failures = [check.links_open]
}

run "rejects_patterns_as_bucket_names" {
  command = plan

  variables {
    storage_buckets   = ["example-*-storage-use1"]
    read_only_buckets = ["*"]
  }

  expect_failures = [var.storage_buckets, var.read_only_buckets]
}

run "rejects_patterns_of_roles" {
  command = plan

  variables {
    buckets = [{ bucket = "example-published", role_arn = "arn:aws:iam::123456789012:role/*" }]
  }

  expect_failures = [var.buckets]
}

run "rejects_invalid_origins" {
  command = plan

  variables {
    cors_origins = ["*", "https://app.example.org"]
  }

  expect_failures = [var.cors_origins]
}

run "needs_two_subnets_and_a_security_group" {
  command = plan

  variables {
    subnet_ids         = ["subnet-1", "subnet-1"]
    security_group_ids = []
  }

  expect_failures = [var.subnet_ids, var.security_group_ids]
}

run "rejects_the_name_of_a_proxy" {
  command = plan

  variables {
    rds_proxy_resource_id = "dev-rds-proxy"
  }

  expect_failures = [var.rds_proxy_resource_id]
}

run "rejects_less_than_two_restores" {
  command = plan

  variables {
    reserved_concurrency = { restore = 1 }
  }

  expect_failures = [var.reserved_concurrency]
}

run "a_new_account_can_reserve_nothing" {
  command = plan

  variables {
    reserved_concurrency = { service = -1, authorizer = -1, restore = -1 }
  }

  assert {
    condition     = aws_lambda_event_source_mapping.restore.scaling_config[0].maximum_concurrency == 5
    error_message = "Without reserved concurrency, restores must still have a limit."
  }
}

run "rejects_an_invalid_private_key" {
  command = plan

  variables {
    cloudfront_private_key_base64 = "dummy"
  }

  expect_failures = [var.cloudfront_private_key_base64]
}

run "rejects_names_that_are_too_long_or_reserved" {
  command = plan

  variables {
    environment  = "ssm-dev"
    service_name = "a-service-of-23-letters"
  }

  expect_failures = [var.environment, var.service_name]
}

run "the_longest_names_fit" {
  command = plan

  variables {
    environment  = "fifteen-letters"
    service_name = "a-service-of-22-letter"
  }

  assert {
    condition     = alltrue([for role in values(aws_iam_role.function) : length("${trimsuffix(role.name, "us-east-1")}ap-southeast-2") <= 64])
    error_message = "A role's name is too long in the region with the longest name."
  }

  assert {
    condition     = alltrue([for queue in [aws_sqs_queue.restore, aws_sqs_queue.dead_letters, aws_sqs_queue.failed_invocations] : length(queue.name) <= 80])
    error_message = "A queue's name is too long."
  }
}

run "rejects_an_empty_list_of_buckets" {
  command = plan

  variables {
    proxy_allowed_buckets = []
  }

  expect_failures = [var.proxy_allowed_buckets]
}

run "the_access_log_needs_a_bucket" {
  command = plan

  variables {
    viewer_assets_access_log = true
  }

  expect_failures = [var.viewer_assets_access_log]
}

run "rejects_a_kms_alias" {
  command = plan

  variables {
    parameter_kms_key_arn = "alias/parameters"
  }

  expect_failures = [var.parameter_kms_key_arn]
}
