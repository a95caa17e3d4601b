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
    error_message = "Every function must run `bootstrap` on Amazon Linux 2023 in the VPC, with traces, JSON logs and reserved concurrency."
  }

  assert {
    condition     = { for name, function in aws_lambda_function.function : name => function.timeout } == { authorizer = 10, restore = 900, service = 30 }
    error_message = "Timeouts must be: service 30 s, authorizer 10 s, restore 900 s."
  }

  assert {
    condition     = { for name, function in aws_lambda_function.function : name => function.memory_size } == { authorizer = 256, restore = 1024, service = 256 }
    error_message = "Memory must be: service and authorizer 256 MB, restore 1024 MB."
  }

  assert {
    condition     = aws_lambda_function.function["restore"].s3_key == "packages-service/restore-v1.2.3.zip"
    error_message = "The key must be the one that `make publish` writes."
  }

  assert {
    condition = alltrue([for name, function in aws_lambda_function.function :
      aws_cloudwatch_log_group.function[name].name == "/aws/lambda/${function.function_name}" && aws_cloudwatch_log_group.function[name].retention_in_days == 30
    ])
    error_message = "Every function must have its own log group with a retention period."
  }

  assert {
    condition = { for name, target in aws_cloudwatch_event_target.restore : name => target.input } == {
      resume = "{\"task\":\"resume\"}", maintain = "{\"task\":\"maintain\"}"
    } && alltrue([for target in values(aws_cloudwatch_event_target.restore) : target.arn == aws_lambda_alias.live["restore"].arn])
    error_message = "Schedules must call the restore function with the tasks that it knows."
  }

  assert {
    condition     = alltrue([for name, permission in aws_lambda_permission.restore_schedule : permission.source_arn == aws_cloudwatch_event_rule.restore[name].arn && permission.qualifier == "live"])
    error_message = "Only its own schedules may call the restore function."
  }

  assert {
    condition     = alltrue([for config in values(aws_lambda_function_event_invoke_config.function) : config.destination_config[0].on_failure[0].destination == aws_sqs_queue.failed_invocations.arn])
    error_message = "Failed asynchronous calls must go to the queue."
  }

  assert {
    condition     = toset([for config in values(aws_lambda_function_event_invoke_config.function) : coalesce(config.qualifier, "itself")]) == toset(["itself", "live"]) && length(aws_lambda_function_event_invoke_config.function) == 6
    error_message = "Failed calls must go to the queue for the alias and for the function itself."
  }

  # A caller of the function instead of its alias would ignore `rollout`.
  assert {
    condition = alltrue([
      aws_lambda_event_source_mapping.restore.function_name == aws_lambda_alias.live["restore"].arn,
      aws_lambda_permission.gateway_calls_service.qualifier == "live",
      one(aws_lambda_permission.gateway_calls_authorizer).qualifier == "live",
    ])
    error_message = "All callers must use the alias."
  }
}

run "a_release_is_live_at_once" {
  assert {
    condition = alltrue([
      for name, alias in aws_lambda_alias.live :
      alias.function_version == "7" && length(alias.routing_config) == 0 && aws_lambda_function.function[name].publish
    ])
    error_message = "By default the alias must be at the newest version."
  }
}

run "a_release_comes_gradually" {
  variables {
    rollout = { stay_at = { service = "6" }, new_percent = 10 }
  }

  assert {
    condition     = aws_lambda_alias.live["service"].function_version == "6" && one(aws_lambda_alias.live["service"].routing_config).additional_version_weights == tomap({ "7" = 0.1 })
    error_message = "One call in ten must go to the new version."
  }

  assert {
    condition     = aws_lambda_alias.live["restore"].function_version == "7" && length(aws_lambda_alias.live["restore"].routing_config) == 0
    error_message = "The other functions must not change."
  }
}

run "goes_back_to_earlier_versions" {
  variables {
    rollout = { stay_at = { service = "6", authorizer = "5", restore = "6" } }
  }

  assert {
    condition     = output.live_versions == { service = "6", authorizer = "5", restore = "6" } && alltrue([for alias in values(aws_lambda_alias.live) : length(alias.routing_config) == 0])
    error_message = "All callers must get the earlier versions only."
  }
}

