mock_provider "aws" {
  source = "./tests/aws"
}

run "routes" {
  # Every operation of the document, with its method, path and security schemes.
  assert {
    condition = alltrue([
      for route in flatten([
        for path, methods in yamldecode(aws_apigatewayv2_api.packages.body).paths : [
          for method, operation in methods : { path = path, guarded = length(try(operation.security, [])) > 0, method = method }
          if contains(["get", "head", "post", "put", "patch", "delete"], method)
        ]
      ]) : route.guarded != (startswith(route.path, "/proxy/") || contains(["/health", "/ready"], route.path))
    ])
    error_message = "Every route except /proxy, /health and /ready must have an authorizer; these must have none."
  }

  assert {
    condition = alltrue([
      for methods in values(yamldecode(aws_apigatewayv2_api.packages.body).paths) : length(try(methods.options.security, [])) == 0
    ])
    error_message = "A preflight carries no token, so no OPTIONS may have an authorizer."
  }

  assert {
    condition     = length(try(yamldecode(aws_apigatewayv2_api.packages.body).security, [])) == 0
    error_message = "Security at the top level would also apply to preflights."
  }

  assert {
    condition = alltrue([
      for needed in ["POST /restore", "GET /presign/s3", "HEAD /presign/s3", "GET /cloudfront/sign", "GET /proxy/s3", "HEAD /proxy/s3"] :
      contains(flatten([
        for path, methods in yamldecode(aws_apigatewayv2_api.packages.body).paths : [for method in keys(methods) : "${upper(method)} ${path}"]
      ]), needed)
    ])
    error_message = "A documented route is missing."
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
    error_message = "The integration must be the service function, with payload format 2.0."
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
        # The cache key. The response for one dataset must not be used for another.
        strcontains(scheme["x-amazon-apigateway-authorizer"].identitySource, "$request.header.Authorization"),
      ])
    ])
    error_message = "The authorizers' responses must be cached by token, for 60 seconds."
  }

  assert {
    condition     = strcontains(yamldecode(aws_apigatewayv2_api.packages.body).components.securitySchemes.token_dataset_auth["x-amazon-apigateway-authorizer"].identitySource, "$request.querystring.dataset_id")
    error_message = "The responses for one dataset must be cached by the dataset, too."
  }

  assert {
    # Without a dataset the authorizer gives no role, so only a route that looks up roles itself may use it.
    condition = [
      for path, methods in yamldecode(aws_apigatewayv2_api.packages.body).paths : path
      if anytrue([for operation in values(methods) : contains(flatten([for scheme in operation.security : keys(scheme)]), "token_auth")])
    ] == ["/datasets", "/download-manifest"]
    error_message = "Only /datasets and /download-manifest may go without a dataset."
  }

  assert {
    condition     = one(aws_lambda_permission.gateway_calls_authorizer).source_arn == "arn:aws:execute-api:us-east-1:111122223333:a1b2c3d4e5/authorizers/*"
    error_message = "Only this API's authorizers may call the function."
  }
}

run "cors" {
  assert {
    condition = alltrue([
      one(aws_apigatewayv2_api.packages.cors_configuration).allow_origins == toset(["https://app.example.org"]),
      one(aws_apigatewayv2_api.packages.cors_configuration).allow_methods == toset(["GET", "HEAD", "POST", "OPTIONS"]),
      one(aws_apigatewayv2_api.packages.cors_configuration).allow_credentials == false,
    ])
    error_message = "CORS must allow the given origins, HEAD too, and no cookies."
  }

  assert {
    condition     = one(aws_apigatewayv2_api.packages.cors_configuration).allow_headers == toset(["*", "authorization"])
    error_message = "CORS must allow pages to send any header, and a token, which * does not include."
  }

  assert {
    condition     = length(setsubtract(["content-range", "content-length", "etag", "accept-ranges", "location", "x-amz-storage-class", "x-amz-restore"], one(aws_apigatewayv2_api.packages.cors_configuration).expose_headers)) == 0
    error_message = "CORS must expose the headers that range readers need, and those of archived objects."
  }

  # The provider removes CORS settings that came from an import, so they must not be in the document too.
  assert {
    condition     = !can(yamldecode(aws_apigatewayv2_api.packages.body)["x-amazon-apigateway-cors"])
    error_message = "The document must not configure CORS."
  }
}

run "throttling" {
  variables {
    throttling = { rate = 500, burst = 900, public_rate = 7 }
  }

  assert {
    condition     = aws_apigatewayv2_stage.default.default_route_settings[0].throttling_rate_limit == 500
    error_message = "The API must have a rate limit."
  }

  assert {
    condition = alltrue([
      for route in ["GET /proxy/s3", "HEAD /proxy/s3"] :
      contains([for settings in aws_apigatewayv2_stage.default.route_settings : settings.route_key if settings.throttling_rate_limit == 7], route)
    ])
    error_message = "Public routes must have a lower limit."
  }
}

run "access_log" {
  assert {
    condition     = !can(regex("path|query|headers", lower(aws_apigatewayv2_stage.default.access_log_settings[0].format)))
    error_message = "The access log must contain no paths and no queries: the query of /proxy/s3 is a signed link."
  }

  assert {
    condition     = strcontains(aws_apigatewayv2_stage.default.access_log_settings[0].format, "$context.routeKey")
    error_message = "The access log must contain the route."
  }
}

run "own_domain" {
  variables {
    api_domain = { name = "api.example.org" }
  }

  assert {
    condition     = one(aws_apigatewayv2_api_mapping.packages).api_mapping_key == "packages" && aws_apigatewayv2_api.packages.disable_execute_api_endpoint && output.api_url == "https://api.example.org/packages"
    error_message = "The API must be at /packages of its domain, and at no other address."
  }

  # An import resets settings that the document leaves out. The default of this one is switched on.
  assert {
    condition     = [for server in yamldecode(aws_apigatewayv2_api.packages.body).servers : server["x-amazon-apigateway-endpoint-configuration"].disableExecuteApiEndpoint] == [true]
    error_message = "The import would switch AWS's own address on again."
  }
}

run "without_a_domain_the_aws_address_stays" {
  assert {
    condition     = [for server in yamldecode(aws_apigatewayv2_api.packages.body).servers : server["x-amazon-apigateway-endpoint-configuration"].disableExecuteApiEndpoint] == [false] && aws_apigatewayv2_api.packages.fail_on_warnings
    error_message = "Without a domain, AWS's address must stay on. By default a warning must stop the import."
  }
}

run "warnings_can_be_ignored" {
  variables {
    fail_on_warnings = false
  }

  assert {
    condition     = aws_apigatewayv2_api.packages.fail_on_warnings == false
    error_message = "fail_on_warnings = false must reach the API."
  }
}
