# One page with requests, latency, errors and queues.

locals {
  # Rows of three. A metric is [namespace, name, dimension, value, ..., options], as in a dashboard's JSON.
  widgets = [
    { title = "Requests", metrics = [
      ["AWS/ApiGateway", "Count", "ApiId", aws_apigatewayv2_api.packages.id, { stat = "Sum" }],
      ["AWS/ApiGateway", "4xx", "ApiId", aws_apigatewayv2_api.packages.id, { stat = "Sum" }],
      ["AWS/ApiGateway", "5xx", "ApiId", aws_apigatewayv2_api.packages.id, { stat = "Sum" }],
    ] },
    { title = "Latency of the gateway (ms)", metrics = [
      for stat in ["p50", "p90", "p99"] :
      ["AWS/ApiGateway", "Latency", "ApiId", aws_apigatewayv2_api.packages.id, { stat = stat, label = stat }]
    ] },
    { title = "Duration of the functions, p99 (ms)", metrics = [
      for function in local.functions :
      ["AWS/Lambda", "Duration", "FunctionName", local.function_names[function], { stat = "p99", label = function }]
    ] },
    { title = "Errors", metrics = [
      for function in local.functions :
      ["AWS/Lambda", "Errors", "FunctionName", local.function_names[function], { stat = "Sum", label = function }]
    ] },
    { title = "Concurrent executions", metrics = [
      for function in local.functions :
      ["AWS/Lambda", "ConcurrentExecutions", "FunctionName", local.function_names[function], { stat = "Maximum", label = function }]
    ] },
    { title = "Throttled calls", metrics = [
      for function in local.functions :
      ["AWS/Lambda", "Throttles", "FunctionName", local.function_names[function], { stat = "Sum", label = function }]
    ] },
    { title = "Restore orders: waiting, in work, dead letters", metrics = [
      ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", aws_sqs_queue.restore.name, { stat = "Maximum", label = "waiting" }],
      ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "QueueName", aws_sqs_queue.restore.name, { stat = "Maximum", label = "being restored" }],
      ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", aws_sqs_queue.dead_letters.name, { stat = "Maximum", label = "dead" }],
    ] },
    { title = "Age of the oldest order (s)", metrics = [
      ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", aws_sqs_queue.restore.name, { stat = "Maximum", label = "age" }],
    ] },
    { title = "Restores given up, and age of the signing key (s)", metrics = [
      [local.prefix, "RestoresGivenUp", { stat = "Sum" }],
      [local.prefix, "SigningKeyAge", { stat = "Maximum", yAxis = "right" }],
    ] },
    { title = "CDN: requests, and 4xx responses (%)", region = "us-east-1", metrics = [
      ["AWS/CloudFront", "Requests", "DistributionId", aws_cloudfront_distribution.viewer_assets.id, "Region", "Global", { stat = "Sum" }],
      ["AWS/CloudFront", "4xxErrorRate", "DistributionId", aws_cloudfront_distribution.viewer_assets.id, "Region", "Global", { stat = "Average", yAxis = "right" }],
    ] },
  ]
}

resource "aws_cloudwatch_dashboard" "packages" {
  dashboard_name = local.global_prefix

  dashboard_body = jsonencode({
    widgets = concat(
      [for index, widget in local.widgets : {
        type   = "metric"
        x      = 8 * (index % 3)
        y      = 6 * floor(index / 3)
        width  = 8
        height = 6
        properties = {
          title   = widget.title
          metrics = widget.metrics
          region  = try(widget.region, local.region)
          period  = 300
          view    = "timeSeries"
        }
      }],
      [{
        type   = "metric"
        x      = 0
        y      = 6 * ceil(length(local.widgets) / 3)
        width  = 24
        height = 6
        properties = {
          title  = "Metrics of the program, for the whole environment: links, refusals, restores"
          region = local.region
          period = 300
          view   = "timeSeries"
          metrics = [
            for name in ["links_issued_total", "refusals_total", "restores_total", "restore_failed_packages_total"] :
            [{ expression = "SEARCH('Namespace=\"PackagesService/${var.environment}\" MetricName=\"${name}\"', 'Sum')", label = name }]
          ]
        }
      }]
    )
  })
}
