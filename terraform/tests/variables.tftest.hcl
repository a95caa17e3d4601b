mock_provider "aws" {
  source = "./tests/aws"
}

run "the_first_keys_open_nothing_and_warn" {
  command = plan

  variables {
    cloudfront_public_key_pem = null
  }

  expect_failures = [check.links_open]
}

run "patterns_are_no_buckets" {
  command = plan

  variables {
    storage_buckets   = ["example-*-storage-use1"]
    read_only_buckets = ["*"]
  }

  expect_failures = [var.storage_buckets, var.read_only_buckets]
}

run "origins_are_origins" {
  command = plan

  variables {
    cors_origins = ["*", "https://app.example.org"]
  }

  expect_failures = [var.cors_origins]
}

run "the_database_is_in_a_vpc" {
  command = plan

  variables {
    subnet_ids         = ["subnet-1", "subnet-1"]
    security_group_ids = []
  }

  expect_failures = [var.subnet_ids, var.security_group_ids]
}

run "a_proxy_is_named_by_its_id" {
  command = plan

  variables {
    rds_proxy_resource_id = "dev-rds-proxy"
  }

  expect_failures = [var.rds_proxy_resource_id]
}

run "two_restores_at_least" {
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
    error_message = "Restores have a limit all the same."
  }
}

run "a_private_key_is_base64_of_pem" {
  command = plan

  variables {
    cloudfront_private_key_base64 = "dummy"
  }

  expect_failures = [var.cloudfront_private_key_base64]
}

run "names_fit_into_aws" {
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

run "an_empty_list_of_buckets_is_a_mistake" {
  command = plan

  variables {
    proxy_allowed_buckets = []
  }

  expect_failures = [var.proxy_allowed_buckets]
}

run "logs_with_signed_links_need_a_bucket" {
  command = plan

  variables {
    viewer_assets_access_log = true
  }

  expect_failures = [var.viewer_assets_access_log]
}

run "roles_are_granted_keys" {
  command = plan

  variables {
    parameter_kms_key_arn = "alias/parameters"
  }

  expect_failures = [var.parameter_kms_key_arn]
}
