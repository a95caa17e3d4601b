mock_provider "aws" {
  source = "./tests/aws"
}

run "functions" {
  assert {
    condition = alltrue([for function in values(aws_lambda_function.function) : alltrue([
      function.runtime == "provided.al2023",
      function.handler == "bootstrap",
      function.architectures == tolist(["x86_64"]),
      function.tracing_config[0].mode == "Active",
      function.logging_config[0].log_format == "JSON",
      function.vpc_config[0].subnet_ids == toset(["subnet-1", "subnet-2"]),
      function.reserved_concurrent_executions > 0,
    ])])
    error_message = "Every function is a bootstrap on Amazon Linux 2023 in the VPC, traced, with JSON logs and a limit."
  }

  assert {
    condition     = { for name, function in aws_lambda_function.function : name => function.timeout } == { authorizer = 10, restore = 900, service = 30 }
    error_message = "Timeouts: service 30 s, authorizer 10 s, restore 900 s."
  }

  assert {
    condition     = { for name, function in aws_lambda_function.function : name => function.memory_size } == { authorizer = 256, restore = 1024, service = 256 }
    error_message = "Memory: service and authorizer 256 MB, restore 1024 MB."
  }

  assert {
    condition     = aws_lambda_function.function["restore"].s3_key == "packages-service/restore-v1.2.3.zip"
    error_message = "The key must be the one that `make publish` writes."
  }

  assert {
    condition = alltrue([for name, function in aws_lambda_function.function :
      aws_cloudwatch_log_group.function[name].name == "/aws/lambda/${function.function_name}" && aws_cloudwatch_log_group.function[name].retention_in_days == 30
    ])
    error_message = "Every function has a log group of its own, and logs end."
  }

  assert {
    condition = { for name, target in aws_cloudwatch_event_target.restore : name => target.input } == {
      resume = "{\"task\":\"resume\"}", maintain = "{\"task\":\"maintain\"}"
    } && alltrue([for target in values(aws_cloudwatch_event_target.restore) : target.arn == aws_lambda_alias.live["restore"].arn])
    error_message = "Schedules wake the restore function with the tasks that it knows."
  }

  assert {
    condition     = alltrue([for name, permission in aws_lambda_permission.restore_schedule : permission.source_arn == aws_cloudwatch_event_rule.restore[name].arn && permission.qualifier == "live"])
    error_message = "Only its own schedules may call the restore function."
  }

  assert {
    condition     = alltrue([for config in values(aws_lambda_function_event_invoke_config.function) : config.destination_config[0].on_failure[0].destination == aws_sqs_queue.failed_invocations.arn])
    error_message = "Failed asynchronous calls are kept."
  }

  assert {
    condition     = toset([for config in values(aws_lambda_function_event_invoke_config.function) : coalesce(config.qualifier, "itself")]) == toset(["itself", "live"]) && length(aws_lambda_function_event_invoke_config.function) == 6
    error_message = "They are kept whether the alias was called or the function itself."
  }

  # A reference to a function and not to its alias would be a second way in, that no rollout and no way back counts for.
  assert {
    condition = alltrue([
      aws_lambda_event_source_mapping.restore.function_name == aws_lambda_alias.live["restore"].arn,
      aws_lambda_permission.gateway_calls_service.qualifier == "live",
      one(aws_lambda_permission.gateway_calls_authorizer).qualifier == "live",
    ])
    error_message = "Everybody calls the alias."
  }
}

run "a_release_is_live_at_once" {
  assert {
    condition = alltrue([
      for name, alias in aws_lambda_alias.live :
      alias.function_version == "7" && length(alias.routing_config) == 0 && aws_lambda_function.function[name].publish
    ])
    error_message = "The alias is at the newest version unless told otherwise."
  }
}

run "a_release_comes_gradually" {
  variables {
    rollout = { stay_at = { service = "6" }, new_percent = 10 }
  }

  assert {
    condition     = aws_lambda_alias.live["service"].function_version == "6" && one(aws_lambda_alias.live["service"].routing_config).additional_version_weights == tomap({ "7" = 0.1 })
    error_message = "One in ten gets the new version."
  }

  assert {
    condition     = aws_lambda_alias.live["restore"].function_version == "7" && length(aws_lambda_alias.live["restore"].routing_config) == 0
    error_message = "The others are not concerned."
  }
}

run "the_way_back" {
  variables {
    rollout = { stay_at = { service = "6", authorizer = "5", restore = "6" } }
  }

  assert {
    condition     = output.live_versions == { service = "6", authorizer = "5", restore = "6" } && alltrue([for alias in values(aws_lambda_alias.live) : length(alias.routing_config) == 0])
    error_message = "All callers are back at the versions before, and at nothing else."
  }
}

run "a_version_is_a_number" {
  command = plan

  variables {
    rollout = { stay_at = { service = "v1.2.3" }, new_percent = 100 }
  }

  expect_failures = [var.rollout]
}

