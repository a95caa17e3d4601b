# ------------------------------------------------------------------------------------------------- restoring

variable "delete_record_table" {
  description = "DynamoDB table of delete records, in this account and region. Optional: the restore reads the buckets' version listings."
  type        = string
  default     = null
}

variable "delete_record_kms_key_arn" {
  description = "Customer managed KMS key of that table, if it has one."
  type        = string
  default     = null
}

variable "changelog_queue" {
  description = "SQS queue of the platform's changelog. Without it, restores are not announced."
  type        = object({ url = string, arn = string, kms_key_arn = optional(string) })
  default     = null
}

# ------------------------------------------------------------------------------------------ sizes and speeds

variable "memory_mb" {
  description = "Memory of each function in MB. Its CPU share grows with the memory."
  type        = object({ service = optional(number, 256), authorizer = optional(number, 256), restore = optional(number, 1024) })
  default     = {}
}

variable "reserved_concurrency" {
  description = "Maximum number of instances of each function. AWS reserves them from the account's total, of which 100 must stay unreserved. A new account may have only 10 in all; use -1 there, which reserves nothing. Each instance opens two database connections."
  type        = object({ service = optional(number, 100), authorizer = optional(number, 50), restore = optional(number, 5) })
  default     = {}

  validation {
    condition     = alltrue([for value in values(var.reserved_concurrency) : value == -1 || value >= 1])
    error_message = "Each value must be at least 1, or -1 to reserve nothing. 0 would switch the function off."
  }

  validation {
    condition     = var.reserved_concurrency.restore == -1 || var.reserved_concurrency.restore >= 2
    error_message = "restore must be at least 2 (or -1), because SQS runs at least 2 restores at once."
  }
}

variable "throttling" {
  description = "Limits of API Gateway, in requests per second and burst: for the whole API, and for each route that needs no token."
  type = object({
    rate         = optional(number, 1000)
    burst        = optional(number, 2000)
    public_rate  = optional(number, 100)
    public_burst = optional(number, 200)
  })
  default = {}
}

# ----------------------------------------------------------------------------------------------- observation

variable "log_level" {
  description = "Log filter of the functions, such as info,storage=debug."
  type        = string
  default     = "info"
}

variable "log_retention_days" {
  description = "How many days CloudWatch keeps the logs."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a number that CloudWatch accepts: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 or one of its longer ones."
  }
}

variable "log_kms_key_arn" {
  description = "Your KMS key for the logs; optional. Its policy must allow logs.{region}.amazonaws.com."
  type        = string
  default     = null
}

variable "cdn_4xx_percent" {
  description = "Percentage of 4xx responses of the CDN above which the alarm goes off, if there are at least twenty requests in five minutes. With a wrong signing key all requests get 403. Readers of chunked arrays also request chunks that do not exist."
  type        = number
  default     = 50
}

variable "alarm_topic_arns" {
  description = "SNS topics to notify when an alarm starts and ends. An alarm notifies only topics of its own region. The CDN's alarm is in us-east-1, so an installation in another region needs a topic there too."
  type        = list(string)
  default     = []
}

# ------------------------------------------------------------------------------------------------ permissions

variable "function_role_arns" {
  description = "Existing roles for the functions, such as those of infrastructure/bootstrap.yml. The module attaches the policies. If not set, the module makes the roles."
  type        = object({ service = string, restore = string, authorizer = optional(string) })
  default     = null

  validation {
    condition     = try(var.function_role_arns.authorizer, null) != null || var.function_role_arns == null || var.shared_authorizer_arn != null
    error_message = "function_role_arns must also name a role for the authorizer, unless shared_authorizer_arn is set."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary for the roles that the module makes, if the account requires one."
  type        = string
  default     = null
}

# ---------------------------------------------------------------------------------------------------- gateway

variable "fail_on_warnings" {
  description = "Whether a warning of API Gateway stops the import of the API. Set it to false if API Gateway introduces a new warning."
  type        = bool
  default     = true
}
