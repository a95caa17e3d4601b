"""requests, httpx and urllib: over the API, and over a link."""
# needs: downloads/1_upload.py

import urllib.request

import httpx
import requests
from _files import BYTES, NAME

from pages import run_python
from stack import HEADERS, check, finish, package, presign, presign_url, refused, sign

PACKAGE = package("report")

with check("requests: presign", api=1, s3=1):
    assert run_python("requests", "redirect", PACKAGE=PACKAGE).data == BYTES
with check("requests: link, a range", api=1, s3=1):
    read = run_python("requests", "range", PACKAGE=PACKAGE)
    assert read.first == BYTES[:100] and read.link["filename"] == NAME and read.link["size"] == len(BYTES)
with check("requests: proxy, HEAD and GET", api=3, s3=2):
    url = presign("report")["proxy_url"]
    assert requests.head(url).headers["Content-Length"] == str(len(BYTES))
    assert requests.get(url).content == BYTES
with check("requests: CDN", api=1, edge=1):
    assert requests.get(sign("image", "preview/thumbnail.png")).content.startswith(b"\x89PNG")

with check("httpx: presign", api=1, s3=1):
    assert run_python("httpx", "redirect", PACKAGE=PACKAGE).data == BYTES
with check("httpx: presign without follow_redirects is the redirect", api=1, s3=0):
    assert httpx.get(presign_url("report"), headers=HEADERS).status_code == 307
with check("httpx: link", api=1, s3=1):
    assert httpx.get(presign("report")["presigned_url"]).content == BYTES

with check("urllib: presign", api=1, s3=1):
    assert run_python("urllib", "redirect", PACKAGE=PACKAGE).data == BYTES
with check("urllib: presign with an ordinary header is refused by S3", api=1, s3=1), refused("400"):
    urllib.request.urlopen(urllib.request.Request(presign_url("report"), headers=HEADERS))
with check("urllib: link", api=1, s3=1):
    assert urllib.request.urlopen(presign("report")["presigned_url"]).read() == BYTES
finish()
