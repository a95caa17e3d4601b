# ---------------------------------------------------------------------------------------------------- names

variable "environment" {
  description = "Name of the environment, such as dev or prod. It begins the name of everything that is made."
  type        = string

  validation {
    # SSM keeps names of parameters that begin with aws and ssm for itself.
    condition     = can(regex("^[a-z][a-z0-9-]{0,14}$", var.environment)) && !can(regex("^(aws|ssm)", var.environment))
    error_message = "An environment is named by up to 15 lower-case letters, digits and hyphens, and not aws.. or ssm.."
  }
}

variable "service_name" {
  description = "Name of the service, after the environment's in every name."
  type        = string
  default     = "packages-service"

  validation {
    # The longest name that is made of it is a role's, "{environment}-{service}-authorizer-ap-southeast-2": at most 64.
    condition     = can(regex("^[a-z][a-z0-9-]{0,21}$", var.service_name))
    error_message = "A service is named by up to 22 lower-case letters, digits and hyphens."
  }
}

variable "platform_domain" {
  description = "Domain of the platform, such as example.org (PENNSIEVE_DOMAIN)."
  type        = string
}

variable "tags" {
  description = "Tags of everything that can have some."
  type        = map(string)
  default     = {}
}

# -------------------------------------------------------------------------------------------------- release

variable "lambda_bucket" {
  description = "Bucket, in this region, that `make publish` puts the functions' zips into."
  type        = string
}

variable "lambda_version" {
  description = "Which release to run: the tag that `make publish` printed."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._-]*$", var.lambda_version))
    error_message = "A release's tag is made of letters, digits, '.', '_' and '-'."
  }
}

variable "rollout" {
  description = "How callers get to a new release: at once, if nothing is set. stay_at names, by function, the published version that callers stay at; of them new_percent in a hundred are sent to the newest version all the same. Output function_versions tells the numbers."
  type        = object({ stay_at = optional(map(string), {}), new_percent = optional(number, 0) })
  default     = {}

  validation {
    condition     = alltrue([for name, version in var.rollout.stay_at : contains(["service", "restore", "authorizer"], name) && can(regex("^[0-9]+$", version))])
    error_message = "stay_at is by function, service, restore or authorizer, and a version is a number."
  }

  validation {
    condition     = var.rollout.new_percent >= 0 && var.rollout.new_percent < 100
    error_message = "A percentage, less than 100: to send all to the new version, leave stay_at out."
  }
}

variable "lambda_architecture" {
  description = "What the release was built for: x86_64 or arm64."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.lambda_architecture)
    error_message = "Lambda has the architectures x86_64 and arm64."
  }
}

# ------------------------------------------------------------------------------------- network and database

variable "subnet_ids" {
  description = "Private subnets of the functions, at least two, each in another availability zone. From there they must reach the database, S3, SQS, SSM, DynamoDB, and Cognito's public keys: by NAT, or by VPC endpoints where AWS has them."
  type        = list(string)

  validation {
    condition     = length(distinct(var.subnet_ids)) >= 2
    error_message = "The database is in a VPC, so the functions are, too: name two subnets, in two availability zones."
  }
}

variable "security_group_ids" {
  description = "Security groups of the functions. The database's must let them in."
  type        = list(string)

  validation {
    condition     = length(var.security_group_ids) > 0
    error_message = "Name at least one security group."
  }
}

variable "rds_proxy_endpoint" {
  description = "Host, or host:port, of the RDS proxy."
  type        = string
}

variable "rds_proxy_resource_id" {
  description = "Id of the RDS proxy as IAM knows it: the last part of its ARN, prx-..."
  type        = string

  validation {
    condition     = can(regex("^(prx|db|cluster)-[A-Za-z0-9]+$", var.rds_proxy_resource_id))
    error_message = "It looks like prx-0123456789abcdef0: the last part of the proxy's ARN, and not its name."
  }
}

