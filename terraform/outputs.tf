output "api_url" {
  description = "Where the API answers: the custom domain's URL, else AWS's. Beneath it are /presign/s3 and the others."
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
  value       = { for function in local.functions : function => aws_iam_role.function[function].arn }
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
  description = "Domain of signed links: your own, else AWS's. Your own needs a DNS record that points to AWS's."
  value       = local.cdn_domain
}

output "cloudfront_distribution_aws_domain" {
  description = "Domain that AWS gave the distribution."
  value       = aws_cloudfront_distribution.viewer_assets.domain_name
}

output "cloudfront_key_group_id" {
  description = "Id of the key group, which says whose signatures count."
  value       = aws_cloudfront_key_group.viewer_assets.id
}

output "cloudfront_private_key_parameter" {
  description = "Name of the SSM parameter with the private key."
  value       = aws_ssm_parameter.private_key.name
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
    "--region ${local.region}",
  ])
}

output "dashboard_url" {
  description = "The dashboard."
  value       = "https://${local.region}.console.aws.amazon.com/cloudwatch/home?region=${local.region}#dashboards/dashboard/${aws_cloudwatch_dashboard.packages.dashboard_name}"
}
