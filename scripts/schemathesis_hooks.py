"""Replaces well-formed ids in generated requests with ids that exist, so that requests get past the first checks."""

import base64
import json
import os
import re
import urllib.parse
import urllib.request

import schemathesis

with open(os.environ["STACK"], encoding="utf-8") as file:
    STACK = json.load(file)

DATASET = STACK["demo"]["dataset_node_id"]
PACKAGES = [id for id in STACK["demo"].values() if re.match("N:(package|collection):", str(id))]


def fetch_presigned_url():
    """Fetches a presigned URL of a viewer asset. /proxy/s3 allows its bucket."""
    query = {"dataset_id": DATASET, "package_id": STACK["demo"]["spikes"], "path": "spikes.parquet", "redirect": "false"}
    request = urllib.request.Request(f"{STACK['api']}/presign/s3?{urllib.parse.urlencode(query)}")
    request.add_header("Authorization", f"Bearer {os.environ['TOKEN']}")
    with urllib.request.urlopen(request) as response:
        return json.load(response)["presigned_url"]


PRESIGNED_URL = fetch_presigned_url()


# Of a target of 64 KiB.
MAX_CURSOR_BYTES = 30_000


def encode_cursor(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def valid_cursor(path, query):
    """A value of `cursor`: after the name "a", or at the beginning of a manifest. A schema cannot describe which cursors are valid.

    None for viewer assets: their cursors have a text of S3's.
    """
    order = "-" if query.get("sort") == "-name" else "+"
    texts = {"/trash": "1a", "/download-manifest": "1.0.0.0", "/datasets": "1datasets1.a", "/children": f"1children{order}a"}
    return encode_cursor(texts[path]) if path in texts else None



def replace_node_id(id):
    """Replaces a well-formed node id with one of the demo, always the same for the same text. Other values stay as they are."""
    if not isinstance(id, str):
        return id
    if re.fullmatch("N:dataset:[A-Za-z0-9-]+", id):
        return DATASET
    if re.fullmatch("N:(package|collection):[A-Za-z0-9-]+", id):
        return PACKAGES[sum(map(ord, id)) % len(PACKAGES)]
    return id


@schemathesis.hook
def before_call(context, case, kwargs):
    is_positive = case.meta and case.meta.generation.mode.is_positive
    if case.query:
        case.query = {name: replace_node_id(value) for name, value in case.query.items()}
        if "presigned_url" in case.query and is_positive:
            case.query["presigned_url"] = PRESIGNED_URL
        # A schema cannot say that cookies are for directories.
        if "path" in case.query and is_positive:
            case.query.pop("cookies", None)
        # Nor which files a browser may show.
        if case.query.get("disposition") == "inline" and is_positive:
            case.query["disposition"] = "attachment"
        # An empty value counts as absent, and is not invalid.
        if not is_positive:
            for name, invalid in {"disposition": "shown", "path": "/"}.items():
                if case.query.get(name) == "":
                    case.query[name] = invalid
        # Percent-encoded, a cursor that is too long would make the request's target too long: another error than the one looked for.
        cursor = case.query.get("cursor")
        if isinstance(cursor, str) and len(urllib.parse.quote(cursor)) > MAX_CURSOR_BYTES:
            case.query["cursor"] = "=" * len(cursor)
        if "cursor" in case.query and is_positive:
            case.query["cursor"] = valid_cursor(case.operation.path, case.query)
            if case.query["cursor"] is None:
                del case.query["cursor"]
    if isinstance(case.body, dict) and isinstance(case.body.get("nodeIds"), list):
        case.body["nodeIds"] = [replace_node_id(id) for id in case.body["nodeIds"]]
    if isinstance(case.body, dict) and isinstance(case.body.get("items"), list):
        for item in case.body["items"]:
            if isinstance(item, dict) and "package_id" in item:
                item["package_id"] = replace_node_id(item["package_id"])
