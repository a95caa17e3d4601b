# ---------------------------------------------------------------------------------------------------- names

variable "environment" {
  description = "Name of the environment, such as dev or prod. All names begin with it."
  type        = string

  validation {
    # SSM reserves parameter names that begin with aws or ssm.
    condition     = can(regex("^[a-z][a-z0-9-]{0,14}$", var.environment)) && !can(regex("^(aws|ssm)", var.environment))
    error_message = "environment must have 1 to 15 lower-case letters, digits and hyphens, begin with a letter, and not begin with aws or ssm."
  }
}

variable "service_name" {
  description = "Name of the service. It follows the environment in all names."
  type        = string
  default     = "packages-service"

  validation {
    # The longest name with it is a role's, "{environment}-{service}-authorizer-ap-southeast-2". IAM allows 64 characters.
    condition     = can(regex("^[a-z][a-z0-9-]{0,21}$", var.service_name))
    error_message = "service_name must have 1 to 22 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "platform_domain" {
  description = "Domain of the platform, such as example.org (PENNSIEVE_DOMAIN)."
  type        = string
}

variable "tags" {
  description = "Tags for all resources that can have tags."
  type        = map(string)
  default     = {}
}

# -------------------------------------------------------------------------------------------------- release

variable "lambda_bucket" {
  description = "Bucket in this region with the functions' zip files from `make publish`."
  type        = string
}

variable "lambda_version" {
  description = "The release to run: the tag that `make publish` printed."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._-]*$", var.lambda_version))
    error_message = "lambda_version must have only letters, digits, '.', '_' and '-', and begin with a letter or a digit."
  }
}

variable "rollout" {
  description = "How callers move to a new release. By default all move at once. stay_at has, for each function, the published version that callers keep. new_percent percent of their calls still go to the newest version. The output function_versions has the numbers."
  type        = object({ stay_at = optional(map(string), {}), new_percent = optional(number, 0) })
  default     = {}

  validation {
    condition     = alltrue([for name, version in var.rollout.stay_at : contains(["service", "restore", "authorizer"], name) && can(regex("^[0-9]+$", version))])
    error_message = "stay_at must have the keys service, restore or authorizer, and version numbers as values."
  }

  validation {
    condition     = var.rollout.new_percent >= 0 && var.rollout.new_percent < 100
    error_message = "new_percent must be at least 0 and less than 100. To send all calls to the new version, leave stay_at out."
  }
}

variable "lambda_architecture" {
  description = "Architecture of the release: x86_64 or arm64."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.lambda_architecture)
    error_message = "lambda_architecture must be x86_64 or arm64."
  }
}

# ------------------------------------------------------------------------------------- network and database

variable "subnet_ids" {
  description = "Private subnets for the functions, at least two, each in another availability zone. From there the functions must reach the database, S3, SQS, SSM, DynamoDB and Cognito's public keys, by NAT or by VPC endpoints where AWS has them."
  type        = list(string)

  validation {
    condition     = length(distinct(var.subnet_ids)) >= 2
    error_message = "subnet_ids must name at least two subnets, in two availability zones: the functions must be in the database's VPC."
  }
}

variable "security_group_ids" {
  description = "Security groups of the functions. The database's security group must allow them."
  type        = list(string)

  validation {
    condition     = length(var.security_group_ids) > 0
    error_message = "security_group_ids must name at least one security group."
  }
}

variable "rds_proxy_endpoint" {
  description = "Host or host:port of the RDS proxy."
  type        = string
}

variable "rds_proxy_resource_id" {
  description = "Resource id of the RDS proxy: the last part of its ARN, prx-..."
  type        = string

  validation {
    condition     = can(regex("^(prx|db|cluster)-[A-Za-z0-9]+$", var.rds_proxy_resource_id))
    error_message = "rds_proxy_resource_id must be the last part of the proxy's ARN, such as prx-0123456789abcdef0, not its name."
  }
}

variable "database_user" {
  description = "Database role that connects with IAM tokens. Default: {environment}_rds_proxy_user."
  type        = string
  default     = null
}

variable "database_name" {
  description = "Name of the database."
  type        = string
  default     = "pennsieve_postgres"
}

# ------------------------------------------------------------------------------------------- identity

variable "user_pool" {
  description = "Cognito user pool of people, and the service's client in it. Not needed with a shared authorizer."
  type        = object({ id = string, client_id = string })
  default     = null

  validation {
    condition     = var.user_pool != null || var.shared_authorizer_arn != null
    error_message = "user_pool must be set, unless shared_authorizer_arn is."
  }
}

variable "token_pool" {
  description = "Cognito user pool of API keys, and the service's client in it. Not needed with a shared authorizer."
  type        = object({ id = string, client_id = string })
  default     = null

  validation {
    condition     = var.token_pool != null || var.shared_authorizer_arn != null
    error_message = "token_pool must be set, unless shared_authorizer_arn is."
  }
}

