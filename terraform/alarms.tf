# The alarms. docs/operations.md says what to do about each.

locals {
  minute = 60

  # An alarm can only notify topics of its own region.
  topics_here   = [for arn in var.alarm_topic_arns : arn if split(":", arn)[3] == local.region]
  topics_of_cdn = [for arn in var.alarm_topic_arns : arn if split(":", arn)[3] == "us-east-1"]

  # Defaults; each alarm overrides what differs.
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
    # No data is not an error: at night there may be no requests.
    missing = "notBreaching"
  }

  function_alarms = merge([
    for function in local.functions : {
      "${function}-errors" = {
        description = "The ${function} function ended with an error or reached its timeout"
        namespace   = "AWS/Lambda"
        metric      = "Errors"
        dimensions  = { FunctionName = local.function_names[function] }
        # A single error is retried, or its caller sees it. Several within a quarter of an hour need attention.
        periods    = 3
        datapoints = 2
      }
      "${function}-throttles" = {
        description = "Calls of the ${function} function were throttled: its reserved concurrency, or the account's concurrency, is used up"
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
      description = "Restore orders failed three times. Their packages are back in the trash, unless the function could not record that"
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
      description = "The oldest restore order has waited longer than one restore may take"
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
      description = "More than five responses with status 5xx within five minutes, twice in a quarter of an hour"
      namespace   = "AWS/ApiGateway"
      metric      = "5xx"
      dimensions  = { ApiId = aws_apigatewayv2_api.packages.id }
      threshold   = 5
      periods     = 3
      datapoints  = 2
    }
    gateway-latency = {
      description = "One response in a hundred takes longer than two seconds"
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
      description = "One authorization in a hundred takes longer than a second: the database or Cognito is slow"
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
      description = "Restores were given up. Their packages are back in the trash, each with a reason"
      metric      = aws_cloudwatch_log_metric_filter.restores_given_up.metric_transformation[0].name
    }
    signing-key-age = {
      description = "The key that signs links to viewer assets is older than 90 days. Run terraform/replace-cloudfront-keys.sh"
      metric      = aws_cloudwatch_log_metric_filter.signing_key_age.metric_transformation[0].name
      statistic   = "Maximum"
      threshold   = 90 * local.day
      period      = 60 * local.minute
      # Without requests the key is not younger: keep the alarm's state.
      missing = "ignore"
    }
    signing-key-mismatch = {
      description = "The private key does not belong to the public key that CloudFront trusts. CloudFront answers links to viewer assets with 403. Run terraform/replace-cloudfront-keys.sh"
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

# Only this alarm reports requests that the CDN refuses: the service just hands the links out. CloudFront's metrics are always
# in us-east-1, and an alarm must be in the region of its metric.
resource "aws_cloudwatch_metric_alarm" "cdn" {
  region            = "us-east-1"
  alarm_name        = "${local.global_prefix}-cdn-4xx"
  alarm_description = "The CDN answers more than ${var.cdn_4xx_percent} % of the requests with 4xx. Either links are signed with a key that it does not trust, or assets are missing"

  comparison_operator = "GreaterThanThreshold"
  threshold           = var.cdn_4xx_percent
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "refused"
    label       = "4xx responses (%)"
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

# All installations in an environment share one namespace of program metrics. These three metrics come from the logs of this
# installation's functions instead, so the key of one installation does not raise the alarm of another.
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
