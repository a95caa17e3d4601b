# The viewer-assets bucket. Nobody reads it but CloudFront and the service's role; whatever writes the assets has rights of
# its own. There is no blanket refusal: it would shut out the service's own presigned links, and Terraform.

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

    # A marker with nothing left beneath it.
    expiration {
      expired_object_delete_marker = true
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.viewer_assets]
}

# For presigned links to the bucket itself; what comes by way of CloudFront gets CloudFront's headers. Any origin, since a
# page that is redirected here by the API comes with the origin `null` (WHATWG Fetch, "HTTP-redirect fetch"). What opens an
# object is its link, which a page has to have, and never a cookie.
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
        # So that what is not there is 404 and not 403: to a reader of chunked arrays the first is an empty chunk, the
        # second an error. A listing cannot be asked for: the distribution passes no query on, and has a root object.
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

# Off unless asked for: S3 writes whole request lines, and a presigned link in one opens what it names for an hour.
resource "aws_s3_bucket_logging" "viewer_assets" {
  count = var.viewer_assets_access_log ? 1 : 0

  bucket        = aws_s3_bucket.viewer_assets.id
  target_bucket = var.access_log_bucket
  target_prefix = "${local.prefix}/viewer-assets/"
}
