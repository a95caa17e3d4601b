# The queues: restore orders, failed orders, failed asynchronous calls.

locals {
  queues = {
    restore            = aws_sqs_queue.restore
    dead_letters       = aws_sqs_queue.dead_letters
    failed_invocations = aws_sqs_queue.failed_invocations
  }

  deliveries = 3
  two_weeks  = 14 * 24 * 3600
}

resource "aws_sqs_queue" "restore" {
  name = "${local.prefix}-restore"

  # Six times the function's timeout, as AWS advises for a queue that triggers a function (AWS Lambda Developer Guide,
  # "Creating and configuring an Amazon SQS event source mapping").
  visibility_timeout_seconds = 6 * local.timeouts.restore

  # Enough for three deliveries and a night without a database. Dead letters keep their age, so their retention is longer.
  message_retention_seconds = 4 * 24 * 3600
  receive_wait_time_seconds = 20
  sqs_managed_sse_enabled   = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = local.deliveries
  })

  tags = var.tags
}

resource "aws_sqs_queue" "dead_letters" {
  name                       = "${local.prefix}-restore-dead-letters"
  visibility_timeout_seconds = 6 * local.timeouts.restore
  message_retention_seconds  = local.two_weeks
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = true
  tags                       = var.tags
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.url
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.restore.arn]
  })
}

resource "aws_sqs_queue" "failed_invocations" {
  name                      = "${local.prefix}-failed-invocations"
  message_retention_seconds = local.two_weeks
  receive_wait_time_seconds = 20
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

# The roles grant access to the queues. This policy only denies unencrypted connections.
resource "aws_sqs_queue_policy" "tls_only" {
  for_each = local.queues

  queue_url = each.value.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RefuseWithoutTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = each.value.arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}
