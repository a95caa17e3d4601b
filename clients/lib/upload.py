"""Adds packages and their files to the demo's dataset, for client programs. It needs boto3 and pg8000."""

import json
import urllib.parse
import uuid

import pg8000.native
from buckets import asset_prefix, bucket

from stack import DATASET, FILES, S3, STACK, package


def run_sql(sql, **values):
    """Runs a statement as the database's owner. `{w}` is the schema of the demo's workspace."""
    url = urllib.parse.urlsplit(STACK["database_url"])
    connection = pg8000.native.Connection(
        url.username, host=url.hostname, port=url.port, password=url.password, database=url.path.strip("/")
    )
    try:
        return connection.run(sql.format(w=f'"{STACK["demo"]["workspace_id"]}"'), **values)
    finally:
        connection.close()


def add_package(name, title, kind, parent):
    """Adds a row for a package. Programs that run later find its node id by `name`."""
    node_id = f"N:{'collection' if kind == 'Collection' else 'package'}:{uuid.uuid4()}"
    sql = """INSERT INTO {w}.packages (node_id, name, type, state, dataset_id, parent_id)
             SELECT :node_id, :title, :kind, 'READY', id, (SELECT id FROM {w}.packages WHERE node_id = :parent)
             FROM {w}.datasets WHERE node_id = :dataset RETURNING id"""
    parent = package(parent) if parent else None
    [[row]] = run_sql(sql, node_id=node_id, title=title, kind=kind, parent=parent, dataset=DATASET)
    known = json.loads(FILES.read_text()) if FILES.exists() else {}
    FILES.write_text(json.dumps({**known, name: node_id}))
    return row


def add_folder(name, title, parent=None):
    """Adds a folder."""
    add_package(name, title, "Collection", parent)


def add_file(name, title, data, parent=None, content_type="application/octet-stream"):
    """Adds a package with one source file, whose object has a UUID for a name."""
    key = f"O1/D1/{uuid.uuid4()}/{uuid.uuid4()}"
    bucket.put_object(Bucket=S3["storage_bucket"], Key=key, Body=data, ContentType=content_type)
    row = add_package(name, title, "Unsupported", parent)
    sql = """INSERT INTO {w}.files (package_id, name, s3_bucket, s3_key, size, object_type, processing_state, uploaded_state)
             VALUES (:row, :title, :bucket, :key, :size, 'source', 'unprocessed', 'UPLOADED')"""
    run_sql(sql, row=row, title=title, bucket=S3["storage_bucket"], key=key, size=len(data))


def add_asset(name, path, data, content_type="application/octet-stream"):
    """Adds a viewer asset of a package."""
    bucket.put_object(Bucket=S3["viewer_assets_bucket"], Key=f"{asset_prefix(name)}/{path}", Body=data, ContentType=content_type)
