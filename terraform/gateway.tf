# The gateway: an HTTP API whose routes and authorizer are those of packages-service.yml, which the program writes from
# its own types.

locals {
  openapi_file = "${path.module}/packages-service.yml"

  # The document as it is, with nothing filled in: what its routes are must be known before there is any function.
  openapi = yamldecode(templatefile(local.openapi_file, {
    service_lambda_invoke_arn = "not-yet"
    authorizer_invoke_arn     = "not-yet"
    authorizer_cache_seconds  = var.authorizer_cache_seconds
  }))

  authorizer_invoke_arn = local.own_authorizer ? aws_lambda_alias.live["authorizer"].invoke_arn : join("", [
    "arn:${local.partition}:apigateway:${split(":", var.shared_authorizer_arn)[3]}:lambda:path/2015-03-31/functions/",
    "${var.shared_authorizer_arn}/invocations",
  ])

  cors_request_headers = [
    "authorization", "content-type", "content-length", "range", "origin", "accept", "cache-control", "pragma", "if-match",
    "if-modified-since", "if-none-match", "if-range", "traceparent", "x-request-id",
  ]
  cors_response_headers = [
    "content-length", "content-type", "content-range", "etag", "last-modified", "accept-ranges", "cache-control",
    "content-encoding", "location", "x-request-id", "retry-after", "www-authenticate",
  ]

  # Routes that anybody may call. A preflight is answered by the gateway itself, before any route.
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

  # With a domain of its own the API has one address, and not a second one past the domain's protections.
  disable_execute_api_endpoint = var.api_domain != null

  body = jsonencode(merge(
    yamldecode(templatefile(local.openapi_file, {
      service_lambda_invoke_arn = aws_lambda_alias.live["service"].invoke_arn
      authorizer_invoke_arn     = local.authorizer_invoke_arn
      authorizer_cache_seconds  = var.authorizer_cache_seconds
    })),
    # Here, too: an import sets what the document does not say back to what it is by default.
    { servers = [{ url = "/", x-amazon-apigateway-endpoint-configuration = { disableExecuteApiEndpoint = var.api_domain != null } }] },
  ))

  # CORS is said here and nowhere else: API Gateway answers preflights by itself, before any route and its authorizer,
  # and puts its own headers in place of a function's. In names of headers a * does not cover Authorization (WHATWG
  # Fetch, "CORS protocol"), so they are listed, as in crates/api/src/cors.rs.
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

  # No metrics by route, which cost extra: the program's own have them.
  default_route_settings {
    throttling_rate_limit  = var.throttling.rate
    throttling_burst_limit = var.throttling.burst
  }

  # Settings of a route replace the default ones as a whole.
  dynamic "route_settings" {
    for_each = local.public_routes

    content {
      route_key              = route_settings.value
      throttling_rate_limit  = min(var.throttling.rate, var.throttling.public_rate)
      throttling_burst_limit = min(var.throttling.burst, var.throttling.public_burst)
    }
  }

  # The route and not the path, and no query: /proxy/s3's holds a signed link, which opens what it names.
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

# Beneath /aws/vendedlogs/ logs may be delivered without a line for each group in the account's one resource policy, which
# is full after some dozen (Amazon CloudWatch Logs User Guide, "Log group resource policy size limit considerations").
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

# A shared one's owner gives this permission: output authorizer_source_arn is what it must name.
resource "aws_lambda_permission" "gateway_calls_authorizer" {
  count = local.own_authorizer ? 1 : 0

  statement_id  = "GatewayCallsAuthorizer"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function["authorizer"].function_name
  qualifier     = aws_lambda_alias.live["authorizer"].name
  principal     = "apigateway.amazonaws.com"
  # The authorizers get their ids when the document is imported.
  source_arn = "${aws_apigatewayv2_api.packages.execution_arn}/authorizers/*"
}
