"""fsspec, pyarrow and pandas, over each way."""
# needs: tables/1_upload.py

import fsspec
import pandas
import pyarrow.parquet

from pages import run_python
from stack import HEADERS, check, finish, package, presign, presign_url, refused, sign

link = presign("rows")
size = link["size"]
ways = {
    "presign": (presign_url("rows"), {"client_kwargs": {"headers": HEADERS}}, lambda n: {"api": n, "s3": n}),
    # One request more: HEAD is 403, and a GET that is not read to its end tells the size.
    "link": (link["presigned_url"], {}, lambda n: {"api": 0, "s3": n + 1}),
    "proxy": (link["proxy_url"], {}, lambda n: {"api": n, "s3": n}),
    "CDN": (sign("rows", "rows.parquet"), {}, lambda n: {"api": 0, "edge": n}),
}

with check("fsspec: the example", api=2, s3=2):
    assert run_python("fsspec", "presign", PACKAGE=package("rows")).end.endswith(b"PAR1")
with check("pyarrow: the example", edge=0):
    assert run_python("pyarrow", "presign", PACKAGE=package("rows")).group.num_rows == 10_000
for way, (url, options, requests) in ways.items():
    with check(f"fsspec: {way}, the first four bytes", **requests(2)), fsspec.open(url, block_size=2**16, **options) as file:
        assert file.read(4) == b"PAR1"
    with check(f"pyarrow: {way}, one of six columns", **requests(42)):
        with fsspec.open(url, cache_type="none", **options) as file:
            assert pyarrow.parquet.ParquetFile(file).read(columns=["signal_0"]).num_rows == 400_000
    with check(f"pyarrow: {way}, one of 40 row groups", **requests(3)):
        with fsspec.open(url, cache_type="none", **options) as file:
            assert pyarrow.parquet.ParquetFile(file).read_row_group(20, columns=["signal_0"]).num_rows == 10_000

with check("pandas: link", api=1, s3=1):
    assert len(run_python("pandas", "link", link=presign("units")).table) == 100
with check("pandas: presign over fsspec", edge=0):
    assert len(run_python("pandas", "presign", PACKAGE=package("units")).table) == 100
with check("pandas: presign forwards the header and is refused by S3", api=1, s3=1), refused("400"):
    pandas.read_csv(presign_url("units"), storage_options=HEADERS)
for way, (url, _, requests) in list(ways.items())[1:]:
    servers = {server: 1 for server, number in requests(1).items() if number}
    with check(f"pandas: {way}, one column reads the whole file", **servers, bytes=size):
        assert pandas.read_parquet(url, columns=["signal_0"]).shape == (400_000, 1)
finish()
