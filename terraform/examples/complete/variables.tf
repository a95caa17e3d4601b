variable "region" {
  description = "AWS region."
  type        = string
  default     = "us-east-1"
}

variable "environment" {
  description = "Name of the environment, such as dev or prod."
  type        = string
}

variable "platform_domain" {
  description = "Domain of the platform, such as example.org."
  type        = string
}

variable "function_role_arns" {
  description = "Output FunctionRoleArns of infrastructure/bootstrap.yml. If not set, Terraform makes the roles, which the deploy role may not do."
  type        = object({ service = string, restore = string, authorizer = optional(string) })
  default     = null
}

variable "alarm_kms_key_arn" {
  description = "Output AlarmKeyArn of infrastructure/bootstrap.yml: the KMS key of the alarms' topic. If not set, the topic is not encrypted."
  type        = string
  default     = null
}

variable "lambda_bucket" {
  description = "Output ArtifactBucket of infrastructure/bootstrap.yml, which `make publish` uploads to."
  type        = string
}

variable "lambda_version" {
  description = "The tag that `make publish` printed."
  type        = string
}

variable "lambda_architecture" {
  description = "The architecture that `make publish` printed: x86_64 or arm64."
  type        = string
  default     = "x86_64"
}

variable "rollout" {
  description = "How callers move to a new release. By default all move at once. See the module's variable and terraform/README.md."
  type        = object({ stay_at = optional(map(string), {}), new_percent = optional(number, 0) })
  default     = {}
}

variable "vpc_id" {
  description = "The VPC of the database."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets in the VPC, two or more, each in another zone. They must reach AWS's services by NAT or by VPC endpoints."
  type        = list(string)
}

variable "database_security_group_id" {
  description = "Security group of the RDS proxy."
  type        = string
}

variable "rds_proxy_endpoint" {
  description = "Host of the RDS proxy."
  type        = string
}

variable "rds_proxy_resource_id" {
  description = "Resource id of the RDS proxy: the last part of its ARN, prx-..."
  type        = string
}

variable "user_pool" {
  description = "Cognito user pool of people, and the service's client in it."
  type        = object({ id = string, client_id = string })
}

variable "token_pool" {
  description = "Cognito user pool of API keys, and the service's client in it."
  type        = object({ id = string, client_id = string })
}

variable "storage_buckets" {
  description = "Buckets with files that the service links to and restores."
  type        = list(string)
}

variable "read_only_buckets" {
  description = "Buckets with files that the service only links to."
  type        = list(string)
  default     = []
}

variable "viewer_assets_bucket" {
  description = "Name of the bucket to make for viewer assets."
  type        = string
}

variable "access_log_bucket" {
  description = "Name of the bucket to make for access logs."
  type        = string
}

variable "force_destroy" {
  description = "Whether `terraform destroy` deletes the contents of these two buckets. If false, it stops at a bucket that is not empty."
  type        = bool
  default     = false
}

variable "delete_record_table" {
  description = "DynamoDB table of delete records; optional."
  type        = string
  default     = null
}

variable "changelog_queue" {
  description = "SQS queue of the platform's changelog; optional."
  type        = object({ url = string, arn = string, kms_key_arn = optional(string) })
  default     = null
}

variable "cors_origins" {
  description = "Origins of the pages that may call the API and read viewer assets."
  type        = list(string)
}

variable "api_domain" {
  description = "Custom domain of API Gateway, and the path for the API."
  type        = object({ name = string, path = optional(string, "packages") })
  default     = null
}

variable "cdn_domain" {
  description = "Domain of the CDN, and its certificate in us-east-1."
  type        = object({ name = string, certificate_arn = string })
  default     = null
}

variable "cdn_web_acl_arn" {
  description = "ARN of a web ACL (WAF) for the CDN, with the scope CLOUDFRONT, in us-east-1; optional."
  type        = string
  default     = null
}

variable "reserved_concurrency" {
  description = "Maximum number of instances of each function. -1 reserves nothing, as a new account requires."
  type        = object({ service = optional(number, 100), authorizer = optional(number, 50), restore = optional(number, 5) })
  default     = {}
}

variable "throttling" {
  description = "Limits of API Gateway, in requests per second and burst: for the whole API, and for each route that needs no token."
  type        = object({ rate = optional(number, 1000), burst = optional(number, 2000), public_rate = optional(number, 100), public_burst = optional(number, 200) })
  default     = {}
}

variable "alarm_emails" {
  description = "Mail addresses to notify of alarms. Each must confirm once."
  type        = list(string)
  default     = []
}

variable "cloudfront_public_key_pem" {
  description = "Public key for the first apply. Default: a placeholder. See the module's variable."
  type        = string
  default     = null
}

variable "cloudfront_private_key_base64" {
  description = "Its private key: base64 of PEM. Set it in the environment, as TF_VAR_cloudfront_private_key_base64: other users can see arguments, and a file would remain."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true
}
