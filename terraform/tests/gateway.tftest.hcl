mock_provider "aws" {
  source = "./tests/aws"
}

run "routes" {
  # Every operation of the document: its method and path, and the schemes that guard it.
  assert {
    condition = alltrue([
      for route in flatten([
        for path, methods in yamldecode(aws_apigatewayv2_api.packages.body).paths : [
          for method, operation in methods : { path = path, guarded = length(try(operation.security, [])) > 0, method = method }
          if contains(["get", "head", "post", "put", "patch", "delete"], method)
        ]
      ]) : route.guarded != (startswith(route.path, "/proxy/") || contains(["/health", "/ready"], route.path))
    ])
    error_message = "Every route but /proxy, /health and /ready has an authorizer, and those have none."
  }

  assert {
    condition = alltrue([
      for methods in values(yamldecode(aws_apigatewayv2_api.packages.body).paths) : length(try(methods.options.security, [])) == 0
    ])
    error_message = "A preflight carries no token, so no OPTIONS may have an authorizer."
  }

  assert {
    condition     = length(try(yamldecode(aws_apigatewayv2_api.packages.body).security, [])) == 0
    error_message = "Security that holds for all operations would hold for preflights, too."
  }

  assert {
    condition = alltrue([
      for needed in ["POST /restore", "GET /presign/s3", "HEAD /presign/s3", "GET /cloudfront/sign", "GET /proxy/s3", "HEAD /proxy/s3"] :
      contains(flatten([
        for path, methods in yamldecode(aws_apigatewayv2_api.packages.body).paths : [for method in keys(methods) : "${upper(method)} ${path}"]
      ]), needed)
    ])
    error_message = "A promised route is missing."
  }

  assert {
    condition = alltrue(flatten([
      for methods in values(yamldecode(aws_apigatewayv2_api.packages.body).paths) : [
        for method, operation in methods :
        operation["x-amazon-apigateway-integration"] == { "$ref" = "#/components/x-amazon-apigateway-integrations/service" }
      ]
    ]))
    error_message = "A route does not lead to the service."
  }

  assert {
    condition = alltrue([
      for integration in [yamldecode(aws_apigatewayv2_api.packages.body).components["x-amazon-apigateway-integrations"].service] : alltrue([
        integration.type == "aws_proxy",
        integration.httpMethod == "POST",
        integration.payloadFormatVersion == "2.0",
        integration.uri == aws_lambda_alias.live["service"].invoke_arn,
      ])
    ])
    error_message = "The integration is not the service function, called by payload 2.0."
  }
}

run "authorizer" {
  assert {
    condition = alltrue([
      for scheme in values(yamldecode(aws_apigatewayv2_api.packages.body).components.securitySchemes) : alltrue([
        scheme["x-amazon-apigateway-authorizer"].type == "request",
        scheme["x-amazon-apigateway-authorizer"].enableSimpleResponses,
        scheme["x-amazon-apigateway-authorizer"].authorizerPayloadFormatVersion == "2.0",
        tonumber(scheme["x-amazon-apigateway-authorizer"].authorizerResultTtlInSeconds) == 60,
        scheme["x-amazon-apigateway-authorizer"].authorizerUri == aws_lambda_alias.live["authorizer"].invoke_arn,
        # What the cache is keyed by: an answer for one dataset must not serve another.
        strcontains(scheme["x-amazon-apigateway-authorizer"].identitySource, "$request.header.Authorization"),
        strcontains(scheme["x-amazon-apigateway-authorizer"].identitySource, "$request.querystring.dataset_id"),
      ])
    ])
    error_message = "The authorizer is asked by token and dataset, and its answers are kept for 60 seconds."
  }

  assert {
    condition     = one(aws_lambda_permission.gateway_calls_authorizer).source_arn == "arn:aws:execute-api:us-east-1:111122223333:a1b2c3d4e5/authorizers/*"
    error_message = "Only this API's authorizers call the function."
  }
}

run "cors" {
  assert {
    condition = alltrue([
      one(aws_apigatewayv2_api.packages.cors_configuration).allow_origins == toset(["https://app.example.org"]),
      one(aws_apigatewayv2_api.packages.cors_configuration).allow_methods == toset(["GET", "HEAD", "POST", "OPTIONS"]),
      one(aws_apigatewayv2_api.packages.cors_configuration).allow_credentials == false,
    ])
    error_message = "The given origins, HEAD too, and no cookies."
  }

  assert {
    condition     = length(setsubtract(["authorization", "range", "content-type"], one(aws_apigatewayv2_api.packages.cors_configuration).allow_headers)) == 0
    error_message = "Pages send a token, a range and JSON."
  }

  assert {
    condition     = length(setsubtract(["content-range", "content-length", "etag", "accept-ranges", "location"], one(aws_apigatewayv2_api.packages.cors_configuration).expose_headers)) == 0
    error_message = "Pages see what readers of ranges need."
  }

  # The provider takes away what an import says of CORS, so two places would be one too many.
  assert {
    condition     = !can(yamldecode(aws_apigatewayv2_api.packages.body)["x-amazon-apigateway-cors"])
    error_message = "The document says something of CORS, too."
  }
}

run "throttling" {
  variables {
    throttling = { rate = 500, burst = 900, public_rate = 7 }
  }

  assert {
    condition     = aws_apigatewayv2_stage.default.default_route_settings[0].throttling_rate_limit == 500
    error_message = "The API has a limit."
  }

  assert {
    condition = alltrue([
      for route in ["GET /proxy/s3", "HEAD /proxy/s3"] :
      contains([for settings in aws_apigatewayv2_stage.default.route_settings : settings.route_key if settings.throttling_rate_limit == 7], route)
    ])
    error_message = "What anybody may call has a lower limit."
  }
}

run "access_log" {
  assert {
    condition     = !can(regex("path|query|headers", lower(aws_apigatewayv2_stage.default.access_log_settings[0].format)))
    error_message = "The log holds neither paths nor queries: /proxy/s3's is a signed link."
  }

  assert {
    condition     = strcontains(aws_apigatewayv2_stage.default.access_log_settings[0].format, "$context.routeKey")
    error_message = "The log names the route."
  }
}

run "own_domain" {
  variables {
    api_domain = { name = "api.example.org" }
  }

  assert {
    condition     = one(aws_apigatewayv2_api_mapping.packages).api_mapping_key == "packages" && aws_apigatewayv2_api.packages.disable_execute_api_endpoint && output.api_url == "https://api.example.org/packages"
    error_message = "The API is beneath /packages of its domain, and nowhere else."
  }

  # What an import does not say is as it is by default afterwards: switched on.
  assert {
    condition     = [for server in yamldecode(aws_apigatewayv2_api.packages.body).servers : server["x-amazon-apigateway-endpoint-configuration"].disableExecuteApiEndpoint] == [true]
    error_message = "The import switches AWS's own address on again."
  }
}

run "without_a_domain_awss_address_stays" {
  assert {
    condition     = [for server in yamldecode(aws_apigatewayv2_api.packages.body).servers : server["x-amazon-apigateway-endpoint-configuration"].disableExecuteApiEndpoint] == [false] && aws_apigatewayv2_api.packages.fail_on_warnings
    error_message = "It is the only address there is; and a warning stops the import unless told otherwise."
  }
}

run "warnings_can_be_passed_over" {
  variables {
    fail_on_warnings = false
  }

  assert {
    condition     = aws_apigatewayv2_api.packages.fail_on_warnings == false
    error_message = "An apply must be possible on the day that API Gateway has a new warning."
  }
}
