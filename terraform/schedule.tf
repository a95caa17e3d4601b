# What no message wakes a worker for: orders whose message was lost, restores that wait for their time, announcements that
# could not be delivered; and, once a day, a look through all workspaces. Two of the same at once do no harm.

locals {
  schedules = {
    resume   = { expression = "rate(5 minutes)", description = "Goes on with restores that nothing woke a worker for" }
    maintain = { expression = "rate(1 day)", description = "Puts back what is being restored without an order" }
  }
}

resource "aws_cloudwatch_event_rule" "restore" {
  for_each = local.schedules

  name                = "${local.prefix}-restore-${each.key}"
  description         = each.value.description
  schedule_expression = each.value.expression
  tags                = var.tags
}

resource "aws_cloudwatch_event_target" "restore" {
  for_each = local.schedules

  rule  = aws_cloudwatch_event_rule.restore[each.key].name
  arn   = aws_lambda_alias.live["restore"].arn
  input = jsonencode({ task = each.key })

  # The next schedule does the same.
  retry_policy {
    maximum_event_age_in_seconds = 300
    maximum_retry_attempts       = 0
  }
}

resource "aws_lambda_permission" "restore_schedule" {
  for_each = local.schedules

  statement_id  = "AllowSchedule-${each.key}"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function["restore"].function_name
  qualifier     = aws_lambda_alias.live["restore"].name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.restore[each.key].arn
}
