# The CDN in front of the viewer assets. It accepts only signed links, and signs its own requests to the bucket.

locals {
  cdn_domain = var.cdn_domain == null ? aws_cloudfront_distribution.viewer_assets.domain_name : var.cdn_domain.name

  # Clients that read ranges need these headers, and a page sees only exposed headers.
  exposed_headers = ["Content-Length", "Content-Type", "Content-Range", "Content-Encoding", "ETag", "Last-Modified", "Accept-Ranges"]

  day = 24 * 3600

  # How long an edge caches objects that have no lifetime in S3. The CDN does not compress Parquet: its readers request ranges
  # and rely on the length of the whole file.
  caches = {
    parquet = { default_ttl = 30 * local.day, compress = false, comment = "Parquet: 30 days" }
    other   = { default_ttl = local.day, compress = true, comment = "All but Parquet: 24 hours" }
  }

  # Patterns are case-sensitive.
  parquet_patterns = ["*.parquet", "*.PARQUET"]

  # A name and not a reference: the bucket's policy names the log source before it exists.
  cdn_log_source = "${local.global_prefix}-cdn"
}

# The key of the first apply. replace-cloudfront-keys.sh makes and activates all later keys. If Terraform made them, a change
# would remove the old key while links that it signed are still valid.
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

  # replace-cloudfront-keys.sh adds and removes keys. An apply must not undo that.
  lifecycle {
    ignore_changes = [items]
  }
}

resource "aws_cloudfront_origin_access_control" "viewer_assets" {
  # At most 64 characters, so the name has no suffix.
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

  # Only the path is part of the cache key: signatures must not split the cache.
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

# S3 answers a preflight only if it gets the page's origin. AWS's managed policy forwards just the CORS headers.
data "aws_cloudfront_origin_request_policy" "cors" {
  name = "Managed-CORS-S3Origin"
}

resource "aws_cloudfront_response_headers_policy" "viewer_assets" {
  name    = "${local.global_prefix}-viewer-assets"
  comment = "CORS and security headers of viewer assets"

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
      # Only the owner of a domain may set these for all its subdomains. cloudfront.net is AWS's.
      include_subdomains = var.cdn_domain != null
      preload            = var.cdn_domain != null
      override           = true
    }
    content_type_options {
      override = true
    }
    referrer_policy {
      # A link is a secret: a page that was opened with one must not send it to other sites.
      referrer_policy = "no-referrer"
      override        = true
    }
  }

  custom_headers_config {
    items {
      # For images on pages with Cross-Origin-Embedder-Policy: require-corp, which WebAssembly with threads needs.
      header   = "Cross-Origin-Resource-Policy"
      value    = "cross-origin"
      override = true
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

  # No object has this name. Without a root object, a request for / would ask the bucket for its listing.
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

  # An upload of a missing asset may be in progress: cache the 404 only briefly.
  custom_error_response {
    error_code            = 404
    error_caching_min_ttl = 5
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  # With CloudFront's own certificate the TLS version cannot be set. A minimum needs your own certificate.
  viewer_certificate {
    cloudfront_default_certificate = var.cdn_domain == null
    acm_certificate_arn            = try(var.cdn_domain.certificate_arn, null)
    ssl_support_method             = var.cdn_domain == null ? null : "sni-only"
    minimum_protocol_version       = var.cdn_domain == null ? "TLSv1" : "TLSv1.2_2021"
  }

  tags = var.tags
}

# CloudWatch delivers the access logs. CloudFront's older logging cannot leave out the query, which has the link's signature.
# CloudFront's logs always come from us-east-1, wherever the bucket is.
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
