output "api_url" {
  description = "Base URL of the API."
  value       = module.packages_service.api_url
}

output "cloudfront_distribution_domain" {
  description = "Domain of signed links."
  value       = module.packages_service.cloudfront_distribution_domain
}

output "cloudfront_key_group_id" {
  description = "Id of the key group."
  value       = module.packages_service.cloudfront_key_group_id
}

output "key_replacement" {
  description = "Options of replace-cloudfront-keys.sh."
  value       = module.packages_service.key_replacement
}

output "restore_queue_url" {
  description = "URL of the queue of restore orders."
  value       = module.packages_service.restore_queue_url
}

output "dead_letter_queue_url" {
  description = "URL of the queue of orders that failed three times."
  value       = module.packages_service.dead_letter_queue_url
}

output "function_versions" {
  description = "The newest published version of each function."
  value       = module.packages_service.function_versions
}

output "live_versions" {
  description = "The version of each function that callers get."
  value       = module.packages_service.live_versions
}

output "role_arns" {
  description = "ARNs of the functions' roles."
  value       = module.packages_service.role_arns
}

output "function_security_group_id" {
  description = "Security group that the database's security group must allow on port 5432."
  value       = aws_security_group.functions.id
}

output "dashboard_url" {
  description = "URL of the dashboard."
  value       = module.packages_service.dashboard_url
}
