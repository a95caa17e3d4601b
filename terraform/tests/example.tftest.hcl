mock_provider "aws" {
  source = "./tests/aws"
}

run "complete" {
  module {
    source = "./examples/complete"
  }

  # Beside those of the module.
  variables {
    vpc_id                     = "vpc-0123456789abcdef0"
    database_security_group_id = "sg-0123456789abcdef0"
    access_log_bucket          = "example-dev-logs"
    alarm_emails               = ["ops@example.org"]
    cdn_web_acl_arn            = "arn:aws:wafv2:us-east-1:111122223333:global/webacl/example/1"
  }

  assert {
    condition     = output.cloudfront_distribution_domain == "d111111abcdef8.cloudfront.net" && output.cloudfront_key_group_id == "key-group"
    error_message = "The example makes the module and hands its outputs on."
  }

  assert {
    condition     = aws_s3_bucket_public_access_block.access_logs.block_public_policy && aws_s3_bucket_public_access_block.access_logs.restrict_public_buckets
    error_message = "Logs are not public."
  }

  # Else AWS adds a statement of its own, and every later plan takes it away.
  assert {
    condition = contains(
      flatten([for statement in jsondecode(aws_s3_bucket_policy.access_logs.policy).Statement : try(statement.Condition.ArnLike["aws:SourceArn"], [])]),
      "arn:aws:logs:us-east-1:111122223333:delivery-source:dev-packages-service-us-east-1-cdn",
    )
    error_message = "The CDN's logs are let in by the name that the module gives their source."
  }
}

# What changes beside the module must not make unknown what the module knows: here the log bucket's policy changes. Were the
# region unknown then, every role would be made anew, and the grants that others gave the old ones be lost.
run "a_change_beside_the_module_is_none_in_it" {
  command = plan

  module {
    source = "./examples/complete"
  }

  variables {
    vpc_id                     = "vpc-0123456789abcdef0"
    database_security_group_id = "sg-0123456789abcdef0"
    access_log_bucket          = "example-dev-logs"
    alarm_emails               = ["ops@example.org"]
  }

  override_data {
    target = data.aws_caller_identity.current
    values = { account_id = "444455556666" }
  }

  assert {
    condition     = strcontains(aws_s3_bucket_policy.access_logs.policy, "444455556666")
    error_message = "Nothing changes beside the module, so this test says nothing."
  }

  assert {
    condition     = output.dashboard_url == run.complete.dashboard_url
    error_message = "The module no longer knows its region."
  }
}

run "depending" {
  module {
    source = "./tests/depending"
  }

  variables {
    beside = "one"
  }
}

# With `depends_on` the region is unknown; the roles have the names that they got when they were made.
run "roles_stay_under_depends_on" {
  command = plan

  module {
    source = "./tests/depending"
  }

  variables {
    beside = "another"
  }

  assert {
    condition     = output.role_names == run.depending.role_names
    error_message = "A role would be made anew."
  }
}
