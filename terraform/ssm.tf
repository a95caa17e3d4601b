# The pair of signing keys, and CloudFront's id for it. The parameters are made here and then left alone:
# replace-cloudfront-keys.sh puts later values, and an apply must not put the first ones back.

resource "aws_ssm_parameter" "private_key" {
  name        = "/${var.environment}/${var.service_name}/cloudfront/private-key"
  description = "Signs links to viewer assets: base64 of PEM. A line Key-Pair-Id: K.. before the PEM names the key."
  type        = "SecureString"
  key_id      = var.parameter_kms_key_arn
  tags        = var.tags

  # Write-only: neither this value nor the ones that replace it are ever in the state.
  value_wo         = coalesce(var.cloudfront_private_key_base64, local.key_that_opens_nothing)
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
  insecure_value = local.first_public_key

  lifecycle {
    ignore_changes = [insecure_value]
  }
}

# What CLOUDFRONT_KEY_ID is set to: the id of the key in use, also after others than the first were.
resource "aws_ssm_parameter" "key_id" {
  name           = "/${var.environment}/${var.service_name}/cloudfront/key-id"
  description    = "CloudFront's id for the key that signs links to viewer assets"
  type           = "String"
  tags           = var.tags
  insecure_value = aws_cloudfront_public_key.first.id

  lifecycle {
    ignore_changes = [insecure_value]
  }
}

locals {
  first_public_key = trimspace(coalesce(var.cloudfront_public_key_pem, local.key_that_nobody_has))

  # A point of P-256 whose first coordinate is the SHA-256 of a sentence, so that nobody can know the private half: whoever
  # did could take discrete logarithms. tests/keys/run works it out again.
  key_that_nobody_has = trimspace(<<-PEM
    -----BEGIN PUBLIC KEY-----
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAIQYejzjnXVhvT8XCElnKiiCr+WM
    dUJwrPVkulFGLdZ3JSbscW68S6ygggzKc6B0pfRl0njz9Gi65fLu1mY92w==
    -----END PUBLIC KEY-----
  PEM
  )

  # Another pair's private key, which everybody may know: CloudFront trusts nothing that it signs.
  key_that_opens_nothing = "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1JR0hBZ0VBTUJNR0J5cUdTTTQ5QWdFR0NDcUdTTTQ5QXdFSEJHMHdhd0lCQVFRZ3NDaUpzNlY0WnNNR1h1THcKWjY3TXBKWERVTS9UVDFyQjZ5ZEVDZVFvbC9haFJBTkNBQVRMWUdmeC8wTWRFMyt5cy83NzI4RGJMRjQxK0ZRcwpGM1AzMklWSjRFZVNUTXNEcy9oUEVyNk01OEZmdjdkZ2VpRTBxTFdBaWx5NXN6M3VTdERCUUc1RQotLS0tLUVORCBQUklWQVRFIEtFWS0tLS0tCg=="
}

check "links_open" {
  assert {
    condition     = trimspace(aws_ssm_parameter.public_key.insecure_value) != local.key_that_nobody_has
    error_message = "No link to viewer assets opens: CloudFront answers 403, since it trusts a key whose private half nobody has. Run terraform/replace-cloudfront-keys.sh, which gives it and the service a pair."
  }
}

check "signing_key_variable_is_in_use" {
  assert {
    condition     = trimspace(aws_cloudfront_public_key.first.encoded_key) == local.first_public_key
    error_message = "cloudfront_public_key_pem counts at the first apply only, and was changed since. Keys are changed by terraform/replace-cloudfront-keys.sh."
  }
}

check "parameter_has_its_kms_key" {
  assert {
    condition     = coalesce(aws_ssm_parameter.private_key.key_id, "alias/aws/ssm") == coalesce(var.parameter_kms_key_arn, "alias/aws/ssm")
    error_message = "The parameter with the private key is encrypted with another key than parameter_kms_key_arn. Run terraform/replace-cloudfront-keys.sh, which writes it anew; the service may use both keys until the apply after that."
  }
}
