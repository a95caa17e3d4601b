mock_provider "aws" {
  source = "./tests/aws"
}

run "complete" {
  module {
    source = "./examples/complete"
  }

  # The example's own variables, in addition to the module's.
  variables {
    vpc_id                     = "vpc-0123456789abcdef0"
    database_security_group_id = "sg-0123456789abcdef0"
    access_log_bucket          = "example-dev-logs"
    alarm_emails               = ["ops@example.org"]
    cdn_web_acl_arn            = "arn:aws:wafv2:us-east-1:111122223333:global/webacl/example/1"
  }

  assert {
    condition     = output.cloudfront_distribution_domain == "d111111abcdef8.cloudfront.net" && output.cloudfront_key_group_id == "key-group"
    error_message = "The example must make the module and return its outputs."
  }

  assert {
    condition     = aws_s3_bucket_public_access_block.access_logs.block_public_policy && aws_s3_bucket_public_access_block.access_logs.restrict_public_buckets
    error_message = "The log bucket must not be public."
  }

  # Otherwise AWS adds its own statement, and every later plan removes it.
  assert {
    condition = contains(
      flatten([for statement in jsondecode(aws_s3_bucket_policy.access_logs.policy).Statement : try(statement.Condition.ArnLike["aws:SourceArn"], [])]),
      "arn:aws:logs:us-east-1:111122223333:delivery-source:dev-packages-service-us-east-1-cdn",
    )
    error_message = "The bucket policy must allow the CDN's log source by the name that the module gives it."
  }
}

# A change outside the module must not make the module's data sources unknown. Here the log bucket's policy changes. If the region
# became unknown, every role would be replaced, and would lose what other accounts granted to it.
run "a_change_outside_does_not_change_the_module" {
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
    error_message = "The policy outside the module must change, or this test proves nothing."
  }

  assert {
    condition     = output.dashboard_url == run.complete.dashboard_url
    error_message = "The module no longer knows its region."
  }
}

run "with_depends_on" {
  module {
    source = "./tests/depending"
  }

  variables {
    beside = "one"
  }
}

# With `depends_on` the region is unknown while planning. The roles must keep their names.
run "roles_stay_with_depends_on" {
  command = plan

  module {
    source = "./tests/depending"
  }

  variables {
    beside = "another"
  }

  assert {
    condition     = output.role_names == run.with_depends_on.role_names
    error_message = "A role would be replaced."
  }
}
