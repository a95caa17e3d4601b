"""h5py over fsspec, and netCDF4 with byte ranges, over each way."""
# needs: arrays/1_upload.py

import fsspec
import h5py
import netCDF4

from pages import run_python
from stack import HEADERS, check, finish, package, presign, presign_url, refused, sign

VALUE = 300 * 1024 + 700
link = presign("slice")
ways = {
    "presign": (presign_url("slice"), {"client_kwargs": {"headers": HEADERS}}, lambda n: {"api": n, "s3": n}),
    "link": (link["presigned_url"], {}, lambda n: {"api": 0, "s3": n + 1}),
    "proxy": (link["proxy_url"], {}, lambda n: {"api": n, "s3": n}),
    "CDN": (sign("slice", "slice.h5"), {}, lambda n: {"api": 0, "edge": n}),
}
with check("h5py: the example", api=3, s3=3, bytes=range(300_000)):
    assert run_python("h5py", "presign", PACKAGE=package("slice")).value == VALUE
for way, (url, options, requests) in ways.items():
    with check(f"h5py: {way}, one of 64 chunks", **requests(3)):
        with fsspec.open(url, block_size=2**16, **options) as file, h5py.File(file) as data:
            assert data["signal"][300, 700] == VALUE

with check("netCDF4: the example", api=16, s3=15, bytes=range(200_000)):
    assert run_python("netcdf4", "proxy", link=presign("slice")).value == VALUE
with check("netCDF4: CDN", edge=15, bytes=range(200_000)), netCDF4.Dataset(f"{ways['CDN'][0]}#mode=bytes") as data:
    assert data["signal"][300, 700] == VALUE
with check("netCDF4: link is refused, it insists on HEAD", s3=1), refused("NetCDF"):
    netCDF4.Dataset(f"{link['presigned_url']}#mode=bytes")
with check("netCDF4: presign is refused, it sends no header", s3=0), refused("NetCDF"):
    netCDF4.Dataset(f"{presign_url('slice')}#mode=bytes")
finish()