run "the_key_id_follows_the_key" {
  assert {
    condition     = aws_lambda_function.function["service"].environment[0].variables["CLOUDFRONT_KEY_ID"] == aws_ssm_parameter.key_id.insecure_value && aws_ssm_parameter.key_id.insecure_value == "K1FIRST"
    error_message = "The service is told the id that replace-cloudfront-keys.sh keeps beside the key."
  }
}

run "a_shared_authorizer" {
  variables {
    shared_authorizer_arn = "arn:aws:lambda:us-east-1:444455556666:function:platform-authorizer:live"
    user_pool             = null
    token_pool            = null
  }

  assert {
    condition = alltrue([
      for scheme in values(yamldecode(aws_apigatewayv2_api.packages.body).components.securitySchemes) :
      scheme["x-amazon-apigateway-authorizer"].authorizerUri == "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:444455556666:function:platform-authorizer:live/invocations"
    ])
    error_message = "The gateway asks the shared one."
  }

  assert {
    condition     = toset(keys(aws_lambda_function.function)) == toset(["restore", "service"]) && length(aws_lambda_permission.gateway_calls_authorizer) == 0
    error_message = "There is no authorizer of ours, and its owner says who may call the other."
  }

  assert {
    condition     = !anytrue([for name in keys(aws_cloudwatch_metric_alarm.alarm) : startswith(name, "authorizer")])
    error_message = "Nothing watches what is not there."
  }
}

run "our_own_authorizer_needs_the_pools" {
  command = plan

  variables {
    user_pool  = null
    token_pool = null
  }

  expect_failures = [var.user_pool, var.token_pool]
}

run "environments" {
  assert {
    condition = sort(keys(aws_lambda_function.function["service"].environment[0].variables)) == sort([
      "ENV", "PENNSIEVE_DOMAIN", "REGION", "RDS_PROXY_ENDPOINT", "POSTGRES_USER", "PENNSIEVE_DB", "LOG_LEVEL", "SSL_CERT_FILE",
      "VIEWER_ASSETS_BUCKET", "PROXY_ALLOWED_BUCKETS", "CLOUDFRONT_DISTRIBUTION_DOMAIN", "CLOUDFRONT_KEY_ID",
      "CLOUDFRONT_PUBLIC_KEY", "CLOUDFRONT_PRIVATE_KEY_SSM_PARAM", "CLOUDFRONT_HASH_ALGORITHM", "RESTORE_PACKAGE_QUEUE_URL",
    ])
    error_message = "The service's variables are not the ones that the README lists."
  }

  assert {
    condition = sort(keys(aws_lambda_function.function["restore"].environment[0].variables)) == sort([
      "ENV", "REGION", "RDS_PROXY_ENDPOINT", "POSTGRES_USER", "PENNSIEVE_DB", "LOG_LEVEL", "SSL_CERT_FILE",
      "DELETE_RECORD_DYNAMODB_TABLE_NAME", "JOBS_QUEUE_ID", "RESTORE_PACKAGE_QUEUE_URL",
    ])
    error_message = "The worker's variables are not the ones that the README lists."
  }

  assert {
    condition = sort(keys(aws_lambda_function.function["authorizer"].environment[0].variables)) == sort([
      "ENV", "REGION", "RDS_PROXY_ENDPOINT", "POSTGRES_USER", "PENNSIEVE_DB", "LOG_LEVEL", "SSL_CERT_FILE",
      "USER_POOL", "USER_CLIENT", "TOKEN_POOL", "TOKEN_CLIENT",
    ])
    error_message = "The authorizer's variables are not the ones that the README lists."
  }

  assert {
    condition     = alltrue(flatten([for function in values(aws_lambda_function.function) : [for value in values(function.environment[0].variables) : try(length(value), 0) > 0]]))
    error_message = "A variable is empty: the function would refuse to start."
  }

  assert {
    condition     = aws_lambda_function.function["service"].environment[0].variables["PROXY_ALLOWED_BUCKETS"] == "example-dev-package-assets-use1"
    error_message = "/proxy/s3 lets only the viewer-assets bucket through, unless told otherwise."
  }

  assert {
    condition     = aws_lambda_function.function["service"].environment[0].variables["CLOUDFRONT_PRIVATE_KEY_SSM_PARAM"] == "/dev/packages-service/cloudfront/private-key"
    error_message = "The private key's parameter has the documented name."
  }

  assert {
    condition     = aws_lambda_function.function["authorizer"].environment[0].variables["POSTGRES_USER"] == "dev_rds_proxy_user"
    error_message = "The database role is the platform's, unless told otherwise."
  }
}

