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
  description = "Private subnets of the functions, in two availability zones or more. From there they must reach the database, S3, SQS, SSM, DynamoDB, and Cognito's public keys: by NAT, or by VPC endpoints where AWS has them."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "The database is in a VPC, so the functions are, too: name at least one subnet."
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
  description = "Cognito user pool of people, and our client in it."
  type        = object({ id = string, client_id = string })
}

variable "token_pool" {
  description = "Cognito user pool of API keys, and our client in it."
  type        = object({ id = string, client_id = string })
}

variable "authorizer_cache_seconds" {
  description = "How long API Gateway remembers the authorizer's answer for a token and a dataset. A role that is taken away still works that long; 0 asks at every request."
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
  description = "Bucket, in this region, for the access logs of the viewer-assets bucket and of CloudFront; none are kept if not set. Its policy must let logging.s3.amazonaws.com and delivery.logs.amazonaws.com write, as in examples/complete/access-logs.tf."
  type        = string
  default     = null
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
# ATTENTION. The two defaults are a real key pair that everybody knows: it is in this file. They are here so that the
# first `terraform apply` works without any preparation, since CloudFront refuses a public key that is none. Whoever can
# read this can open every link that such an installation protects. Replace them before anything of worth is in the
# bucket: ./replace-cloudfront-keys.sh, as the README says. Until then every plan and apply warns.

variable "cloudfront_public_key_pem" {
  description = "Public key of the first apply, PEM: RSA-2048 or P-256. Later ones are replace-cloudfront-keys.sh's. The default is public knowledge."
  type        = string
  nullable    = false
  default     = <<-PEM
    -----BEGIN PUBLIC KEY-----
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAs+6aAouRZuoLKT4PfwUp
    JaLe7SYKk88SYfbtNsvaDf3PrEO+ceeJHS8+1OwAr+bRE666/V8U4SdmdqJXBI7l
    nGMgs0d9djt1/BGANBirfL6F5gk/3M5U+oKXhSfBUvg3D/LWxMoPl4A0e1+wXOrL
    0mF3NoenCw+NSs7ahYQydwMx7Vo/abPZjfk9bpI71nhdvWb1FIuadV65xB1jOtwJ
    W46/FDR7vAqAzrR6E7jyKnpcwAvQ4jxBR4dK+czXH70TpFpt6nJ4ywkKXnzItRct
    9Xrd46gYqufn31PIOmJ7kr2FsthKrma+0xEr5tX0KOi6fIIsw/+q0z9nXNyS91it
    GQIDAQAB
    -----END PUBLIC KEY-----
  PEM

  validation {
    condition     = startswith(trimspace(var.cloudfront_public_key_pem), "-----BEGIN PUBLIC KEY-----")
    error_message = "It is PEM and begins with -----BEGIN PUBLIC KEY-----."
  }
}

variable "cloudfront_private_key_base64" {
  description = "Private key of the first apply: base64 of its PEM. It is written to SSM once and is not in the state. The default is public knowledge."
  type        = string
  sensitive   = true
  nullable    = false
  default     = "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1JSUV2QUlCQURBTkJna3Foa2lHOXcwQkFRRUZBQVNDQktZd2dnU2lBZ0VBQW9JQkFRQ3o3cG9DaTVGbTZnc3AKUGc5L0JTa2xvdDd0SmdxVHp4Smg5dTAyeTlvTi9jK3NRNzV4NTRrZEx6N1U3QUN2NXRFVHJycjlYeFRoSjJaMgpvbGNFanVXY1l5Q3pSMzEyTzNYOEVZQTBHS3Q4dm9YbUNUL2N6bFQ2Z3BlRko4RlMrRGNQOHRiRXlnK1hnRFI3Clg3QmM2c3ZTWVhjMmg2Y0xENDFLenRxRmhESjNBekh0V2o5cHM5bU4rVDF1a2p2V2VGMjladlVVaTVwMVhybkUKSFdNNjNBbGJqcjhVTkh1OENvRE90SG9UdVBJcWVsekFDOURpUEVGSGgwcjV6TmNmdlJPa1dtM3FjbmpMQ1FwZQpmTWkxRnkzMWV0M2pxQmlxNStmZlU4ZzZZbnVTdllXeTJFcXVacjdURVN2bTFmUW82THA4Z2l6RC82clRQMmRjCjNKTDNXSzBaQWdNQkFBRUNnZ0VBRDJPN0o3aFRBb1hHV0Z2UzVMcjI1TjJRT21HZ2NqbTU4V2ZXckhNRlZxREUKc2svVmdrWEt6aFNZUjhzYk9IQlNKZUF5SldGc1ptRVJ0Qmdvdis2dWNDQ3czM0NnQ0J5b0Y5d1IxbkxkT1FWTgpLOHFTL0NKb05ZaDFwL21KWVJ5eWpmSkg0UXRFeCtFYTdBbjRTa3c1VEdoU2MxY3BLQXFubTdSRFQ3dnB1cERHClRPMFR6djdaZU5nZzZVYW5nbjZ4QjF4WkZERVhUQzlFRm1pc1k5dXVUVVhBYndOa3JxLzJwTGNwd2UvK1JWT2oKaU9DMkRCVjE1NUdXdnNxR0hFUzdwd2I0WjhPZnVVdnRWTndHRm9RKzlhLzVBOVAvQ1RUYmwxa2JXNkhRQ0ZOeQppMzBtc3cxalF0TWRkQTA1RjBVNUhCdlM1YXBkaHRHdjF4TnJDcDZQQVFLQmdRRFpucm9QNmJ5K3U0OFZNRVlIClBZWStkSTBaN2FBOFROSWhpUHo1WWxQTWpydDdVVnBHTzE4VVM1RTlZRGxjbnJaa1NnRWpPNkhGSHpSbXlxNDYKbVB5bldwd0VpVzZjT3ZUYW9sejVtdjdleWgvMnljOUtBclpIcWhjTkZ6SmdQUWM1S0NwSUNsYVJ0UTVab2ROKwozNmtNcGJYSUY4elFrTFF6RjBseFg0dFBBUUtCZ1FEVHFrOGNHbzF4SkVOUWNZT2JtRGtXV1JCZDB5VjJDdm1FCmhacHJlaU80a0QydlB2RHhwbGRSYStmckN5UFNuWlk1L0d2bkdMR1BmZTE2S080cnhvZ3BIaWJGamRiY0R2QlMKMTZRLy8xaHFIak1LVW0wbXJYTm4vVm16RWtnMUlkMmF0REpXYWYwK01ha2lmbGMrbWczUmIzallPQ2t2TzVrSwpiK05WcDlQMkdRS0JnQXRSMzFuT2pidmFJOEkxWlo4Z3l5ZmFoakJ3Rk9LdUdFd1lSUmh2emU0WkNwV0trTWlRCmRBeXBOWi9jcm44cjNrN3ZMb24zb3gyTzF2bjExd1JEU3ZrbGxISUQrQlgyVnlBOFM5dkwvUy8za1p3VHVVMmYKUUg0UDBlMGpaTUp1eWo1bDRYVW4zSUx0eVJaT2ZhTGUzWHRENzJXK0h6QkdKcWwxcjZOUEZmOEJBb0dBVUl5RApSb0trU09ZdjU3RUxFRzlCYWt2Q2VySWJrMnhod0JqSHh4YlgrU2lMRU9HMjkzOEJ3NjU0dDIycDJFQzRKcUQwCnZ5RWFrU3l1N3NvY3VQUDRaUTFnVzlXNmFrd1ZFTEdYZy9NOFJrWHZ6b0hIbit4cCtxempNYzVIUkZENjhDQ2EKOTErbVM4RENTS29qc1dNVzF4akF1Q2ZISkg1ZG95Y3BNRE9KNmlFQ2dZQmxrY1Z2YWVKMjhsQkp6dkJZU25CZwp5S2tTYm5kT0hXUlllRkxkTVRuV1pJWmE4VHQrUGNNNXlBSmhMZ1orN1pHRTFVVTVyME0wVWpIdDBsV1liOUljCk82YWplMDlXYXZrTmpteFk3WEtWYUZZVHNpRGtSNW4xczRIaElDTmRqWkhURnFVTmlmMlh3b3NuTW05NG44REcKZCtHT25lRi9oanhyRUZ5QXhLelFzUT09Ci0tLS0tRU5EIFBSSVZBVEUgS0VZLS0tLS0K"

  validation {
    condition     = strcontains(try(base64decode(var.cloudfront_private_key_base64), ""), "PRIVATE KEY-----")
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
  description = "KMS key of the SSM parameter with the private key; AWS's own (alias/aws/ssm) if not set. Whoever applies, or replaces keys, must be allowed to encrypt and decrypt with it."
  type        = string
  default     = null
}
