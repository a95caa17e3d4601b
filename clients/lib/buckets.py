"""The stack's buckets, for client programs. It needs boto3."""

import urllib.parse

import boto3

from stack import S3, sign_directory

bucket = boto3.client(
    "s3",
    endpoint_url=S3["endpoint"],
    region_name=S3["region"],
    aws_access_key_id=S3["access_key_id"],
    aws_secret_access_key=S3["secret_access_key"],
)


def asset_prefix(name):
    """The beginning of the keys of a package's viewer assets, without a slash at its end."""
    resource = sign_directory(name, "")["resource"]
    return urllib.parse.unquote(urllib.parse.urlsplit(resource).path).strip("/*")