run "without_table_and_changelog" {
  variables {
    delete_record_table       = null
    delete_record_kms_key_arn = null
    changelog_queue           = null
  }

  assert {
    condition     = aws_lambda_function.function["restore"].environment[0].variables["DELETE_RECORD_DYNAMODB_TABLE_NAME"] == "none" && aws_lambda_function.function["restore"].environment[0].variables["JOBS_QUEUE_ID"] == "none"
    error_message = "The worker must be told that there is none."
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.own["restore"].policy, "dynamodb") && !strcontains(aws_iam_role_policy.own["restore"].policy, "TellTheChangelog")
    error_message = "Nothing is allowed on what there is not."
  }
}

run "arm" {
  variables {
    lambda_architecture = "arm64"
  }

  assert {
    condition     = alltrue([for function in values(aws_lambda_function.function) : function.architectures == tolist(["arm64"])])
    error_message = "arm64 is for all functions."
  }
}

run "no_other_architecture" {
  command = plan

  variables {
    lambda_architecture = "riscv64"
  }

  expect_failures = [var.lambda_architecture]
}

run "queue" {
  assert {
    condition     = aws_sqs_queue.restore.visibility_timeout_seconds >= 6 * aws_lambda_function.function["restore"].timeout
    error_message = "A message must stay hidden for six times as long as the worker may take."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.restore.redrive_policy) == { deadLetterTargetArn = aws_sqs_queue.dead_letters.arn, maxReceiveCount = 3 }
    error_message = "After three deliveries an order is a dead letter."
  }

  assert {
    condition     = aws_sqs_queue.dead_letters.message_retention_seconds > aws_sqs_queue.restore.message_retention_seconds
    error_message = "Dead letters keep their age, so they must be kept for longer."
  }

  assert {
    condition = alltrue([
      aws_lambda_event_source_mapping.restore.batch_size == 1,
      aws_lambda_event_source_mapping.restore.function_response_types == toset(["ReportBatchItemFailures"]),
      aws_lambda_event_source_mapping.restore.scaling_config[0].maximum_concurrency <= aws_lambda_function.function["restore"].reserved_concurrent_executions,
    ])
    error_message = "One order at a time, and no more of them at once than there are workers."
  }

  assert {
    condition     = alltrue([for queue in [aws_sqs_queue.restore, aws_sqs_queue.dead_letters, aws_sqs_queue.failed_invocations] : queue.sqs_managed_sse_enabled])
    error_message = "Queues are encrypted."
  }
}

run "alarms" {
  assert {
    condition = sort(keys(aws_cloudwatch_metric_alarm.alarm)) == sort([
      "service-errors", "service-throttles", "restore-errors", "restore-throttles", "authorizer-errors", "authorizer-throttles",
      "dead-letters", "failed-invocations", "restore-backlog", "gateway-5xx", "gateway-latency", "authorizer-latency",
      "restores-given-up", "signing-key-age", "signing-key-mismatch",
    ])
    error_message = "An alarm is missing, or is new and not in this list."
  }

  assert {
    condition = alltrue([
      aws_cloudwatch_metric_alarm.cdn.region == "us-east-1",
      alltrue([for query in aws_cloudwatch_metric_alarm.cdn.metric_query : alltrue([for metric in query.metric : metric.dimensions == tomap({ DistributionId = "E1MOCK", Region = "Global" })])]),
    ])
    error_message = "The CDN's alarm is where CloudFront's metrics are, with their dimensions."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.alarm["dead-letters"].threshold == 0 && aws_cloudwatch_metric_alarm.alarm["dead-letters"].dimensions.QueueName == "dev-packages-service-restore-dead-letters"
    error_message = "The first dead letter is told."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.alarm["signing-key-age"].threshold == 7776000 && aws_cloudwatch_metric_alarm.alarm["signing-key-age"].treat_missing_data == "ignore"
    error_message = "A signing key is old after 90 days, also at night."
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.alarm) : alarm.alarm_actions == toset(var.alarm_topic_arns) && alarm.ok_actions == toset(var.alarm_topic_arns)])
    error_message = "Every alarm tells the topics when it begins and when it ends."
  }
}

run "alarms_tell_topics_of_their_own_region" {
  variables {
    alarm_topic_arns = ["arn:aws:sns:us-east-1:111122223333:ops", "arn:aws:sns:eu-west-1:111122223333:ops"]
  }

  override_data {
    target = data.aws_region.current
    values = { region = "eu-west-1" }
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.alarm) : alarm.alarm_actions == toset(["arn:aws:sns:eu-west-1:111122223333:ops"])])
    error_message = "CloudWatch refuses an alarm that tells another region's topic."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.cdn.alarm_actions == toset(["arn:aws:sns:us-east-1:111122223333:ops"]) && aws_cloudwatch_metric_alarm.cdn.ok_actions == toset(["arn:aws:sns:us-east-1:111122223333:ops"])
    error_message = "The CDN's alarm is in us-east-1."
  }
}
