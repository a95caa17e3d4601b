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
  description = "Output FunctionRoleArns of infrastructure/bootstrap.yml. If not set, roles are made, which the deploy role may not."
  type        = object({ service = string, restore = string, authorizer = optional(string) })
  default     = null
}

variable "alarm_kms_key_arn" {
  description = "Output AlarmKeyArn of infrastructure/bootstrap.yml: what the topic of alarms is encrypted with. If not set, it is not."
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
  description = "How callers get to a new release; at once, if not set. The module and terraform/README.md say more."
  type        = object({ stay_at = optional(map(string), {}), new_percent = optional(number, 0) })
  default     = {}
}

variable "vpc_id" {
  description = "The VPC of the database."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets in it, two or more, each in another zone, that reach AWS's services by NAT or by VPC endpoints."
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
  description = "The last part of the RDS proxy's ARN, prx-..."
  type        = string
}

variable "user_pool" {
  description = "Cognito user pool of people, and our client in it."
  type        = object({ id = string, client_id = string })
}

variable "token_pool" {
  description = "Cognito user pool of API keys, and our client in it."
  type        = object({ id = string, client_id = string })
}

variable "storage_buckets" {
  description = "Buckets whose files are linked to and restored."
  type        = list(string)
}

variable "read_only_buckets" {
  description = "Buckets whose files are only linked to."
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
  description = "Whether `terraform destroy` deletes what is in these two buckets. Off, it stops at one that is not empty."
  type        = bool
  default     = false
}

variable "delete_record_table" {
  description = "DynamoDB table of what was deleted, if there is one."
  type        = string
  default     = null
}

variable "changelog_queue" {
  description = "SQS queue of the platform's changelog, if there is one."
  type        = object({ url = string, arn = string, kms_key_arn = optional(string) })
  default     = null
}

variable "cors_origins" {
  description = "Origins whose pages may call the API and read viewer assets."
  type        = list(string)
}

variable "api_domain" {
  description = "Custom domain of API Gateway, and the path beneath it."
  type        = object({ name = string, path = optional(string, "packages") })
  default     = null
}

variable "cdn_domain" {
  description = "Domain of the CDN, and its certificate in us-east-1."
  type        = object({ name = string, certificate_arn = string })
  default     = null
}

variable "cdn_web_acl_arn" {
  description = "A web ACL (WAF) for the CDN, of the scope CLOUDFRONT, in us-east-1, if there is one."
  type        = string
  default     = null
}

variable "reserved_concurrency" {
  description = "Instances of each function at most; -1 reserves nothing, as a new account must."
  type        = object({ service = optional(number, 100), authorizer = optional(number, 50), restore = optional(number, 5) })
  default     = {}
}

variable "throttling" {
  description = "Requests per second, and burst: of the API as a whole, and of each route that needs no token."
  type        = object({ rate = optional(number, 1000), burst = optional(number, 2000), public_rate = optional(number, 100), public_burst = optional(number, 200) })
  default     = {}
}

variable "alarm_emails" {
  description = "Addresses that are told of alarms. Each must confirm once."
  type        = list(string)
  default     = []
}

variable "cloudfront_public_key_pem" {
  description = "Public key of the first apply; one whose private half nobody has, if not set. The module says more."
  type        = string
  default     = null
}

variable "cloudfront_private_key_base64" {
  description = "Its private key: base64 of PEM. By the environment, TF_VAR_cloudfront_private_key_base64: an argument is seen by others, a file is left behind."
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true
}
