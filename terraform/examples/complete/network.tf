# The functions only open connections; they accept none. The database's security group must allow this group (output
# function_security_group_id).

resource "aws_security_group" "functions" {
  # checkov:skip=CKV2_AWS_5: the functions use it, but checkov does not look into the module
  name        = "${var.environment}-packages-service"
  description = "The functions of packages-service"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.functions.id
  description       = "AWS's services, and Cognito's public keys"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "postgres" {
  security_group_id            = aws_security_group.functions.id
  description                  = "The database"
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
  referenced_security_group_id = var.database_security_group_id
}
