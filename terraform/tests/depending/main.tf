# The module with `depends_on`, for ../example.tftest.hcl: its roles must stay when something outside it changes.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "beside" {
  type = string
}

resource "terraform_data" "beside" {
  input = var.beside
}

module "packages_service" {
  source = "../.."

  environment     = "dev"
  platform_domain = "example.org"

  lambda_bucket  = "example-artifacts"
  lambda_version = "v1.2.3"

  subnet_ids            = ["subnet-1", "subnet-2"]
  security_group_ids    = ["sg-1"]
  rds_proxy_endpoint    = "dev.proxy-abc.us-east-1.rds.amazonaws.com"
  rds_proxy_resource_id = "prx-0123456789abcdef0"

  user_pool  = { id = "us-east-1_People111", client_id = "1people" }
  token_pool = { id = "us-east-1_Tokens111", client_id = "1tokens" }

  storage_buckets      = ["example-dev-storage-use1"]
  viewer_assets_bucket = "example-dev-package-assets-use1"
  cors_origins         = ["https://app.example.org"]

  cloudfront_public_key_pem = <<-PEM
    -----BEGIN PUBLIC KEY-----
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE84LtkjnWsUSJLr86dZ9uq9Z0lH54
    zZwI3sMFL6944URldOovr4FrfYkLg0FeBd7bkByxaAnxvd6GcHw3yvlFMg==
    -----END PUBLIC KEY-----
  PEM

  depends_on = [terraform_data.beside]
}

output "role_names" {
  value = module.packages_service.role_names
}