variable "database_user" {
  description = "Database role that connects with IAM tokens; {environment}_rds_proxy_user if not set."
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
  description = "Cognito user pool of people, and our client in it. Not needed with a shared authorizer."
  type        = object({ id = string, client_id = string })
  default     = null

  validation {
    condition     = var.user_pool != null || var.shared_authorizer_arn != null
    error_message = "The authorizer has to know the pool of people."
  }
}

variable "token_pool" {
  description = "Cognito user pool of API keys, and our client in it. Not needed with a shared authorizer."
  type        = object({ id = string, client_id = string })
  default     = null

  validation {
    condition     = var.token_pool != null || var.shared_authorizer_arn != null
    error_message = "The authorizer has to know the pool of API keys."
  }
}

variable "shared_authorizer_arn" {
  description = "ARN of a Lambda function that authorizes instead of ours, which is then not made. It answers as the platform's own does; its owner lets the gateway call it, as terraform/README.md says."
  type        = string
  default     = null

  validation {
    condition     = var.shared_authorizer_arn == null || can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_$-]+)?$", var.shared_authorizer_arn))
    error_message = "It is the ARN of a Lambda function, perhaps with a version or an alias at its end."
  }
}

variable "authorizer_cache_seconds" {
  description = "How long API Gateway remembers the authorizer's answer for a token and a dataset. A role that is taken away still works that long; 0 asks at every request. It holds for a shared authorizer, too."
  type        = number
  default     = 60

  validation {
    condition     = var.authorizer_cache_seconds >= 0 && var.authorizer_cache_seconds <= 3600
    error_message = "API Gateway caches for 0 to 3600 seconds."
  }
}

# ---------------------------------------------------------------------------------------------------- files

variable "storage_buckets" {
  description = "Names of the buckets whose files the service links to and whose deleted files it brings back. Buckets of other accounts must admit the functions' roles themselves."
  type        = list(string)

  validation {
    condition     = length(var.storage_buckets) > 0 && !anytrue([for name in var.storage_buckets : strcontains(name, "*")])
    error_message = "Name each bucket: patterns would let the functions into buckets that are not there yet."
  }
}

variable "read_only_buckets" {
  description = "Names of further buckets whose files the service only links to, such as those of published data."
  type        = list(string)
  default     = []

  validation {
    condition     = !anytrue([for name in var.read_only_buckets : strcontains(name, "*")])
    error_message = "Name each bucket: patterns would let the functions into buckets that are not there yet."
  }
}

variable "bucket_kms_key_arns" {
  description = "KMS keys of those buckets that are encrypted with a customer managed key."
  type        = list(string)
  default     = []
}

variable "proxy_allowed_buckets" {
  description = "Buckets that /proxy/s3 lets through, which needs no token; the viewer-assets bucket only, if not set."
  type        = list(string)
  default     = null

  validation {
    condition     = try(length(var.proxy_allowed_buckets) > 0, true)
    error_message = "Name a bucket, or leave it out: no list at all means the viewer-assets bucket."
  }
}

variable "viewer_assets_bucket" {
  description = "Name of the bucket to make for viewer assets. S3's names are global. The endings -use1 and -afs1 say that a bucket is in us-east-1 or af-south-1."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.viewer_assets_bucket))
    error_message = "3 to 63 lower-case letters, digits and hyphens: a dot would break TLS to the bucket."
  }
}

variable "viewer_assets_force_destroy" {
  description = "Whether `terraform destroy` deletes the viewer assets, too, all versions. Off, it stops at a bucket that is not empty."
  type        = bool
  default     = false
}

variable "access_log_bucket" {
  description = "Bucket, in this region, for CloudFront's access logs, which hold no signatures; none are kept if not set. Its policy must let delivery.logs.amazonaws.com write, as in examples/complete/access-logs.tf."
  type        = string
  default     = null
}

variable "viewer_assets_access_log" {
  description = "Whether the viewer-assets bucket writes an access log there, too. S3 writes whole request lines: presigned links are in it as long as they work, an hour. The policy must let logging.s3.amazonaws.com write."
  type        = bool
  default     = false

  validation {
    condition     = !var.viewer_assets_access_log || var.access_log_bucket != null
    error_message = "Name the bucket that the log goes to: access_log_bucket."
  }
}

