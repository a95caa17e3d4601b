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
      "arn:aws:logs:us-east-1:111122223333:delivery-source:dev-packages-service-cdn",
    )
    error_message = "The CDN's logs are let in by the name that the module gives their source."
  }
}
