"""Uploads an HDF5 file with chunks, which is NetCDF too, as source file and as viewer asset."""

import pathlib
import tempfile

import netCDF4
import numpy

from stack import check, finish
from upload import add_asset, add_file


def write_file(path):
    """A variable of 8 MB in 64 chunks, of which programs read one."""
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("row", 1024)
        file.createDimension("column", 1024)
        signal = file.createVariable("signal", "f8", ("row", "column"), chunksizes=(128, 128))
        signal[:] = numpy.arange(1024 * 1024, dtype="f8").reshape(1024, 1024)


with check("boto3: upload an HDF5 file"), tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "slice.h5"
    write_file(path)
    add_file("slice", "slice.h5", path.read_bytes())
    add_asset("slice", "slice.h5", path.read_bytes())
finish()
