# One role per function, made here or given. policies/{function}.json.tftpl has the permissions for the service's work. The
# program's own tests run with these policies, so a missing permission fails there first. policies/runtime.json.tftpl has what
# every function needs to run.
#
# Two of its statements are for all resources, because AWS defines no resource for their actions: X-Ray (Service Authorization
# Reference, "Actions, resources, and condition keys for AWS X-Ray") and the network interfaces that Lambda makes in the VPC with
# the function's role (AWS Lambda Developer Guide, "Giving Lambda functions access to resources in an Amazon VPC"). The function's
# own code is denied the network interfaces, as that page advises.

locals {
  database_user     = coalesce(var.database_user, "${var.environment}_rds_proxy_user")
  database_user_arn = "arn:${local.partition}:rds-db:${local.region}:${local.account}:dbuser:${var.rds_proxy_resource_id}/${local.database_user}"

  readable_bucket_arns = [for name in local.readable_buckets : "arn:${local.partition}:s3:::${name}"]
  storage_bucket_arns  = [for name in sort(distinct(var.storage_buckets)) : "arn:${local.partition}:s3:::${name}"]

  make_roles = var.function_role_arns == null
  role_arns = {
    for function in local.functions : function => local.make_roles ? aws_iam_role.function[function].arn : var.function_role_arns[function]
  }
  role_names = {
    for function in local.functions : function => local.make_roles ? aws_iam_role.function[function].name : reverse(split("/", var.function_role_arns[function]))[0]
  }

  # The parameter's present KMS key and its next one. replace-cloudfront-keys.sh changes the key when it writes the parameter, and
  # the service must be able to read the parameter before and after that.
  parameter_kms_key_arns = sort(distinct([
    for arn in compact([aws_ssm_parameter.private_key.key_id, var.parameter_kms_key_arn]) : arn if startswith(arn, "arn:")
  ]))

  private_key_parameter_arn = "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter${aws_ssm_parameter.private_key.name}"

  delete_record_table_arns = var.delete_record_table == null ? [] : [
    "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${var.delete_record_table}"
  ]

  policy_documents = {
    service = templatefile("${path.module}/policies/service.json.tftpl", {
      region                    = local.region
      database_user_arn         = local.database_user_arn
      readable_object_arns      = jsonencode([for arn in local.readable_bucket_arns : "${arn}/*"])
      readable_bucket_arns      = jsonencode(local.readable_bucket_arns)
      storage_bucket_arns       = jsonencode(local.storage_bucket_arns)
      bucket_kms_key_arns       = jsonencode(var.bucket_kms_key_arns)
      bucket_role_arns          = jsonencode(sort(distinct(compact([for entry in var.buckets : entry.role_arn]))))
      restore_queue_arn         = aws_sqs_queue.restore.arn
      dead_letter_queue_arn     = aws_sqs_queue.dead_letters.arn
      private_key_parameter_arn = local.private_key_parameter_arn
      parameter_kms_key_arns    = jsonencode(local.parameter_kms_key_arns)
    })
    restore = templatefile("${path.module}/policies/restore.json.tftpl", {
      region                     = local.region
      database_user_arn          = local.database_user_arn
      restore_queue_arn          = aws_sqs_queue.restore.arn
      dead_letter_queue_arn      = aws_sqs_queue.dead_letters.arn
      storage_object_arns        = jsonencode([for arn in local.storage_bucket_arns : "${arn}/*"])
      storage_bucket_arns        = jsonencode(local.storage_bucket_arns)
      delete_record_table_arns   = jsonencode(local.delete_record_table_arns)
      delete_record_kms_key_arns = jsonencode(compact([var.delete_record_kms_key_arn]))
      changelog_queue_arns       = jsonencode(compact([try(var.changelog_queue.arn, null)]))
      changelog_kms_key_arns     = jsonencode(compact([try(var.changelog_queue.kms_key_arn, null)]))
    })
    authorizer = templatefile("${path.module}/policies/authorizer.json.tftpl", {
      database_user_arn = local.database_user_arn
    })
  }

  # IAM refuses a statement without resources. Without a table, for example, drop the table's statement.
  policies = {
    for function, document in local.policy_documents : function => jsonencode(merge(jsondecode(document), {
      Statement = [for statement in jsondecode(document).Statement : statement if length(flatten([statement.Resource])) > 0]
    }))
  }
}

resource "aws_iam_role" "function" {
  for_each = local.make_roles ? local.functions : toset([])

  # Role names are global: an installation in a second region needs its own.
  name                 = "${local.function_names[each.key]}-${local.region}"
  description          = "The Lambda function ${local.function_names[each.key]}"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })

  tags = var.tags

  # A new name would replace the role, and lose what other accounts granted to the old one. With `depends_on` on the module, for
  # example, the region is unknown while planning, and the name then counts as new.
  lifecycle {
    ignore_changes = [name]
  }
}

resource "aws_iam_role_policy" "own" {
  for_each = local.functions

  name   = each.key
  role   = local.role_names[each.key]
  policy = local.policies[each.key]
}

resource "aws_iam_role_policy" "runtime" {
  for_each = local.functions

  name = "runtime"
  role = local.role_names[each.key]
  policy = templatefile("${path.module}/policies/runtime.json.tftpl", {
    function_arn                 = local.function_arns[each.key]
    log_group_arn                = aws_cloudwatch_log_group.function[each.key].arn
    failed_invocations_queue_arn = aws_sqs_queue.failed_invocations.arn
  })
}
