"""Uploads a Parquet file of 40 row groups and a DuckDB database, as source files and as viewer assets, and a CSV file."""

import io
import pathlib
import tempfile

import duckdb
import numpy
import pandas
import pyarrow
import pyarrow.parquet

from stack import check, finish
from upload import add_asset, add_file

ROWS, GROUP = 400_000, 10_000


def make_table():
    """`id` is sorted, so that a filter finds one row group. The other columns cannot be compressed."""
    random = numpy.random.default_rng(12)
    return pyarrow.table({"id": numpy.arange(ROWS), **{f"signal_{n}": random.random(ROWS) for n in range(5)}})


def parquet_bytes(table):
    sink = io.BytesIO()
    pyarrow.parquet.write_table(table, sink, row_group_size=GROUP, compression="zstd", use_dictionary=False)
    return sink.getvalue()


def database_bytes(table):
    """A database in the format that all versions of DuckDB since 0.10 read."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "rows.duckdb"
        with duckdb.connect() as connection:
            connection.execute(f"ATTACH '{path}' AS file (STORAGE_VERSION 'v1.0.0')")
            connection.register("rows_table", table)
            connection.execute("CREATE TABLE file.rows AS SELECT * FROM rows_table")
        return path.read_bytes()


with check("boto3: upload tables"):
    table = make_table()
    for name, title, data in (
        ("rows", "rows.parquet", parquet_bytes(table)),
        ("database", "rows.duckdb", database_bytes(table)),
    ):
        add_file(name, title, data)
        add_asset(name, title, data)
    units = pandas.DataFrame({"unit": range(100), "rate": [unit / 7 for unit in range(100)]}).to_csv(index=False).encode()
    add_file("units", "units.csv", units, content_type="text/csv")
finish()
