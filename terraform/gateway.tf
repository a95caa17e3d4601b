# The gateway: an HTTP API. Its routes and authorizer come from packages-service.yml, which the program generates from its
# own types.

locals {
  openapi_file = "${path.module}/packages-service.yml"

  # The document with placeholders. Terraform must know the routes before any function exists.
  openapi = yamldecode(templatefile(local.openapi_file, {
    service_lambda_invoke_arn = "not-yet"
    authorizer_invoke_arn     = "not-yet"
    authorizer_cache_seconds  = var.authorizer_cache_seconds
  }))

  authorizer_invoke_arn = local.own_authorizer ? aws_lambda_alias.live["authorizer"].invoke_arn : join("", [
    "arn:${local.partition}:apigateway:${split(":", var.shared_authorizer_arn)[3]}:lambda:path/2015-03-31/functions/",
    "${var.shared_authorizer_arn}/invocations",
  ])

  # All request headers: scripts for tracing add their own to each request of a page. For names of headers a * does not include
  # Authorization (WHATWG Fetch, "CORS protocol"; Amazon API Gateway Developer Guide, "Configure CORS for HTTP APIs").
  cors_request_headers = ["*", "authorization"]
  cors_response_headers = [
    "content-length", "content-type", "content-range", "etag", "last-modified", "accept-ranges", "cache-control",
    "content-encoding", "location", "x-request-id", "retry-after", "www-authenticate", "x-amz-storage-class", "x-amz-restore",
  ]

  # Routes without a token. The gateway itself answers preflights, before any route.
  public_routes = toset(flatten([
    for path, methods in local.openapi.paths : [
      for method, operation in methods : "${upper(method)} ${path}"
      if contains(["get", "head", "post", "put", "patch", "delete"], method) && length(try(operation.security, [])) == 0
    ]
  ]))
}

resource "aws_apigatewayv2_api" "packages" {
  name             = local.prefix
  description      = "Links to files, and restoring them (${var.environment})"
  protocol_type    = "HTTP"
  fail_on_warnings = var.fail_on_warnings

  # With a custom domain, switch AWS's address off. It would bypass the domain's protections.
  disable_execute_api_endpoint = var.api_domain != null

  body = jsonencode(merge(
    yamldecode(templatefile(local.openapi_file, {
      service_lambda_invoke_arn = aws_lambda_alias.live["service"].invoke_arn
      authorizer_invoke_arn     = local.authorizer_invoke_arn
      authorizer_cache_seconds  = var.authorizer_cache_seconds
    })),
    # Repeated here: an import resets every setting that the document leaves out to its default.
    { servers = [{ url = "/", x-amazon-apigateway-endpoint-configuration = { disableExecuteApiEndpoint = var.api_domain != null } }] },
  ))

  # CORS is configured only here: API Gateway answers preflights itself, before any route and its authorizer, and replaces a
  # function's CORS headers with its own. The headers are those of crates/api/src/cors.rs.
  cors_configuration {
    allow_origins     = var.cors_origins
    allow_methods     = ["GET", "HEAD", "POST", "OPTIONS"]
    allow_headers     = local.cors_request_headers
    expose_headers    = local.cors_response_headers
    allow_credentials = false
    max_age           = 3600
  }

  tags = var.tags
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.packages.id
  name        = "$default"
  auto_deploy = true

  # No metrics by route: they cost extra, and the program's own metrics have the route.
  default_route_settings {
    throttling_rate_limit  = var.throttling.rate
    throttling_burst_limit = var.throttling.burst
  }

  # The settings of a route replace all default settings.
  dynamic "route_settings" {
    for_each = local.public_routes

    content {
      route_key              = route_settings.value
      throttling_rate_limit  = min(var.throttling.rate, var.throttling.public_rate)
      throttling_burst_limit = min(var.throttling.burst, var.throttling.public_burst)
    }
  }

  # The log has the route, but no path and no query: the query of /proxy/s3 is a signed link that works.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.gateway.arn
    format = jsonencode({
      requestId          = "$context.requestId"
      extendedRequestId  = "$context.extendedRequestId"
      requestTime        = "$context.requestTime"
      sourceIp           = "$context.identity.sourceIp"
      userAgent          = "$context.identity.userAgent"
      protocol           = "$context.protocol"
      httpMethod         = "$context.httpMethod"
      routeKey           = "$context.routeKey"
      status             = "$context.status"
      responseLength     = "$context.responseLength"
      responseLatency    = "$context.responseLatency"
      integrationLatency = "$context.integration.latency"
      integrationStatus  = "$context.integration.integrationStatus"
      integrationError   = "$context.integrationErrorMessage"
      authorizerError    = "$context.authorizer.error"
      errorType          = "$context.error.responseType"
    })
  }

  tags = var.tags
}

# Log groups whose names begin with /aws/vendedlogs/ need no entry in the account's resource policy, which has room for some
# dozen entries only (Amazon CloudWatch Logs User Guide, "Log group resource policy size limit considerations").
resource "aws_cloudwatch_log_group" "gateway" {
  name              = "/aws/vendedlogs/${var.environment}/${var.service_name}/gateway"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}

resource "aws_apigatewayv2_api_mapping" "packages" {
  count = var.api_domain == null ? 0 : 1

  api_id          = aws_apigatewayv2_api.packages.id
  stage           = aws_apigatewayv2_stage.default.id
  domain_name     = var.api_domain.name
  api_mapping_key = var.api_domain.path
}

resource "aws_lambda_permission" "gateway_calls_service" {
  statement_id  = "GatewayCallsService"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function["service"].function_name
  qualifier     = aws_lambda_alias.live["service"].name
  principal     = "apigateway.amazonaws.com"
  # Any stage, method and path of this one API.
  source_arn = "${aws_apigatewayv2_api.packages.execution_arn}/*/*"
}

# The owner of a shared authorizer grants this permission, with the output authorizer_source_arn.
resource "aws_lambda_permission" "gateway_calls_authorizer" {
  count = local.own_authorizer ? 1 : 0

  statement_id  = "GatewayCallsAuthorizer"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function["authorizer"].function_name
  qualifier     = aws_lambda_alias.live["authorizer"].name
  principal     = "apigateway.amazonaws.com"
  # The authorizers get their ids at the import of the document.
  source_arn = "${aws_apigatewayv2_api.packages.execution_arn}/authorizers/*"
}
