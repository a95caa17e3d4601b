"""boto3's own presigned URLs at the proxy."""
# needs: downloads/1_upload.py

import urllib.parse
import urllib.request

import boto3
from _files import BYTES

from pages import run_python
from stack import API, S3, check, finish, presign, refused

keys = {
    "endpoint_url": S3["endpoint"],
    "region_name": S3["region"],
    "aws_access_key_id": S3["access_key_id"],
    "aws_secret_access_key": S3["secret_access_key"],
}
path = urllib.parse.urlsplit(presign("report")["presigned_url"]).path
bucket, key = path.removeprefix("/").split("/", 1)

with check("boto3: Signature Version 4 through the proxy, by the example", api=1, s3=1):
    example = run_python("boto3", "proxy", CLIENT=keys, BUCKET=bucket, KEY=key)
    assert "X-Amz-Signature" in example.url and example.data == BYTES
with check("boto3: the default, Signature Version 2, is refused by the proxy", api=1, s3=0), refused("400"):
    url = boto3.client("s3", **keys).generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
    assert "AWSAccessKeyId" in url, url
    urllib.request.urlopen(f"{API}/proxy/s3?presigned_url={urllib.parse.quote(url, safe='')}")
finish()
