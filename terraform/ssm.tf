# The pair of signing keys, and CloudFront's id for it. Terraform makes the parameters and then leaves their values alone:
# replace-cloudfront-keys.sh writes later values, and an apply must not restore the first ones.

resource "aws_ssm_parameter" "private_key" {
  name        = "/${var.environment}/${var.service_name}/cloudfront/private-key"
  description = "Signs links to viewer assets: base64 of PEM. A line Key-Pair-Id: K.. before the PEM names the key."
  type        = "SecureString"
  key_id      = var.parameter_kms_key_arn
  tags        = var.tags

  # Write-only: the state never has this value or a later one.
  value_wo         = coalesce(var.cloudfront_private_key_base64, local.placeholder_private_key)
  value_wo_version = 1

  # `all`, because the provider writes the value again with every other change.
  lifecycle {
    ignore_changes = all
  }
}

resource "aws_ssm_parameter" "public_key" {
  name        = "/${var.environment}/${var.service_name}/cloudfront/public-key"
  description = "Public half of the key that signs links to viewer assets: PEM"
  type        = "String"
  tags        = var.tags

  # Insecure only in name, because a plan shows the value. The key is public.
  insecure_value = local.first_public_key

  lifecycle {
    ignore_changes = [insecure_value]
  }
}

# The value of CLOUDFRONT_KEY_ID: the id of the key in use, also after a replacement.
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
  first_public_key = trimspace(coalesce(var.cloudfront_public_key_pem, local.placeholder_public_key))

  # A point of P-256 whose x coordinate is the SHA-256 of a sentence. Its private half is unknown: to find it takes a discrete
  # logarithm. tests/keys/run computes the point again.
  placeholder_public_key = trimspace(<<-PEM
    -----BEGIN PUBLIC KEY-----
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAIQYejzjnXVhvT8XCElnKiiCr+WM
    dUJwrPVkulFGLdZ3JSbscW68S6ygggzKc6B0pfRl0njz9Gi65fLu1mY92w==
    -----END PUBLIC KEY-----
  PEM
  )

  # The private key of another pair. CloudFront trusts no signature of it.
  # checkov:skip=CKV_SECRET_6:No secret. Nothing trusts what this key signs.
  placeholder_private_key = "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1JR0hBZ0VBTUJNR0J5cUdTTTQ5QWdFR0NDcUdTTTQ5QXdFSEJHMHdhd0lCQVFRZ3NDaUpzNlY0WnNNR1h1THcKWjY3TXBKWERVTS9UVDFyQjZ5ZEVDZVFvbC9haFJBTkNBQVRMWUdmeC8wTWRFMyt5cy83NzI4RGJMRjQxK0ZRcwpGM1AzMklWSjRFZVNUTXNEcy9oUEVyNk01OEZmdjdkZ2VpRTBxTFdBaWx5NXN6M3VTdERCUUc1RQotLS0tLUVORCBQUklWQVRFIEtFWS0tLS0tCg=="
}

check "links_open" {
  assert {
    condition     = trimspace(aws_ssm_parameter.public_key.insecure_value) != local.placeholder_public_key
    error_message = "No link to viewer assets works: CloudFront answers 403, because it still trusts the placeholder key of the first apply. Run terraform/replace-cloudfront-keys.sh to give CloudFront and the service a pair of keys."
  }
}

check "signing_key_variable_is_in_use" {
  assert {
    condition     = trimspace(aws_cloudfront_public_key.first.encoded_key) == local.first_public_key
    error_message = "cloudfront_public_key_pem has changed, but only the first apply uses it. Run terraform/replace-cloudfront-keys.sh to change keys."
  }
}

check "parameter_has_its_kms_key" {
  assert {
    condition     = coalesce(aws_ssm_parameter.private_key.key_id, "alias/aws/ssm") == coalesce(var.parameter_kms_key_arn, "alias/aws/ssm")
    error_message = "The parameter with the private key is not encrypted with parameter_kms_key_arn. Run terraform/replace-cloudfront-keys.sh: it writes the parameter again. The service may use both KMS keys until the apply after that."
  }
}
