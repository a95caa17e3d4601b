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

variable "permissions_boundary_arn" {
  description = "Output FunctionBoundaryArn of infrastructure/bootstrap.yml; its deploy role can make no role without it."
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

variable "vpc_id" {
  description = "The VPC of the database."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets in it that reach AWS's services, by NAT or by VPC endpoints."
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
  description = "Public key of the first apply; one that everybody knows, if not set. The module says more."
  type        = string
  default     = null
}

variable "cloudfront_private_key_base64" {
  description = "Its private key: base64 of PEM."
  type        = string
  default     = null
  sensitive   = true
}