variable "shared_authorizer_arn" {
  description = "ARN of a Lambda function that authorizes instead of the module's authorizer, which is then not made. It must respond like the platform's own authorizer. Its owner must allow the gateway to call it (terraform/README.md)."
  type        = string
  default     = null

  validation {
    condition     = var.shared_authorizer_arn == null || can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_$-]+)?$", var.shared_authorizer_arn))
    error_message = "shared_authorizer_arn must be the ARN of a Lambda function, with or without a version or an alias at its end."
  }
}

variable "authorizer_cache_seconds" {
  description = "How long API Gateway caches the authorizer's response for a token and a dataset. A role that was taken away works that long. 0 calls the authorizer at every request. It applies to a shared authorizer too."
  type        = number
  default     = 60

  validation {
    condition     = var.authorizer_cache_seconds >= 0 && var.authorizer_cache_seconds <= 3600
    error_message = "authorizer_cache_seconds must be 0 to 3600."
  }
}

# ---------------------------------------------------------------------------------------------------- files

variable "storage_buckets" {
  description = "Names of the buckets with files that the service links to and restores. The policies of other accounts' buckets must allow the functions' roles."
  type        = list(string)

  validation {
    condition     = length(var.storage_buckets) > 0 && !anytrue([for name in var.storage_buckets : strcontains(name, "*")])
    error_message = "storage_buckets must name each bucket, and at least one. A pattern would give the functions access to buckets that do not exist yet."
  }
}

variable "read_only_buckets" {
  description = "Names of more buckets with files that the service only links to, such as published data."
  type        = list(string)
  default     = []

  validation {
    condition     = !anytrue([for name in var.read_only_buckets : strcontains(name, "*")])
    error_message = "read_only_buckets must name each bucket. A pattern would give the functions access to buckets that do not exist yet."
  }
}

variable "buckets" {
  description = "What is known about buckets, in order: docs/configuration.md (BUCKETS). A bucket is a name or a pattern with one `*`. The viewer-assets bucket is known already; of all others S3 is asked for the region. The service may assume the roles that are named here, which read objects of other accounts."
  type = list(object({
    bucket         = string
    region         = optional(string)
    endpoint       = optional(string)
    path_style     = optional(bool)
    role_arn       = optional(string)
    requester_pays = optional(bool)
    proxy          = optional(bool)
  }))
  default = []

  validation {
    condition     = alltrue([for entry in var.buckets : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", entry.role_arn)) if entry.role_arn != null])
    error_message = "role_arn of buckets must be the ARN of a role. A pattern would let the service assume roles that nobody named."
  }

  validation {
    condition     = !contains([for entry in var.buckets : entry.bucket], var.viewer_assets_bucket)
    error_message = "buckets must not name viewer_assets_bucket: it is in this region and needs no role."
  }

  # Lambda's limit for all variables together is 4 KB.
  validation {
    condition     = length(jsonencode(var.buckets)) < 3000
    error_message = "buckets is too long for the function's environment: use patterns."
  }
}

variable "bucket_kms_key_arns" {
  description = "Customer managed KMS keys of these buckets, if they have any."
  type        = list(string)
  default     = []
}

variable "proxy_allowed_buckets" {
  description = "Buckets that /proxy/s3 redirects to, without a token. Default: the viewer-assets bucket and storage_buckets."
  type        = list(string)
  default     = null

  validation {
    condition     = try(length(var.proxy_allowed_buckets) > 0, true)
    error_message = "proxy_allowed_buckets must name at least one bucket. Leave it out to allow the viewer-assets bucket and storage_buckets."
  }
}

variable "link_window_seconds" {
  description = "Seconds for which presigned links to the same file stay the same text, so that caches recognize them. 0: each link is new."
  type        = number
  default     = 300

  validation {
    condition     = var.link_window_seconds >= 0 && var.link_window_seconds <= 900 && floor(var.link_window_seconds) == var.link_window_seconds
    error_message = "link_window_seconds must be a whole number from 0 to 900."
  }
}

variable "viewer_assets_bucket" {
  description = "Name of the bucket to make for viewer assets. Bucket names are global."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.viewer_assets_bucket))
    error_message = "viewer_assets_bucket must have 3 to 63 lower-case letters, digits and hyphens. A dot would break TLS to the bucket."
  }
}

variable "viewer_assets_force_destroy" {
  description = "Whether `terraform destroy` also deletes all versions of the viewer assets. If false, it stops at a bucket that is not empty."
  type        = bool
  default     = false
}

