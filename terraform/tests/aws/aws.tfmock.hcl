# AWS's values that a test reads. Terraform invents all others.

mock_data "aws_caller_identity" {
  defaults = { account_id = "111122223333" }
}

mock_data "aws_partition" {
  defaults = { partition = "aws" }
}

mock_data "aws_region" {
  defaults = { region = "us-east-1" }
}

mock_data "aws_cloudfront_origin_request_policy" {
  defaults = { id = "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf" }
}

mock_resource "aws_apigatewayv2_api" {
  defaults = {
    id            = "a1b2c3d4e5"
    api_endpoint  = "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com"
    execution_arn = "arn:aws:execute-api:us-east-1:111122223333:a1b2c3d4e5"
  }
}

mock_resource "aws_lambda_function" {
  defaults = {
    arn        = "arn:aws:lambda:us-east-1:111122223333:function:mock"
    invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/mock/invocations"
    version    = "7"
  }
}

mock_resource "aws_lambda_alias" {
  defaults = {
    arn        = "arn:aws:lambda:us-east-1:111122223333:function:mock:live"
    invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/mock:live/invocations"
  }
}

mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::111122223333:role/mock" }
}

mock_resource "aws_sns_topic" {
  defaults = { arn = "arn:aws:sns:us-east-1:111122223333:mock" }
}

mock_resource "aws_cloudwatch_log_group" {
  defaults = { arn = "arn:aws:logs:us-east-1:111122223333:log-group:mock" }
}

mock_resource "aws_cloudfront_public_key" {
  defaults = { id = "K1FIRST" }
}

mock_resource "aws_cloudfront_key_group" {
  defaults = { id = "key-group" }
}

mock_resource "aws_cloudfront_distribution" {
  defaults = {
    id          = "E1MOCK"
    arn         = "arn:aws:cloudfront::111122223333:distribution/E1MOCK"
    domain_name = "d111111abcdef8.cloudfront.net"
  }
}

mock_resource "aws_s3_bucket" {
  defaults = {
    arn                         = "arn:aws:s3:::example-dev-package-assets-use1"
    bucket_regional_domain_name = "example-dev-package-assets-use1.s3.us-east-1.amazonaws.com"
  }
}

override_resource {
  target = aws_sqs_queue.restore
  values = {
    arn = "arn:aws:sqs:us-east-1:111122223333:dev-packages-service-restore"
    url = "https://sqs.us-east-1.amazonaws.com/111122223333/dev-packages-service-restore"
  }
}

override_resource {
  target = aws_sqs_queue.dead_letters
  values = {
    arn = "arn:aws:sqs:us-east-1:111122223333:dev-packages-service-restore-dead-letters"
    url = "https://sqs.us-east-1.amazonaws.com/111122223333/dev-packages-service-restore-dead-letters"
  }
}

override_resource {
  target = aws_sqs_queue.failed_invocations
  values = {
    arn = "arn:aws:sqs:us-east-1:111122223333:dev-packages-service-failed-invocations"
    url = "https://sqs.us-east-1.amazonaws.com/111122223333/dev-packages-service-failed-invocations"
  }
}
