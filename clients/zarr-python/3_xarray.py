"""xarray over one link for a directory, and over the API itself."""
# needs: zarr-python/1_upload.py

import urllib.parse

import xarray
from _arrays import DATASET, dataset
from zarr.storage import FsspecStore

from stack import HEADERS, api_url, check, finish, package, sign_directory


def assert_reads(url, options):
    """Opens a dataset with consolidated metadata, reads it, and compares."""
    store = FsspecStore.from_url(url, storage_options=options, read_only=True)
    opened = xarray.open_zarr(store, consolidated=True)
    xarray.testing.assert_identical(opened.load(), dataset())


with check("xarray: one link", api=1, edge=21, s3=0):
    link = sign_directory("pyramid", f"{DATASET}/")
    query = dict(urllib.parse.parse_qsl(link["query"]))
    assert_reads(link["resource"].removesuffix("*"), {"params": query})
with check("xarray: presign with path last", api=21, s3=21, edge=0):
    url = api_url("/presign/s3", package_id=package("pyramid"), path=DATASET)
    assert_reads(url, {"client_kwargs": {"headers": HEADERS}})
finish()
