"""DuckDB with httpfs, over each way."""
# needs: tables/1_upload.py

import atexit
import pathlib
import tempfile

import duckdb
import duckdb_extension_httpfs

from pages import run_python
from stack import API, TOKEN, check, finish, package, presign, presign_url, refused, sign, skip

extension = next(pathlib.Path(duckdb_extension_httpfs.__file__).parent.rglob("httpfs.duckdb_extension"), None)
if not extension or f"v{duckdb.__version__}" not in extension.parts:
    skip(f"the Python packages have no httpfs for DuckDB {duckdb.__version__}, and it is in no other registry")

# DuckDB loads from DIRECTORY/VERSION/PLATFORM. Nothing is downloaded from its own host.
folder = tempfile.TemporaryDirectory()
atexit.register(folder.cleanup)
[platform] = duckdb.connect().execute("PRAGMA platform").fetchone()
home = pathlib.Path(folder.name) / f"v{duckdb.__version__}" / platform
home.mkdir(parents=True)
(home / extension.name).symlink_to(extension)
CONFIG = {"extension_directory": folder.name, "autoinstall_known_extensions": False}

SECRET = f"CREATE SECRET (TYPE http, SCOPE '{API}', EXTRA_HTTP_HEADERS MAP {{'Authorization': 'Bearer {TOKEN}'}})"
ONE_COLUMN = "SELECT sum(signal_0) FROM read_parquet('{}')"
ONE_GROUP = "SELECT count(*), sum(signal_0) FROM read_parquet('{}') WHERE id BETWEEN 200000 AND 209999"


def connect():
    connection = duckdb.connect(config=CONFIG)
    connection.execute("LOAD httpfs")
    connection.execute(SECRET)
    return connection


with check("DuckDB: the example with a secret", api=range(3, 7), edge=0):
    assert run_python("duckdb", "presign", CONFIG=CONFIG, PACKAGE=package("rows")).count == (10_000,)
with check("DuckDB: the example with a link", s3=44):
    [total] = run_python("duckdb", "link", CONFIG=CONFIG, link=presign("rows")).total
    assert 199_000 < total < 201_000

link = presign("rows")
ways = {
    "presign": (presign_url("rows"), lambda n: {"api": n, "s3": n, "edge": 0}),
    "presign with a name": (presign_url("rows", "rows.parquet"), lambda n: {"api": n, "s3": n, "edge": 0}),
    # One request more: HEAD is 403, and a range of one byte tells the size.
    "link": (link["presigned_url"], lambda n: {"api": 0, "s3": n + 1, "edge": 0}),
    "proxy": (link["proxy_url"], lambda n: {"api": n, "s3": n, "edge": 0}),
    "CDN": (sign("rows", "rows.parquet"), lambda n: {"api": 0, "s3": 0, "edge": n}),
}
for way, (url, requests) in ways.items():
    with check(f"DuckDB: {way}, one of six columns", **requests(43), bytes=range(3_000_000, 3_200_000)):
        [column] = connect().execute(ONE_COLUMN.format(url)).fetchone()
        assert abs(column - total) < 1e-6
    connection = connect()
    with check(f"DuckDB: {way}, one of 40 row groups", **requests(5), bytes=range(100_000, 150_000)):
        [count, first] = connection.execute(ONE_GROUP.format(url)).fetchone()
        assert count == 10_000 and 4_900 < first < 5_100
    # DuckDB's cache knows the file by the URL that it was given, and asks with HEAD whether it has changed.
    for time in ("second", "third"):
        with check(f"DuckDB: {way}, the {time} time", **requests(1), bytes=range(3)):
            assert connection.execute(ONE_GROUP.format(url)).fetchone()[0] == 10_000
with check("DuckDB: a secret without SCOPE goes to S3 with the link, which refuses it", api=0), refused("HTTP Error"):
    connection = duckdb.connect(config=CONFIG)
    connection.execute("LOAD httpfs")
    connection.execute(SECRET.replace(f"SCOPE '{API}', ", ""))
    connection.execute(ONE_GROUP.format(link["presigned_url"]))
finish()
