# ------------------------------------------------------------------------------------------------- restoring

variable "delete_record_table" {
  description = "DynamoDB table, in this account and region, of what was deleted. Without one, only the buckets' version listings tell."
  type        = string
  default     = null
}

variable "delete_record_kms_key_arn" {
  description = "KMS key of that table, if it has a customer managed one."
  type        = string
  default     = null
}

variable "changelog_queue" {
  description = "SQS queue that the platform's changelog is told through. Without one nobody is told."
  type        = object({ url = string, arn = string, kms_key_arn = optional(string) })
  default     = null
}

# ------------------------------------------------------------------------------------------ sizes and speeds

variable "memory_mb" {
  description = "Memory of each function in MB. The share of a CPU grows with it."
  type        = object({ service = optional(number, 256), authorizer = optional(number, 256), restore = optional(number, 1024) })
  default     = {}
}

variable "reserved_concurrency" {
  description = "Instances of each function at most; they are taken from the account's total, of which AWS wants 100 left over. A new account may have 10 in all: -1 then reserves nothing. The database sees two connections an instance."
  type        = object({ service = optional(number, 100), authorizer = optional(number, 50), restore = optional(number, 5) })
  default     = {}

  validation {
    condition     = alltrue([for value in values(var.reserved_concurrency) : value == -1 || value >= 1])
    error_message = "At least 1, or -1 to reserve nothing; 0 would switch the function off."
  }

  validation {
    condition     = var.reserved_concurrency.restore == -1 || var.reserved_concurrency.restore >= 2
    error_message = "SQS runs at least 2 restores at once, so restore needs 2 or more."
  }
}

variable "throttling" {
  description = "Requests per second, and burst, that API Gateway lets through: for the API as a whole, and for each route that needs no token."
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
  description = "What the functions log: a filter such as info,packages=debug."
  type        = string
  default     = "info"
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 and more days."
  }
}

variable "log_kms_key_arn" {
  description = "KMS key of the logs, if it is to be one of yours. Its policy must admit logs.{region}.amazonaws.com."
  type        = string
  default     = null
}

variable "cdn_4xx_percent" {
  description = "Above how many refused or missing in a hundred answers of the CDN, of at least twenty in five minutes, the alarm goes off. Links that are signed with the wrong key are all refused; readers of chunked arrays also ask for chunks that are not there."
  type        = number
  default     = 50
}

variable "alarm_topic_arns" {
  description = "SNS topics that are told when an alarm goes off, and when it is over. An alarm tells the topics of its own region: the CDN's alarm is in us-east-1, so an installation elsewhere names a topic there, too."
  type        = list(string)
  default     = []
}

# ------------------------------------------------------------------------------------------------ permissions

variable "function_role_arns" {
  description = "Roles of the functions that are there already, such as those of infrastructure/bootstrap.yml; they get the policies that they need. If not set, roles are made."
  type        = object({ service = string, restore = string, authorizer = optional(string) })
  default     = null

  validation {
    condition     = try(var.function_role_arns.authorizer, null) != null || var.function_role_arns == null || var.shared_authorizer_arn != null
    error_message = "The authorizer needs a role, too."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the roles that are made, where the account asks for one."
  type        = string
  default     = null
}

# ---------------------------------------------------------------------------------------------------- gateway

variable "fail_on_warnings" {
  description = "Whether the import of the API stops at a warning of API Gateway's. Off, it goes on: should API Gateway one day warn of what it did not warn of before."
  type        = bool
  default     = true
}
