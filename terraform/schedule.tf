# Work that no message announces: orders whose message was lost, restores that wait for a retry, announcements that could not be
# delivered. Once a day also maintenance in all workspaces. Two runs at once do no harm.

locals {
  schedules = {
    resume   = { expression = "rate(5 minutes)", description = "Continues restores that no message announced" }
    maintain = { expression = "rate(1 day)", description = "Puts packages that are RESTORING without an order back into the trash" }
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

  # No retry: the next run does the same work.
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
