"""Lets made-up requests get past the door: what is well formed becomes something that exists."""

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


def presigned():
    """A link to a viewer asset: its bucket is one that /proxy/s3 lets through."""
    query = {"dataset_id": DATASET, "package_id": STACK["demo"]["spikes"], "path": "spikes.parquet", "redirect": "false"}
    request = urllib.request.Request(f"{STACK['api']}/presign/s3?{urllib.parse.urlencode(query)}")
    request.add_header("Authorization", f"Bearer {os.environ['TOKEN']}")
    with urllib.request.urlopen(request) as response:
        return json.load(response)["presigned_url"]


PRESIGNED = presigned()

# A `next` as GET /trash makes them: after the name "a". No schema can describe what it takes and refuse the rest.
CURSOR = "MWE"


def existing(id):
    """A node id of the demo for one that is well formed, the same one for the same text; anything else as it is."""
    if not isinstance(id, str):
        return id
    if re.fullmatch("N:dataset:[A-Za-z0-9-]+", id):
        return DATASET
    if re.fullmatch("N:(package|collection):[A-Za-z0-9-]+", id):
        return PACKAGES[sum(map(ord, id)) % len(PACKAGES)]
    return id


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.query:
        case.query = {name: existing(value) for name, value in case.query.items()}
        if "presigned_url" in case.query and case.meta and case.meta.generation.mode.is_positive:
            case.query["presigned_url"] = PRESIGNED
        if "cursor" in case.query and case.meta and case.meta.generation.mode.is_positive:
            case.query["cursor"] = CURSOR
    if isinstance(case.body, dict) and isinstance(case.body.get("nodeIds"), list):
        case.body["nodeIds"] = [existing(id) for id in case.body["nodeIds"]]
