"""Writes Zarr hierarchies with zarr-python and uploads them as viewer assets of the demo's package `pyramid`."""

import pathlib
import tempfile

from _arrays import SHARDED, SPARSE, write_arrays
from buckets import asset_prefix, bucket

from stack import S3, check, finish


def upload_directory(directory):
    """Uploads all files to the package's directory of viewer assets."""
    prefix = asset_prefix("pyramid")
    for file in filter(pathlib.Path.is_file, directory.rglob("*")):
        key = f"{prefix}/{file.relative_to(directory).as_posix()}"
        bucket.put_object(Bucket=S3["viewer_assets_bucket"], Key=key, Body=file.read_bytes())


with check("boto3: upload arrays"), tempfile.TemporaryDirectory() as folder:
    directory = pathlib.Path(folder)
    write_arrays(directory)
    assert (directory / SHARDED / "c/0/0").is_file() and not (directory / SHARDED / "c/0/1").exists()
    assert (directory / SPARSE / "c/1/1").is_file() and not (directory / SPARSE / "c/0/1").exists()
    upload_directory(directory)
finish()