run "rejects_versions_that_are_not_numbers" {
  command = plan

  variables {
    rollout = { stay_at = { service = "v1.2.3" }, new_percent = 100 }
  }

  expect_failures = [var.rollout]
}

run "the_key_id_follows_the_key" {
  assert {
    condition     = aws_lambda_function.function["service"].environment[0].variables["CLOUDFRONT_KEY_ID"] == aws_ssm_parameter.key_id.insecure_value && aws_ssm_parameter.key_id.insecure_value == "K1FIRST"
    error_message = "CLOUDFRONT_KEY_ID must be the id that replace-cloudfront-keys.sh stores in the parameter."
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
    error_message = "The gateway must call the shared authorizer."
  }

  assert {
    condition     = toset(keys(aws_lambda_function.function)) == toset(["restore", "service"]) && length(aws_lambda_permission.gateway_calls_authorizer) == 0
    error_message = "The module must make no authorizer, and no permission for the shared one."
  }

  assert {
    condition     = !anytrue([for name in keys(aws_cloudwatch_metric_alarm.alarm) : startswith(name, "authorizer")])
    error_message = "There must be no alarm for an authorizer that the module does not make."
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
      "LINK_WINDOW_SECONDS", "STORAGE_BUCKETS", "BUCKETS",
    ])
    error_message = "The service's variables are not the ones that docs/configuration.md lists."
  }

  assert {
    condition = sort(keys(aws_lambda_function.function["restore"].environment[0].variables)) == sort([
      "ENV", "REGION", "RDS_PROXY_ENDPOINT", "POSTGRES_USER", "PENNSIEVE_DB", "LOG_LEVEL", "SSL_CERT_FILE",
      "DELETE_RECORD_DYNAMODB_TABLE_NAME", "JOBS_QUEUE_ID", "RESTORE_PACKAGE_QUEUE_URL", "BUCKETS",
    ])
    error_message = "The worker's variables are not the ones that docs/configuration.md lists."
  }

  assert {
    condition = sort(keys(aws_lambda_function.function["authorizer"].environment[0].variables)) == sort([
      "ENV", "REGION", "RDS_PROXY_ENDPOINT", "POSTGRES_USER", "PENNSIEVE_DB", "LOG_LEVEL", "SSL_CERT_FILE",
      "USER_POOL", "USER_CLIENT", "TOKEN_POOL", "TOKEN_CLIENT",
    ])
    error_message = "The authorizer's variables are not the ones that docs/configuration.md lists."
  }

  assert {
    condition     = alltrue(flatten([for function in values(aws_lambda_function.function) : [for value in values(function.environment[0].variables) : try(length(value), 0) > 0]]))
    error_message = "A variable is empty. The function would not start."
  }

  assert {
    condition     = aws_lambda_function.function["service"].environment[0].variables["PROXY_ALLOWED_BUCKETS"] == join(",", concat(["example-dev-package-assets-use1"], var.storage_buckets))
    error_message = "By default /proxy/s3 must allow the viewer-assets bucket and the buckets of source files."
  }

  assert {
    condition     = aws_lambda_function.function["service"].environment[0].variables["CLOUDFRONT_PRIVATE_KEY_SSM_PARAM"] == "/dev/packages-service/cloudfront/private-key"
    error_message = "The private key's parameter must have the documented name."
  }

  assert {
    condition     = aws_lambda_function.function["authorizer"].environment[0].variables["POSTGRES_USER"] == "dev_rds_proxy_user"
    error_message = "By default the database role must be the platform's."
  }
}

