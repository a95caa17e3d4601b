"""The arrays that the programs read, and what is in them."""

import numpy
import xarray
import zarr

SHARDED = "sharded.zarr"
SPARSE = "sparse.zarr"
SPELLED = "scan (1), é.zarr"
"""A name that URLs spell in more than one way."""
DATASET = "dataset.zarr"


def plane(side=1024):
    """A plane whose pixels are all different in their rows: a chunk in the wrong place is seen."""
    rows, columns = numpy.indices((side, side), dtype="uint16")
    return (rows * 7 + columns * 13).astype("uint16")


def sparse_plane():
    """Two of four chunks are empty, so that they are not stored."""
    array = numpy.full((256, 256), 9, dtype="uint16")
    array[:128, :128] = plane(128)
    array[128:, 128:] = plane(128)
    return array


def write_arrays(directory):
    """Writes a plane of 1024² in one shard of 256 chunks, a plane with missing chunks, and one with an unusual name."""
    zarr.create_array(directory / SHARDED, data=plane(), chunks=(64, 64), shards=(1024, 1024), zarr_format=3)
    for name in (SPARSE, SPELLED):
        array = zarr.create_array(
            directory / name, shape=(256, 256), chunks=(128, 128), dtype="uint16", fill_value=9, zarr_format=3
        )
        array[:] = sparse_plane()
    dataset().to_zarr(directory / DATASET, zarr_format=2, consolidated=True, encoding={"signal": {"chunks": (64, 64)}})


def dataset():
    """A dataset for xarray, with names of dimensions and a coordinate."""
    signal = (("time", "channel"), plane(256).astype("float32"), {"units": "mV"})
    return xarray.Dataset({"signal": signal}, coords={"time": numpy.arange(256) / 20_000})
