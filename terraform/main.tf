# The whole service in one module, a file per AWS service. What belongs to the platform around it (network, database,
# user pools, file buckets, domain, topics) comes in through variables.tf.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region

  prefix = "${var.environment}-${var.service_name}"

  # For what has one name in the whole account, wherever it is made: an installation in a second region has its own.
  global_prefix = "${local.prefix}-${local.region}"

  own_authorizer = var.shared_authorizer_arn == null
  functions      = toset(concat(["service", "restore"], local.own_authorizer ? ["authorizer"] : []))

  # Names and not references, so that a role can be allowed to write to a log group before the function exists.
  function_names = { for function in local.functions : function => "${local.prefix}-${function}" }
  function_arns = {
    for function, name in local.function_names :
    function => "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${name}"
  }

  # Buckets whose objects the service may link to: the files that it can also restore, those that it only reads
  # (published data, for example), and the viewer assets.
  readable_buckets = sort(distinct(concat(var.storage_buckets, var.read_only_buckets, [var.viewer_assets_bucket])))
}
