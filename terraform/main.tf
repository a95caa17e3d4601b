# The whole service in one module, with one file per AWS service. variables.tf has the inputs from the platform: network,
# database, user pools, file buckets, domain, topics.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region

  prefix = "${var.environment}-${var.service_name}"

  # For names that are unique in the whole account: an installation in a second region needs its own.
  global_prefix = "${local.prefix}-${local.region}"

  own_authorizer = var.shared_authorizer_arn == null
  functions      = toset(concat(["service", "restore"], local.own_authorizer ? ["authorizer"] : []))

  # Names and not references: a role needs permission for the log group before the function exists.
  function_names = { for function in local.functions : function => "${local.prefix}-${function}" }
  function_arns = {
    for function, name in local.function_names :
    function => "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${name}"
  }

  # Buckets whose objects the service may link to: files that it can also restore, files that it only reads (published data, for
  # example), and viewer assets.
  readable_buckets = sort(distinct(concat(var.storage_buckets, var.read_only_buckets, [var.viewer_assets_bucket])))
}
