"""zarr-python over one link for a directory, and over the API itself."""
# needs: zarr-python/1_upload.py

import urllib.parse

import numpy
import zarr
from _arrays import SHARDED, SPARSE, SPELLED, plane, sparse_plane
from zarr.storage import FsspecStore

from pages import run_python
from stack import HEADERS, api_url, check, finish, package, sign_directory


def open_store(link, **options):
    """A store that adds the link's query to the URL of each object."""
    base = link["resource"].removesuffix("*")
    options["params"] = dict(urllib.parse.parse_qsl(link["query"]))
    return FsspecStore.from_url(base, storage_options=options, read_only=True)


def open_with_cookies(link):
    """A store that sends the link's cookies with each request."""
    cookie = "; ".join(f"{name}={value}" for name, value in link["cookies"].items())
    options = {"client_kwargs": {"headers": {"Cookie": cookie}}}
    return FsspecStore.from_url(link["resource"].removesuffix("*"), storage_options=options, read_only=True)


def open_presigned(path):
    """A store that asks the API for each object. `path` is the last parameter, since zarr appends the object's name."""
    url = api_url("/presign/s3", package_id=package("pyramid"), path=path)
    options = {"client_kwargs": {"headers": HEADERS}}
    return FsspecStore.from_url(url, storage_options=options, read_only=True)


def read_pyramid(store):
    """Reads the three levels of the demo's pyramid."""
    group = zarr.open_group(store, mode="r")
    levels = [group[dataset["path"]][:] for dataset in group.attrs["multiscales"][0]["datasets"]]
    assert [level.shape for level in levels] == [(2, 512, 512), (2, 256, 256), (2, 128, 128)]
    assert all(level.any() for level in levels)
    return levels


with check("zarr-python: the examples", s3=4):
    link = sign_directory("pyramid", "image.ome.zarr/")
    for name, options in (("directory", {"link": link}), ("presign", {"PACKAGE": package("pyramid")})):
        assert "multiscales" in run_python("zarr-python", name, **options).group.attrs

# Four for the group, of which one is missing: zarr.json, .zgroup, .zattrs, .zmetadata. Then 42 chunks.
with check("zarr-python: pyramid, one link", api=1, edge=46, s3=0):
    by_link = read_pyramid(open_store(sign_directory("pyramid", "image.ome.zarr/")))
with check("zarr-python: pyramid, cookies", api=1, edge=46, s3=0):
    by_cookies = read_pyramid(open_with_cookies(sign_directory("pyramid", "image.ome.zarr/")))
with check("zarr-python: pyramid, presign with path last", api=46, s3=46, edge=0):
    by_presign = read_pyramid(open_presigned("image.ome.zarr"))
with check("zarr-python: the same pixels", api=0, edge=0, s3=0):
    for other in (by_cookies, by_presign):
        assert all(numpy.array_equal(one, two) for one, two in zip(by_link, other, strict=True))


def read_arrays(way, open_way, expect):
    """Reads the uploaded arrays. `expect` says which requests a number of objects takes."""
    with check(f"zarr-python: sharded, all of 1024², {way}", **expect(4)):
        assert numpy.array_equal(zarr.open_array(open_way(SHARDED), mode="r")[:], plane())
    with check(f"zarr-python: sharded, 128², {way}", **expect(8)):
        corner = zarr.open_array(open_way(SHARDED), mode="r")[:128, 64:192]
        assert numpy.array_equal(corner, plane()[:128, 64:192])
    with check(f"zarr-python: missing chunks, {way}", **expect(7)):
        assert numpy.array_equal(zarr.open_array(open_way(SPARSE), mode="r")[:], sparse_plane())


def open_signed(path):
    """A store over one link for the directory `path`."""
    return open_store(sign_directory("pyramid", f"{path}/"))


read_arrays("one link", open_signed, lambda objects: {"api": 1, "edge": objects, "s3": 0})
read_arrays("presign with path last", open_presigned, lambda objects: {"api": objects, "s3": objects, "edge": 0})

with check("zarr-python: a name with parentheses, one link", api=1, s3=0):
    # Otherwise yarl, which aiohttp is built on, spells `%28` as `(`, and the CDN compares texts.
    store = open_store(sign_directory("pyramid", f"{SPELLED}/"), encoded=True)
    assert numpy.array_equal(zarr.open_array(store, mode="r")[:], sparse_plane())
with check("zarr-python: the same without encoded=True is refused", api=1, s3=0):
    try:
        zarr.open_array(open_signed(SPELLED), mode="r")
    except Exception as error:
        assert "403" in str(error), error
    else:
        raise AssertionError("it was opened")
with check("zarr-python: a missing array is not found", api=1, s3=0):
    try:
        zarr.open_array(open_store(sign_directory("pyramid", "none.zarr/")), mode="r")
    except FileNotFoundError:
        pass
    else:
        raise AssertionError("it was opened")
finish()
