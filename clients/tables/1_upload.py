"""Uploads a Parquet file of 40 row groups and a CSV file, as source file and as viewer asset of the package `rows`."""

import io

import numpy
import pandas
import pyarrow
import pyarrow.parquet

from stack import check, finish
from upload import add_asset, add_file

ROWS, GROUP = 400_000, 10_000


def parquet_bytes():
    """`id` is sorted, so that a filter finds one row group. The other columns cannot be compressed."""
    random = numpy.random.default_rng(12)
    columns = {"id": numpy.arange(ROWS), **{f"signal_{n}": random.random(ROWS) for n in range(5)}}
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), sink, row_group_size=GROUP, compression="zstd", use_dictionary=False)
    return sink.getvalue()


with check("boto3: upload tables"):
    data = parquet_bytes()
    add_file("rows", "rows.parquet", data)
    add_asset("rows", "rows.parquet", data)
    units = pandas.DataFrame({"unit": range(100), "rate": [unit / 7 for unit in range(100)]}).to_csv(index=False).encode()
    add_file("units", "units.csv", units, content_type="text/csv")
finish()
