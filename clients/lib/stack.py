"""The local stack, for client programs: its files, links and users, and how many requests each of its servers got."""

import contextlib
import json
import os
import re
import sys
import traceback
import urllib.parse
import urllib.request
from collections import Counter

with open(os.environ["STACK"], encoding="utf-8") as file:
    STACK = json.load(file)

API, EDGE, S3 = STACK["api"], STACK["edge"], STACK["s3"]
DATASET = STACK["demo"]["dataset_node_id"]
TOKEN = next(user["token"] for user in STACK["users"] if user["role"] == "viewer")
HEADERS = {"Authorization": f"Bearer {TOKEN}"}

PORTS = {urllib.parse.urlsplit(EDGE).port: "edge", urllib.parse.urlsplit(S3["endpoint"]).port: "s3"}
API_LINE = re.compile(r'method="([A-Z]+)" .*: api::request_log: request completed')
SERVER_LINE = re.compile(r"answered port=(\d+) method=([A-Z]+) status=(\d+)(?: bytes=(\d+))?")

failures = []


def package(name):
    """The node id of a package of the demo."""
    return STACK["demo"][name]


def api_url(endpoint, **query):
    """A URL of the API, with the demo's dataset. The parameters keep their order."""
    return f"{API}{endpoint}?{urllib.parse.urlencode({'dataset_id': DATASET, **query}, safe=':/')}"


def get_json(endpoint, **query):
    """The JSON answer of the API to the viewer."""
    request = urllib.request.Request(api_url(endpoint, **query), headers=HEADERS)
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def sign_directory(name, path):
    """A link to everything beneath a directory of a package's viewer assets."""
    return get_json("/cloudfront/sign", package_id=package(name), path=path)


class Requests(Counter):
    """Requests by server (`api`, `edge`, `s3`); `OPTIONS` by `preflight`; `bytes` that edge and S3 sent."""

    def add_line(self, line):
        if found := API_LINE.search(line):
            self["preflight" if found[1] == "OPTIONS" else "api"] += 1
        elif found := SERVER_LINE.search(line):
            server = PORTS.get(int(found[1]), "other")
            self["preflight" if found[2] == "OPTIONS" else server] += 1
            if found[2] == "GET":
                self["bytes"] += int(found[4] or 0)

    def __str__(self):
        return " ".join(f"{name}={self[name]}" for name in ("api", "edge", "s3", "preflight", "bytes") if self[name])


@contextlib.contextmanager
def count_requests():
    """Counts the requests that arrive while the block runs."""
    requests = Requests()
    with open(os.environ["STACK_LOG"], encoding="utf-8") as log:
        log.seek(0, os.SEEK_END)
        yield requests
        # A server writes its line before it answers.
        for line in log:
            requests.add_line(line)


@contextlib.contextmanager
def check(name, **expected):
    """Runs a check and prints its result, with the requests that it took. `expected` are the only numbers allowed."""
    try:
        with count_requests() as requests:
            yield requests
        differing = {server: requests[server] for server, number in expected.items() if requests[server] != number}
        assert not differing, f"requests: {requests}, expected {expected}"
        print(f"PASS {name}: {requests}", flush=True)
    except Exception as error:
        failures.append(name)
        traceback.print_exc(limit=-3)
        print(f"FAIL {name}: {error}", flush=True)


def skip(why):
    """Ends the program: it cannot run here."""
    print(why, flush=True)
    sys.exit(77)


def finish():
    """Ends the program."""
    if failures:
        print(f"failed: {', '.join(failures)}", flush=True)
    sys.exit(1 if failures else 0)
