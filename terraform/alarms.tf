# What somebody should look at, and when. docs/operations.md says what to do about each.

locals {
  minute = 60

  # An alarm can only tell topics of its own region.
  topics_here   = [for arn in var.alarm_topic_arns : arn if split(":", arn)[3] == local.region]
  topics_of_cdn = [for arn in var.alarm_topic_arns : arn if split(":", arn)[3] == "us-east-1"]

  # What an alarm has unless it says otherwise.
  alarm_defaults = {
    namespace  = local.prefix
    dimensions = {}
    statistic  = "Sum"
    comparison = "GreaterThanThreshold"
    threshold  = 0
    period     = 5 * local.minute
    periods    = 1
    datapoints = 1
    percentile = null
    # Nothing counted, nothing wrong: at night there may be no requests.
    missing = "notBreaching"
  }

  function_alarms = merge([
    for function in local.functions : {
      "${function}-errors" = {
        description = "The ${function} function ended with an error, or did not end in time"
        namespace   = "AWS/Lambda"
        metric      = "Errors"
        dimensions  = { FunctionName = local.function_names[function] }
        # One that passes is retried or seen by its caller; several in a quarter of an hour do not pass.
        periods    = 3
        datapoints = 2
      }
      "${function}-throttles" = {
        description = "Calls of the ${function} function found no instance: its reserved concurrency, or the account's, is used up"
        namespace   = "AWS/Lambda"
        metric      = "Throttles"
        dimensions  = { FunctionName = local.function_names[function] }
        periods     = 3
        datapoints  = 2
      }
    }
  ]...)

  queue_alarms = {
    dead-letters = {
      description = "Restore orders failed three times. The packages are in the trash again, or nobody knows"
      namespace   = "AWS/SQS"
      metric      = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = aws_sqs_queue.dead_letters.name }
      statistic   = "Maximum"
    }
    failed-invocations = {
      description = "A function was called asynchronously and failed"
      namespace   = "AWS/SQS"
      metric      = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = aws_sqs_queue.failed_invocations.name }
      statistic   = "Maximum"
    }
    restore-backlog = {
      description = "The oldest restore order waits for longer than one restore may take"
      namespace   = "AWS/SQS"
      metric      = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = aws_sqs_queue.restore.name }
      statistic   = "Maximum"
      threshold   = local.timeouts.restore
      periods     = 3
      datapoints  = 3
    }
  }

  gateway_alarms = merge(local.api_alarms, local.own_authorizer ? local.authorizer_alarms : {})

  api_alarms = {
    gateway-5xx = {
      description = "More than five answers in five minutes, twice, said that the service is at fault"
      namespace   = "AWS/ApiGateway"
      metric      = "5xx"
      dimensions  = { ApiId = aws_apigatewayv2_api.packages.id }
      threshold   = 5
      periods     = 3
      datapoints  = 2
    }
    gateway-latency = {
      description = "One answer in a hundred takes longer than two seconds"
      namespace   = "AWS/ApiGateway"
      metric      = "Latency"
      dimensions  = { ApiId = aws_apigatewayv2_api.packages.id }
      percentile  = "p99"
      threshold   = 2000
      periods     = 3
      datapoints  = 3
    }
  }

  authorizer_alarms = {
    authorizer-latency = {
      description = "One authorization in a hundred takes longer than a second: the database, or Cognito, is slow"
      namespace   = "AWS/Lambda"
      metric      = "Duration"
      dimensions  = { FunctionName = "${local.prefix}-authorizer" }
      percentile  = "p99"
      threshold   = 1000
      periods     = 3
      datapoints  = 3
    }
  }

  own_alarms = {
    restores-given-up = {
      description = "Restores were given up; their packages are back in the trash, each with a reason"
      metric      = aws_cloudwatch_log_metric_filter.restores_given_up.metric_transformation[0].name
    }
    signing-key-age = {
      description = "The key that signs links to viewer assets is older than 90 days: run terraform/replace-cloudfront-keys.sh"
      metric      = aws_cloudwatch_log_metric_filter.signing_key_age.metric_transformation[0].name
      statistic   = "Maximum"
      threshold   = 90 * local.day
      period      = 60 * local.minute
      # Nobody renews a key by not using it.
      missing = "ignore"
    }
    signing-key-mismatch = {
      description = "The private key does not belong to the public key that CloudFront trusts: links to viewer assets are answered with 403. Run terraform/replace-cloudfront-keys.sh"
      metric      = aws_cloudwatch_log_metric_filter.signing_key_mismatch.metric_transformation[0].name
      statistic   = "Maximum"
    }
  }

  alarms = {
    for name, alarm in merge(local.function_alarms, local.queue_alarms, local.gateway_alarms, local.own_alarms) :
    name => merge(local.alarm_defaults, alarm)
  }
}