run "buckets" {
  variables {
    buckets = [
      { bucket = "example-published-*", role_arn = "arn:aws:iam::123456789012:role/reader", requester_pays = true },
      { bucket = "example-other", region = "af-south-1", proxy = true },
      { bucket = "example-again", role_arn = "arn:aws:iam::123456789012:role/reader" },
    ]
  }

  assert {
    condition = alltrue([for function in ["service", "restore"] : jsondecode(aws_lambda_function.function[function].environment[0].variables["BUCKETS"]) == [
      { bucket = "example-dev-package-assets-use1", region = "us-east-1" },
      { bucket = "example-published-*", role_arn = "arn:aws:iam::123456789012:role/reader", requester_pays = true },
      { bucket = "example-other", region = "af-south-1", proxy = true },
      { bucket = "example-again", role_arn = "arn:aws:iam::123456789012:role/reader" },
    ]])
    error_message = "Both functions must know the buckets, without members that are not set."
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.own["service"].policy).Statement : statement.Resource if statement.Action == "sts:AssumeRole"] == [["arn:aws:iam::123456789012:role/reader"]]
    error_message = "The service must be allowed to assume exactly the named roles."
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.own["restore"].policy, "sts:") && !strcontains(aws_iam_role_policy.own["authorizer"].policy, "sts:")
    error_message = "Only the service may assume roles."
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
    error_message = "Without a table and a changelog, the variables must be `none`."
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.own["restore"].policy, "dynamodb") && !strcontains(aws_iam_role_policy.own["restore"].policy, "SendToChangelog")
    error_message = "The policy must not have statements for missing resources."
  }
}

run "arm" {
  variables {
    lambda_architecture = "arm64"
  }

  assert {
    condition     = alltrue([for function in values(aws_lambda_function.function) : function.architectures == tolist(["arm64"])])
    error_message = "All functions must be arm64."
  }
}

run "rejects_other_architectures" {
  command = plan

  variables {
    lambda_architecture = "riscv64"
  }

  expect_failures = [var.lambda_architecture]
}

run "queue" {
  assert {
    condition     = aws_sqs_queue.restore.visibility_timeout_seconds >= 6 * aws_lambda_function.function["restore"].timeout
    error_message = "The visibility timeout must be six times the function's timeout."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.restore.redrive_policy) == { deadLetterTargetArn = aws_sqs_queue.dead_letters.arn, maxReceiveCount = 3 }
    error_message = "After three deliveries an order must be a dead letter."
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
    error_message = "Each call must get one order, and no more calls may run at once than the reserved concurrency allows."
  }

  assert {
    condition     = alltrue([for queue in [aws_sqs_queue.restore, aws_sqs_queue.dead_letters, aws_sqs_queue.failed_invocations] : queue.sqs_managed_sse_enabled])
    error_message = "Queues must be encrypted."
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
    error_message = "The CDN's alarm must be in CloudFront's region for metrics, with their dimensions."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.alarm["dead-letters"].threshold == 0 && aws_cloudwatch_metric_alarm.alarm["dead-letters"].dimensions.QueueName == "dev-packages-service-restore-dead-letters"
    error_message = "The alarm must start at the first dead letter."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.alarm["signing-key-age"].threshold == 7776000 && aws_cloudwatch_metric_alarm.alarm["signing-key-age"].treat_missing_data == "ignore"
    error_message = "The alarm must start at 90 days, and keep its state without data."
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.alarm) : alarm.alarm_actions == toset(var.alarm_topic_arns) && alarm.ok_actions == toset(var.alarm_topic_arns)])
    error_message = "Every alarm must notify the topics when it starts and when it ends."
  }
}

run "alarms_notify_topics_of_their_own_region" {
  variables {
    alarm_topic_arns = ["arn:aws:sns:us-east-1:111122223333:ops", "arn:aws:sns:eu-west-1:111122223333:ops"]
  }

  override_data {
    target = data.aws_region.current
    values = { region = "eu-west-1" }
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.alarm) : alarm.alarm_actions == toset(["arn:aws:sns:eu-west-1:111122223333:ops"])])
    error_message = "An alarm must name only topics of its own region, or CloudWatch refuses it."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.cdn.alarm_actions == toset(["arn:aws:sns:us-east-1:111122223333:ops"]) && aws_cloudwatch_metric_alarm.cdn.ok_actions == toset(["arn:aws:sns:us-east-1:111122223333:ops"])
    error_message = "The CDN's alarm must name only topics in us-east-1."
  }
}
