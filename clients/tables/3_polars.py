"""polars, over each way."""
# needs: tables/1_upload.py

import json

import polars

from pages import run_python
from stack import HEADERS, check, finish, presign, presign_url, refused, sign

with check("polars: the example", api=1, edge=0):
    read = run_python("polars", "link", link=presign("rows"))
    assert 199_000 < read.total < 201_000 and read.rows.height == 10_000

link = presign("rows")
ways = {
    "link": (link["presigned_url"], lambda n: {"api": 0, "s3": n, "edge": 0}),
    "proxy": (link["proxy_url"], lambda n: {"api": n, "s3": n, "edge": 0}),
    "CDN": (sign("rows", "rows.parquet"), lambda n: {"api": 0, "s3": 0, "edge": n}),
}
for way, (url, requests) in ways.items():
    with check(f"polars: {way}, one of six columns", **requests(41), bytes=range(3_000_000, 3_400_000)):
        total = polars.scan_parquet(url).select(polars.col("signal_0").sum()).collect().item()
        assert abs(total - read.total) < 1e-6
    with check(f"polars: {way}, one of 40 row groups", **requests(2), bytes=range(250_000, 400_000)):
        rows = polars.scan_parquet(url).filter(polars.col("id").is_between(200_000, 209_999)).select("id", "signal_0")
        assert rows.collect().height == 10_000
with check("polars: presign is 401, it sends no header", s3=0), refused("401"):
    polars.scan_parquet(presign_url("rows"), storage_options={"headers": json.dumps(HEADERS)}).collect()
finish()
