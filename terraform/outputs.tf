output "api_url" {
  description = "Base URL of the API: the custom domain's, else AWS's. Append /presign/s3 and the other paths."
  value       = var.api_domain == null ? aws_apigatewayv2_api.packages.api_endpoint : "https://${var.api_domain.name}/${var.api_domain.path}"
}

output "api_id" {
  description = "Id of the HTTP API."
  value       = aws_apigatewayv2_api.packages.id
}

output "function_names" {
  description = "Names of the functions: service, restore, authorizer."
  value       = local.function_names
}

output "function_arns" {
  description = "ARNs of the functions."
  value       = { for function in local.functions : function => aws_lambda_function.function[function].arn }
}

output "role_arns" {
  description = "ARNs of the functions' roles, for the policies of buckets, queues and keys in other accounts."
  value       = local.role_arns
}

output "role_names" {
  description = "Names of the functions' roles, to attach your own policies."
  value       = local.role_names
}

output "function_versions" {
  description = "The newest published version of each function, for rollout.stay_at."
  value       = { for function in local.functions : function => aws_lambda_function.function[function].version }
}

output "live_versions" {
  description = "The version of each function that callers get."
  value       = { for function in local.functions : function => aws_lambda_alias.live[function].function_version }
}

output "authorizer_source_arn" {
  description = "Source ARN for the permission that the owner of a shared authorizer grants to apigateway.amazonaws.com."
  value       = "${aws_apigatewayv2_api.packages.execution_arn}/authorizers/*"
}

output "cdn_log_source_arn" {
  description = "ARN of the source of CloudFront's access logs, for the policy of the log bucket. Known before the source is made."
  value       = "arn:${local.partition}:logs:us-east-1:${local.account}:delivery-source:${local.cdn_log_source}"
}

output "restore_queue_url" {
  description = "URL of the queue of restore orders."
  value       = aws_sqs_queue.restore.url
}

output "dead_letter_queue_url" {
  description = "URL of the queue of orders that failed three times."
  value       = aws_sqs_queue.dead_letters.url
}

output "viewer_assets_bucket" {
  description = "Name of the viewer-assets bucket."
  value       = aws_s3_bucket.viewer_assets.bucket
}

output "viewer_assets_bucket_arn" {
  description = "ARN of the viewer-assets bucket."
  value       = aws_s3_bucket.viewer_assets.arn
}

output "cloudfront_distribution_id" {
  description = "Id of the distribution."
  value       = aws_cloudfront_distribution.viewer_assets.id
}

output "cloudfront_distribution_arn" {
  description = "ARN of the distribution."
  value       = aws_cloudfront_distribution.viewer_assets.arn
}

output "cloudfront_distribution_domain" {
  description = "Domain of signed links: your own, else AWS's. Your own domain needs a DNS record that points to AWS's."
  value       = local.cdn_domain
}

output "cloudfront_distribution_aws_domain" {
  description = "Domain that AWS assigned to the distribution."
  value       = aws_cloudfront_distribution.viewer_assets.domain_name
}

output "cloudfront_key_group_id" {
  description = "Id of the key group: the keys whose signatures CloudFront accepts."
  value       = aws_cloudfront_key_group.viewer_assets.id
}

output "cloudfront_private_key_parameter" {
  description = "Name of the SSM parameter with the private key."
  value       = aws_ssm_parameter.private_key.name
}

output "cloudfront_key_id_parameter" {
  description = "Name of the SSM parameter with CloudFront's id of the key in use."
  value       = aws_ssm_parameter.key_id.name
}

output "cloudfront_public_key_parameter" {
  description = "Name of the SSM parameter with the public key."
  value       = aws_ssm_parameter.public_key.name
}

output "key_replacement" {
  description = "Options of replace-cloudfront-keys.sh for this installation."
  value = join(" ", [
    "--key-group ${aws_cloudfront_key_group.viewer_assets.id}",
    "--distribution ${aws_cloudfront_distribution.viewer_assets.id}",
    "--private-key-parameter ${aws_ssm_parameter.private_key.name}",
    "--public-key-parameter ${aws_ssm_parameter.public_key.name}",
    "--key-id-parameter ${aws_ssm_parameter.key_id.name}",
    "--kms-key ${coalesce(var.parameter_kms_key_arn, "alias/aws/ssm")}",
    "--region ${local.region}",
  ])
}

output "dashboard_url" {
  description = "URL of the dashboard."
  value       = "https://${local.region}.${local.console}/cloudwatch/home?region=${local.region}#dashboards/dashboard/${aws_cloudwatch_dashboard.packages.dashboard_name}"
}

locals {
  console = lookup({ aws-cn = "console.amazonaws.cn", aws-us-gov = "console.amazonaws-us-gov.com" }, local.partition, "console.aws.amazon.com")
}
