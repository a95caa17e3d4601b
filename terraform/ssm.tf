# The pair of signing keys. Both parameters are made here and then left alone: replace-cloudfront-keys.sh puts later
# values, and an apply must not put the first ones back.

resource "aws_ssm_parameter" "private_key" {
  name        = "/${var.environment}/${var.service_name}/cloudfront/private-key"
  description = "Signs links to viewer assets: base64 of PEM. A line Key-Pair-Id: K.. before the PEM names the key."
  type        = "SecureString"
  key_id      = var.parameter_kms_key_arn
  tags        = var.tags

  # Write-only: neither this value nor the ones that replace it are ever in the state.
  value_wo         = var.cloudfront_private_key_base64
  value_wo_version = 1

  # Everything, because the provider writes the value again whenever it writes anything else.
  lifecycle {
    ignore_changes = all
  }
}

resource "aws_ssm_parameter" "public_key" {
  name        = "/${var.environment}/${var.service_name}/cloudfront/public-key"
  description = "Public half of the key that signs links to viewer assets: PEM"
  type        = "String"
  tags        = var.tags

  # Insecure only in that a plan shows it: it is public.
  insecure_value = trimspace(var.cloudfront_public_key_pem)

  lifecycle {
    ignore_changes = [insecure_value]
  }
}

locals {
  # SHA-256 of the public key that is the default in variables.tf, without white space around it.
  example_key_digest = "1a73ff4c6f21d81932589fde24653052d8d680bf2a1c7727860157bc6f634d16"
}

check "signing_key_is_secret" {
  assert {
    condition     = sha256(trimspace(aws_ssm_parameter.public_key.insecure_value)) != local.example_key_digest
    error_message = "Links to viewer assets are signed with the key in variables.tf, which everybody knows. Run terraform/replace-cloudfront-keys.sh before the bucket holds anything that not everybody may read."
  }
}

check "signing_key_variable_is_in_use" {
  assert {
    condition     = trimspace(aws_cloudfront_public_key.first.encoded_key) == trimspace(var.cloudfront_public_key_pem)
    error_message = "cloudfront_public_key_pem counts at the first apply only, and was changed since. Keys are changed by terraform/replace-cloudfront-keys.sh."
  }
}
