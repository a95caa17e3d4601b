# The viewer-assets bucket. Only CloudFront and the service's role read it. The programs that write assets have their own
# permissions. The policy does not deny everyone else: that would also block the service's presigned links, and Terraform.

resource "aws_s3_bucket" "viewer_assets" {
  bucket        = var.viewer_assets_bucket
  force_destroy = var.viewer_assets_force_destroy
  tags          = var.tags
}

resource "aws_s3_bucket_public_access_block" "viewer_assets" {
  bucket                  = aws_s3_bucket.viewer_assets.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "viewer_assets" {
  bucket = aws_s3_bucket.viewer_assets.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "viewer_assets" {
  bucket = aws_s3_bucket.viewer_assets.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "viewer_assets" {
  bucket = aws_s3_bucket.viewer_assets.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "viewer_assets" {
  bucket = aws_s3_bucket.viewer_assets.id

  rule {
    id     = "tier"
    status = "Enabled"
    filter {}

    transition {
      days          = 0
      storage_class = "INTELLIGENT_TIERING"
    }
  }

  rule {
    id     = "clean-up"
    status = "Enabled"
    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    # A delete marker without older versions.
    expiration {
      expired_object_delete_marker = true
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.viewer_assets]
}

# For presigned links to the bucket itself; responses through CloudFront get CloudFront's headers. Any origin is allowed, because
# a page that the API redirects here has the origin `null` (WHATWG Fetch, "HTTP-redirect fetch"). Access needs the link, never a
# cookie.
resource "aws_s3_bucket_cors_configuration" "viewer_assets" {
  bucket = aws_s3_bucket.viewer_assets.id

  cors_rule {
    allowed_methods = ["GET", "HEAD"]
    allowed_origins = ["*"]
    allowed_headers = ["*"]
    expose_headers  = local.exposed_headers
    max_age_seconds = 3600
  }
}

resource "aws_s3_bucket_policy" "viewer_assets" {
  bucket = aws_s3_bucket.viewer_assets.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "RefuseWithoutTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.viewer_assets.arn, "${aws_s3_bucket.viewer_assets.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "CloudFrontReads"
        Effect    = "Allow"
        Principal = { Service = "cloudfront.amazonaws.com" }
        Action    = "s3:GetObject"
        Resource  = "${aws_s3_bucket.viewer_assets.arn}/*"
        Condition = { StringEquals = { "aws:SourceArn" = aws_cloudfront_distribution.viewer_assets.arn } }
      },
      {
        # With this permission S3 answers 404 instead of 403 for a missing object. To a reader of chunked arrays 404 is an empty
        # chunk, and 403 an error. Viewers cannot list the bucket: the distribution forwards no query, and has a root object.
        Sid       = "CloudFrontTellsMissingFromForbidden"
        Effect    = "Allow"
        Principal = { Service = "cloudfront.amazonaws.com" }
        Action    = "s3:ListBucket"
        Resource  = aws_s3_bucket.viewer_assets.arn
        Condition = { StringEquals = { "aws:SourceArn" = aws_cloudfront_distribution.viewer_assets.arn } }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.viewer_assets]
}

# Off by default: S3 logs whole request lines, and a presigned link in one works for up to an hour.
resource "aws_s3_bucket_logging" "viewer_assets" {
  count = var.viewer_assets_access_log ? 1 : 0

  bucket        = aws_s3_bucket.viewer_assets.id
  target_bucket = var.access_log_bucket
  target_prefix = "${local.prefix}/viewer-assets/"
}