resource "aws_cloudwatch_metric_alarm" "alarm" {
  for_each = local.alarms

  alarm_name        = "${local.prefix}-${each.key}"
  alarm_description = each.value.description

  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.percentile == null ? each.value.statistic : null
  extended_statistic  = each.value.percentile
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = each.value.period
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.datapoints

  treat_missing_data = each.value.missing

  alarm_actions = local.topics_here
  ok_actions    = local.topics_here
  tags          = var.tags
}

# Of what the CDN refuses, nothing else tells: not the service, which gave the links out, nor its log. CloudFront's metrics
# are in us-east-1, wherever the rest is, and an alarm must be where its metric is.
resource "aws_cloudwatch_metric_alarm" "cdn" {
  region            = "us-east-1"
  alarm_name        = "${local.global_prefix}-cdn-4xx"
  alarm_description = "The CDN refuses or misses more than ${var.cdn_4xx_percent} in a hundred requests: links that are signed with a key that it does not trust, or assets that are not there"

  comparison_operator = "GreaterThanThreshold"
  threshold           = var.cdn_4xx_percent
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "refused"
    label       = "Refused or missing in a hundred"
    expression  = "IF(requests >= 20, rate, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { requests = { name = "Requests", stat = "Sum" }, rate = { name = "4xxErrorRate", stat = "Average" } }

    content {
      id = metric_query.key
      metric {
        namespace   = "AWS/CloudFront"
        metric_name = metric_query.value.name
        dimensions  = { DistributionId = aws_cloudfront_distribution.viewer_assets.id, Region = "Global" }
        stat        = metric_query.value.stat
        period      = 5 * local.minute
      }
    }
  }

  alarm_actions = local.topics_of_cdn
  ok_actions    = local.topics_of_cdn
  tags          = var.tags
}

# The program's own metrics have one namespace in an environment, which may have this module twice. These two are taken
# from the logs of this one's functions instead, so that a key of one does not raise the alarm of the other.
resource "aws_cloudwatch_log_metric_filter" "restores_given_up" {
  name           = "${local.prefix}-restores-given-up"
  log_group_name = aws_cloudwatch_log_group.function["restore"].name
  pattern        = "{ $.restores_given_up_total > 0 }"

  metric_transformation {
    namespace = local.prefix
    name      = "RestoresGivenUp"
    value     = "$.restores_given_up_total"
    unit      = "Count"
  }
}

resource "aws_cloudwatch_log_metric_filter" "signing_key_mismatch" {
  name           = "${local.prefix}-signing-key-mismatch"
  log_group_name = aws_cloudwatch_log_group.function["service"].name
  pattern        = "{ $.signing_key_mismatch > 0 }"

  metric_transformation {
    namespace = local.prefix
    name      = "SigningKeyMismatch"
    value     = "$.signing_key_mismatch"
    unit      = "Count"
  }
}

resource "aws_cloudwatch_log_metric_filter" "signing_key_age" {
  name           = "${local.prefix}-signing-key-age"
  log_group_name = aws_cloudwatch_log_group.function["service"].name
  pattern        = "{ $.signing_key_age_seconds > 0 }"

  metric_transformation {
    namespace = local.prefix
    name      = "SigningKeyAge"
    value     = "$.signing_key_age_seconds"
    unit      = "Seconds"
  }
}
