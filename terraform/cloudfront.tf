# The CDN in front of the viewer assets: signed links only, and the bucket only by its own signature.

locals {
  cdn_domain = var.cdn_domain == null ? aws_cloudfront_distribution.viewer_assets.domain_name : var.cdn_domain.name

  # Readers of ranges cannot work without these, and pages see only what is exposed.
  exposed_headers = ["Content-Length", "Content-Type", "Content-Range", "Content-Encoding", "ETag", "Last-Modified", "Accept-Ranges"]

  day = 24 * 3600

  # How long an edge keeps what S3 gives no lifetime for. Parquet is not compressed on its way: its readers ask for
  # ranges, and count on the length of the whole.
  caches = {
    parquet = { default_ttl = 30 * local.day, compress = false, comment = "Parquet: 30 days" }
    other   = { default_ttl = local.day, compress = true, comment = "All but Parquet: 24 hours" }
  }

  # Patterns tell upper from lower case.
  parquet_patterns = ["*.parquet", "*.PARQUET"]

  # Log sources, and what the bucket's policy says of them, are named before they are there.
  cdn_log_source = "${local.global_prefix}-cdn"
}

# The key of the first apply. The keys after it are made and put to use by replace-cloudfront-keys.sh: were they made
# here, changing one would take the old one away while links that it signed are still out.
resource "aws_cloudfront_public_key" "first" {
  name        = "${local.global_prefix}-first"
  comment     = "Viewer assets of ${local.prefix}, the key of the first apply"
  encoded_key = local.first_public_key

  lifecycle {
    ignore_changes = [encoded_key]
  }
}

resource "aws_cloudfront_key_group" "viewer_assets" {
  name    = "${local.global_prefix}-viewer-assets"
  comment = "Who may sign links to viewer assets of ${local.prefix}"
  items   = [aws_cloudfront_public_key.first.id]

  # replace-cloudfront-keys.sh adds and removes keys. An apply must not undo it.
  lifecycle {
    ignore_changes = [items]
  }
}

resource "aws_cloudfront_origin_access_control" "viewer_assets" {
  # Its name may have 64 characters, which is why it says no more.
  name                              = local.global_prefix
  description                       = "The CDN's own signature on requests to the bucket"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_cache_policy" "viewer_assets" {
  for_each = local.caches

  name        = "${local.global_prefix}-${each.key}"
  comment     = each.value.comment
  min_ttl     = 0
  default_ttl = each.value.default_ttl
  max_ttl     = 365 * local.day

  # Nothing of the request but its path: signatures must not split the cache.
  parameters_in_cache_key_and_forwarded_to_origin {
    enable_accept_encoding_gzip   = each.value.compress
    enable_accept_encoding_brotli = each.value.compress

    cookies_config {
      cookie_behavior = "none"
    }
    headers_config {
      header_behavior = "none"
    }
    query_strings_config {
      query_string_behavior = "none"
    }
  }
}

# S3 answers a preflight only if it is told the page's origin; AWS's own policy passes on just that.
data "aws_cloudfront_origin_request_policy" "cors" {
  name = "Managed-CORS-S3Origin"
}

resource "aws_cloudfront_response_headers_policy" "viewer_assets" {
  name    = "${local.global_prefix}-viewer-assets"
  comment = "Which pages may read, and what they see"

  cors_config {
    access_control_allow_credentials = false
    access_control_max_age_sec       = 3600
    origin_override                  = true

    access_control_allow_origins {
      items = var.cors_origins
    }
    access_control_allow_methods {
      items = ["GET", "HEAD", "OPTIONS"]
    }
    access_control_allow_headers {
      items = ["*"]
    }
    access_control_expose_headers {
      items = local.exposed_headers
    }
  }

  security_headers_config {
    strict_transport_security {
      access_control_max_age_sec = 365 * local.day
      # Promises for a whole domain are its owner's to make, and AWS's is not ours.
      include_subdomains = var.cdn_domain != null
      preload            = var.cdn_domain != null
      override           = true
    }
    content_type_options {
      override = true
    }
    referrer_policy {
      # A link is a secret: pages that were opened by one must not tell it to others.
      referrer_policy = "no-referrer"
      override        = true
    }
  }
}

