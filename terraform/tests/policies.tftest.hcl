mock_provider "aws" {
  source = "./tests/aws"
}

run "no_policy_has_a_needless_wildcard" {
  # AWS defines no resource for these two: X-Ray's actions, and the network interfaces that Lambda makes.
  assert {
    condition = alltrue(flatten([
      for policy in concat(values(aws_iam_role_policy.own), values(aws_iam_role_policy.runtime)) : [
        for statement in jsondecode(policy.policy).Statement :
        !contains(flatten([statement.Resource]), "*")
        if statement.Effect == "Allow" && !contains(["SendTraces", "ManageNetworkInterfaces"], statement.Sid)
      ]
    ]))
    error_message = "A statement is for all resources."
  }

  # A wildcard may only stand at the end: for the objects of one bucket, or the streams of one log group.
  assert {
    condition = alltrue(flatten([
      for policy in concat(values(aws_iam_role_policy.own), values(aws_iam_role_policy.runtime)) : [
        for statement in jsondecode(policy.policy).Statement : [
          for resource in flatten([statement.Resource]) :
          resource == "*" || can(regex("^arn:aws:(s3:::[a-z0-9-]+/\\*|logs:[^*]+:\\*|[^*]+)$", resource))
        ]
      ]
    ]))
    error_message = "A resource has a wildcard, but could be named."
  }

  assert {
    condition = alltrue(flatten([
      for policy in concat(values(aws_iam_role_policy.own), values(aws_iam_role_policy.runtime)) : [
        for statement in jsondecode(policy.policy).Statement : [
          for action in flatten([statement.Action]) : !strcontains(action, "*")
        ]
      ]
    ]))
    error_message = "An action has a wildcard."
  }

  assert {
    condition = alltrue(flatten([
      for policy in values(aws_iam_role_policy.own) : [
        for statement in jsondecode(policy.policy).Statement :
        can(statement.Condition) if anytrue([for action in flatten([statement.Action]) : startswith(action, "kms:")])
      ]
    ]))
    error_message = "Each statement for a KMS key needs a condition that names one AWS service."
  }
}

run "each_role_has_exactly_its_permissions" {
  assert {
    condition = sort(distinct(flatten([for statement in jsondecode(aws_iam_role_policy.own["service"].policy).Statement : statement.Action]))) == sort([
      "kms:Decrypt", "rds-db:connect", "s3:GetBucketVersioning", "s3:GetLifecycleConfiguration", "s3:GetObject",
      "s3:GetObjectVersion", "s3:ListBucket", "s3:ListBucketVersions", "sqs:GetQueueAttributes", "sqs:SendMessage",
      "ssm:GetParameter",
    ])
    error_message = "The service's actions changed."
  }

  assert {
    condition = sort(distinct(flatten([for statement in jsondecode(aws_iam_role_policy.own["restore"].policy).Statement : statement.Action]))) == sort([
      "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:DescribeTable", "dynamodb:Query",
      "kms:Decrypt", "kms:GenerateDataKey", "rds-db:connect", "s3:DeleteObjectVersion", "s3:ListBucketVersions",
      "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage",
    ])
    error_message = "The worker's actions changed."
  }

  assert {
    condition     = flatten([for statement in jsondecode(aws_iam_role_policy.own["authorizer"].policy).Statement : statement.Action]) == ["rds-db:connect"]
    error_message = "The authorizer may only connect to the database."
  }

  assert {
    condition = alltrue([for policy in values(aws_iam_role_policy.own) : contains(
      [for statement in jsondecode(policy.policy).Statement : statement.Resource if statement.Action == "rds-db:connect"],
      "arn:aws:rds-db:us-east-1:111122223333:dbuser:prx-0123456789abcdef0/dev_rds_proxy_user",
    )])
    error_message = "Each function may connect only as one role to one database."
  }

  assert {
    condition = toset([for statement in jsondecode(aws_iam_role_policy.own["restore"].policy).Statement : statement.Resource if statement.Sid == "RemoveDeleteMarkers"][0]) == toset([
      "arn:aws:s3:::example-dev-storage-use1/*", "arn:aws:s3:::example-dev-storage-afs1/*",
    ])
    error_message = "The worker may delete markers only in the storage buckets, not in viewer assets or published data."
  }

  assert {
    condition     = alltrue([for role in values(aws_iam_role.function) : jsondecode(role.assume_role_policy).Statement[0].Principal == { Service = "lambda.amazonaws.com" }])
    error_message = "Only Lambda may assume the roles."
  }
}

run "only_encrypted_connections" {
  assert {
    condition = alltrue([
      for policy in concat([aws_s3_bucket_policy.viewer_assets.policy], [for policy in values(aws_sqs_queue_policy.tls_only) : policy.policy]) :
      anytrue([
        for statement in jsondecode(policy).Statement :
        statement.Effect == "Deny" && statement.Principal == "*" && statement.Condition.Bool["aws:SecureTransport"] == "false" && endswith(statement.Action, ":*")
        if can(statement.Condition.Bool)
      ])
    ])
    error_message = "The bucket and every queue must refuse connections without TLS."
  }

  assert {
    condition     = keys(aws_sqs_queue_policy.tls_only) == ["dead_letters", "failed_invocations", "restore"]
    error_message = "Every queue must have the policy."
  }
}

run "boundary" {
  variables {
    permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary"
  }

  assert {
    condition     = alltrue([for role in values(aws_iam_role.function) : role.permissions_boundary == "arn:aws:iam::111122223333:policy/boundary"])
    error_message = "Every role must have the boundary."
  }
}

run "existing_roles" {
  variables {
    function_role_arns = {
      service    = "arn:aws:iam::111122223333:role/path/given-service"
      restore    = "arn:aws:iam::111122223333:role/given-restore"
      authorizer = "arn:aws:iam::111122223333:role/given-authorizer"
    }
  }

  assert {
    condition = alltrue([
      length(aws_iam_role.function) == 0,
      alltrue([for name, function in aws_lambda_function.function : endswith(function.role, "/given-${name}")]),
      alltrue([for name, policy in aws_iam_role_policy.own : policy.role == "given-${name}"]),
      alltrue([for name, policy in aws_iam_role_policy.runtime : policy.role == "given-${name}"]),
    ])
    error_message = "The module must use the given roles, attach the policies, and make no role."
  }
}

run "an_authorizer_needs_a_role" {
  command = plan

  variables {
    function_role_arns = { service = "arn:aws:iam::111122223333:role/s", restore = "arn:aws:iam::111122223333:role/r" }
  }

  expect_failures = [var.function_role_arns]
}

# The runs above made the parameter with another KMS key, and an apply does not change it.
run "the_role_may_use_the_old_and_the_new_kms_key" {
  variables {
    parameter_kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/new"
  }

  assert {
    condition = toset(flatten([
      for statement in jsondecode(aws_iam_role_policy.own["service"].policy).Statement : statement.Resource if statement.Sid == "DecryptTheSigningKey"
    ])) == toset(["arn:aws:kms:us-east-1:111122223333:key/parameters", "arn:aws:kms:us-east-1:111122223333:key/new"])
    error_message = "The service must be able to read the parameter before and after it is written with the new KMS key."
  }

  expect_failures = [check.parameter_has_its_kms_key]
}