variable "access_log_bucket" {
  description = "Bucket in this region for CloudFront's access logs, which contain no signatures. If not set, there are no access logs. Its policy must allow delivery.logs.amazonaws.com to write, as in examples/complete/access-logs.tf."
  type        = string
  default     = null
}

variable "viewer_assets_access_log" {
  description = "Whether the viewer-assets bucket writes an access log to access_log_bucket. S3 logs whole request lines, with presigned links that work for up to an hour. The policy of the log bucket must allow logging.s3.amazonaws.com to write."
  type        = bool
  default     = false

  validation {
    condition     = !var.viewer_assets_access_log || var.access_log_bucket != null
    error_message = "viewer_assets_access_log needs access_log_bucket, the bucket for the log."
  }
}

# --------------------------------------------------------------------------------------------------- browsers

variable "cors_origins" {
  description = "Origins of the pages that may call the API and read viewer assets from the CDN, such as https://app.example.org. [\"*\"] allows all."
  type        = list(string)

  validation {
    condition = length(var.cors_origins) > 0 && (var.cors_origins == tolist(["*"]) || alltrue([
      for origin in var.cors_origins : can(regex("^(https://[a-z0-9.-]+|http://localhost)(:[0-9]+)?$", origin))
    ]))
    error_message = "cors_origins must be [\"*\"], or a list of origins without a path: https:// and a host, or http://localhost."
  }
}

variable "api_domain" {
  description = "Existing custom domain of API Gateway, and the path for the API. Default: the address that AWS assigns."
  type        = object({ name = string, path = optional(string, "packages") })
  default     = null
}

variable "cdn_domain" {
  description = "Domain of the CDN, and its ACM certificate in us-east-1. Default: the address that AWS assigns, with AWS's certificate, which allows old TLS versions."
  type        = object({ name = string, certificate_arn = string })
  default     = null
}

variable "cdn_price_class" {
  description = "Price class of the CDN, which decides where it has edges. PriceClass_100 is North America, Europe and Israel."
  type        = string
  default     = "PriceClass_100"

  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], var.cdn_price_class)
    error_message = "cdn_price_class must be PriceClass_100, PriceClass_200 or PriceClass_All."
  }
}

variable "cdn_web_acl_arn" {
  description = "ARN of a web ACL (WAF) for the CDN; optional."
  type        = string
  default     = null
}

# ----------------------------------------------------------------------------------------------- signing keys
#
# Without your own pair, the first apply uses two placeholder keys that do not belong together (ssm.tf). The private half
# of the key that CloudFront trusts is unknown, and the service signs with another key. Everything is made and starts, but no link to
# viewer assets works until ./replace-cloudfront-keys.sh has run (README). Until then every plan and apply warns.

variable "cloudfront_public_key_pem" {
  description = "Public key for the first apply, in PEM: RSA-2048 or P-256. Later keys come from replace-cloudfront-keys.sh. Default: a placeholder whose private half is unknown."
  type        = string
  default     = null

  validation {
    condition     = startswith(trimspace(coalesce(var.cloudfront_public_key_pem, "-----BEGIN PUBLIC KEY-----")), "-----BEGIN PUBLIC KEY-----")
    error_message = "cloudfront_public_key_pem must be PEM that begins with -----BEGIN PUBLIC KEY-----."
  }
}

variable "cloudfront_private_key_base64" {
  description = "Private key for the first apply: base64 of its PEM. Terraform writes it to SSM once. No plan and no state has it. Default: a placeholder that CloudFront does not trust."
  type        = string
  sensitive   = true
  ephemeral   = true
  default     = null

  validation {
    condition     = var.cloudfront_private_key_base64 == null || strcontains(try(base64decode(var.cloudfront_private_key_base64), ""), "PRIVATE KEY-----")
    error_message = "cloudfront_private_key_base64 must be base64 of a private key's PEM: the content of private_key_base64.txt."
  }
}

variable "cloudfront_hash_algorithm" {
  description = "Hash algorithm of link signatures: SHA256, or SHA1 for verifiers that do not support SHA256."
  type        = string
  default     = "SHA256"

  validation {
    condition     = contains(["SHA256", "SHA1"], var.cloudfront_hash_algorithm)
    error_message = "cloudfront_hash_algorithm must be SHA256 or SHA1."
  }
}

variable "parameter_kms_key_arn" {
  description = "KMS key of the SSM parameter with the private key. Default: AWS's own key (alias/aws/ssm). Terraform and replace-cloudfront-keys.sh need permission to encrypt and decrypt with it. A later change takes effect at the next replacement of the signing keys. Until then the service may use both KMS keys."
  type        = string
  default     = null

  validation {
    condition     = var.parameter_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:", var.parameter_kms_key_arn))
    error_message = "parameter_kms_key_arn must be the ARN of a key, not of an alias: roles get permissions for keys."
  }
}