resource "aws_cloudfront_distribution" "viewer_assets" {
  comment         = "Viewer assets of ${local.prefix}"
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  price_class     = var.cdn_price_class
  web_acl_id      = var.cdn_web_acl_arn
  aliases         = var.cdn_domain == null ? [] : [var.cdn_domain.name]

  # There is none of this name. Without a root object, a request for / would be a request for the bucket's listing.
  default_root_object = "nothing-at-the-root"

  origin {
    origin_id                = "viewer-assets"
    domain_name              = aws_s3_bucket.viewer_assets.bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.viewer_assets.id
  }

  default_cache_behavior {
    target_origin_id           = "viewer-assets"
    viewer_protocol_policy     = "https-only"
    allowed_methods            = ["GET", "HEAD", "OPTIONS"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = local.caches.other.compress
    cache_policy_id            = aws_cloudfront_cache_policy.viewer_assets["other"].id
    origin_request_policy_id   = data.aws_cloudfront_origin_request_policy.cors.id
    response_headers_policy_id = aws_cloudfront_response_headers_policy.viewer_assets.id
    trusted_key_groups         = [aws_cloudfront_key_group.viewer_assets.id]
  }

  dynamic "ordered_cache_behavior" {
    for_each = local.parquet_patterns

    content {
      path_pattern               = ordered_cache_behavior.value
      target_origin_id           = "viewer-assets"
      viewer_protocol_policy     = "https-only"
      allowed_methods            = ["GET", "HEAD", "OPTIONS"]
      cached_methods             = ["GET", "HEAD"]
      compress                   = local.caches.parquet.compress
      cache_policy_id            = aws_cloudfront_cache_policy.viewer_assets["parquet"].id
      origin_request_policy_id   = data.aws_cloudfront_origin_request_policy.cors.id
      response_headers_policy_id = aws_cloudfront_response_headers_policy.viewer_assets.id
      trusted_key_groups         = [aws_cloudfront_key_group.viewer_assets.id]
    }
  }

  # A missing asset may be on its way: do not remember for long that it was not there.
  custom_error_response {
    error_code            = 404
    error_caching_min_ttl = 5
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  # CloudFront's own certificate comes with whatever TLS it comes with; a minimum can be set for one's own only.
  viewer_certificate {
    cloudfront_default_certificate = var.cdn_domain == null
    acm_certificate_arn            = try(var.cdn_domain.certificate_arn, null)
    ssl_support_method             = var.cdn_domain == null ? null : "sni-only"
    minimum_protocol_version       = var.cdn_domain == null ? "TLSv1" : "TLSv1.2_2021"
  }

  tags = var.tags
}

# Access logs by CloudWatch's delivery, and not the older way, which cannot leave the query out: there it is the link's
# signature. CloudFront's logs are sent from us-east-1, wherever the bucket is.
resource "aws_cloudwatch_log_delivery_source" "cdn" {
  count = var.access_log_bucket == null ? 0 : 1

  region       = "us-east-1"
  name         = local.cdn_log_source
  log_type     = "ACCESS_LOGS"
  resource_arn = aws_cloudfront_distribution.viewer_assets.arn
  tags         = var.tags
}

resource "aws_cloudwatch_log_delivery_destination" "cdn" {
  count = var.access_log_bucket == null ? 0 : 1

  region        = "us-east-1"
  name          = "${local.global_prefix}-cdn"
  output_format = "json"
  tags          = var.tags

  delivery_destination_configuration {
    destination_resource_arn = "arn:${local.partition}:s3:::${var.access_log_bucket}"
  }
}

resource "aws_cloudwatch_log_delivery" "cdn" {
  count = var.access_log_bucket == null ? 0 : 1

  region                   = "us-east-1"
  delivery_source_name     = aws_cloudwatch_log_delivery_source.cdn[0].name
  delivery_destination_arn = aws_cloudwatch_log_delivery_destination.cdn[0].arn
  tags                     = var.tags

  record_fields = [
    "date", "time", "x-edge-location", "sc-bytes", "c-ip", "cs-method", "cs(Host)", "cs-uri-stem", "sc-status",
    "cs(User-Agent)", "x-edge-result-type", "x-edge-request-id", "x-host-header", "cs-protocol", "cs-bytes",
    "time-taken", "ssl-protocol", "x-edge-response-result-type", "cs-protocol-version", "time-to-first-byte",
    "x-edge-detailed-result-type", "sc-content-type", "sc-content-len", "sc-range-start", "sc-range-end",
  ]
}