# --------------------------------------------------------------------------------------------------- browsers

variable "cors_origins" {
  description = "Origins whose pages may call the API and read viewer assets from the CDN, such as https://app.example.org; [\"*\"] for all."
  type        = list(string)

  validation {
    condition = length(var.cors_origins) > 0 && (var.cors_origins == tolist(["*"]) || alltrue([
      for origin in var.cors_origins : can(regex("^(https://[a-z0-9.-]+|http://localhost)(:[0-9]+)?$", origin))
    ]))
    error_message = "An origin is https:// and a host, or http://localhost, without a path; or the list is [\"*\"]."
  }
}

variable "api_domain" {
  description = "Custom domain of API Gateway, which exists, and the path beneath it. Without one the API has the address that AWS gives it."
  type        = object({ name = string, path = optional(string, "packages") })
  default     = null
}

variable "cdn_domain" {
  description = "Domain of the CDN and the certificate for it, of ACM in us-east-1. Without one it has the address that AWS gives it, and AWS's certificate, which admits old TLS."
  type        = object({ name = string, certificate_arn = string })
  default     = null
}

variable "cdn_price_class" {
  description = "Where the CDN has edges: PriceClass_100 is North America, Europe and Israel."
  type        = string
  default     = "PriceClass_100"

  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], var.cdn_price_class)
    error_message = "CloudFront has PriceClass_100, PriceClass_200 and PriceClass_All."
  }
}

variable "cdn_web_acl_arn" {
  description = "A web ACL (WAF) for the CDN, if there is one."
  type        = string
  default     = null
}

# ----------------------------------------------------------------------------------------------- signing keys
#
# Without a pair of its own, the first apply uses two keys that do not belong together, in ssm.tf: CloudFront trusts a key
# whose private half nobody has, and the service signs with another. All is made and starts, and no link opens anything
# until ./replace-cloudfront-keys.sh has run, as the README says. Until then every plan and apply warns.

variable "cloudfront_public_key_pem" {
  description = "Public key of the first apply, PEM: RSA-2048 or P-256. Later ones are replace-cloudfront-keys.sh's. If not set, one whose private half nobody has."
  type        = string
  default     = null

  validation {
    condition     = startswith(trimspace(coalesce(var.cloudfront_public_key_pem, "-----BEGIN PUBLIC KEY-----")), "-----BEGIN PUBLIC KEY-----")
    error_message = "It is PEM and begins with -----BEGIN PUBLIC KEY-----."
  }
}

variable "cloudfront_private_key_base64" {
  description = "Private key of the first apply: base64 of its PEM. It is written to SSM once; neither a plan nor the state holds it. If not set, one that opens nothing."
  type        = string
  sensitive   = true
  ephemeral   = true
  default     = null

  validation {
    condition     = var.cloudfront_private_key_base64 == null || strcontains(try(base64decode(var.cloudfront_private_key_base64), ""), "PRIVATE KEY-----")
    error_message = "It is base64 of a private key's PEM: the content of private_key_base64.txt."
  }
}

variable "cloudfront_hash_algorithm" {
  description = "What links are signed over: SHA256, or SHA1 for verifiers that know no better."
  type        = string
  default     = "SHA256"

  validation {
    condition     = contains(["SHA256", "SHA1"], var.cloudfront_hash_algorithm)
    error_message = "CloudFront verifies SHA256 and SHA1."
  }
}

variable "parameter_kms_key_arn" {
  description = "KMS key of the SSM parameter with the private key; AWS's own (alias/aws/ssm) if not set. Whoever applies, or replaces keys, must be allowed to encrypt and decrypt with it. Changed later, it counts from the next replacement of the signing keys on; until then the service may use both."
  type        = string
  default     = null

  validation {
    condition     = var.parameter_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:", var.parameter_kms_key_arn))
    error_message = "It is a key's ARN: roles are granted the use of keys and not of aliases."
  }
}
