# Encrypted with the bootstrap stack's key. A deploy role that made keys would also control their policies. AWS's own key for SNS
# does not work, because CloudWatch cannot use it.

resource "aws_sns_topic" "alarms" {
  # checkov:skip=CKV_AWS_26: encrypted if there is a key; an alarm contains only the name of a metric and a number
  name              = "${var.environment}-packages-service-alarms"
  kms_master_key_id = var.alarm_kms_key_arn
}

resource "aws_sns_topic_subscription" "email" {
  for_each = toset(var.alarm_emails)

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.key
}
