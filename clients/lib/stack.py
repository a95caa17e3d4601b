"""The local stack, for client programs: its files, links and users, and how many requests each of its servers got."""

import contextlib
import json
import os
import pathlib
import re
import sys
import traceback
import urllib.parse
import urllib.request
from collections import Counter

with open(os.environ["STACK"], encoding="utf-8") as file:
    STACK = json.load(file)

FILES = pathlib.Path(os.environ["STACK"]).with_name("clients.json")
"""The node ids of packages that programs added, by name."""

API, EDGE, S3 = STACK["api"], STACK["edge"], STACK["s3"]
DATASET = STACK["demo"]["dataset_node_id"]
TOKEN = next(user["token"] for user in STACK["users"] if user["role"] == "viewer")
HEADERS = {"Authorization": f"Bearer {TOKEN}"}

PORTS = {urllib.parse.urlsplit(EDGE).port: "edge", urllib.parse.urlsplit(S3["endpoint"]).port: "s3"}
API_LINE = re.compile(r'method="([A-Z]+)" .*: api::request_log: request completed')
SERVER_LINE = re.compile(r"answered port=(\d+) method=([A-Z]+) status=(\d+)(?: bytes=(\d+))?")

failures = []


def package(name):
    """The node id of a package of the demo, or of one that a program added."""
    return STACK["demo"].get(name) or json.loads(FILES.read_text(encoding="utf-8"))[name]


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


def presign(name, **query):
    """The JSON answer with a link to a package's file."""
    return get_json("/presign/s3", package_id=package(name), redirect="false", **query)


def presign_url(name, segment="", **query):
    """The URL that answers with a redirect to a package's file. `segment` is a name for the end of its path."""
    return api_url("/presign/s3" + (segment and f"/{urllib.parse.quote(segment)}"), package_id=package(name), **query)


def sign(name, path):
    """A link to a viewer asset at the CDN."""
    return get_json("/cloudfront/sign", package_id=package(name), path=path)["signed_url"]


@contextlib.contextmanager
def refused(text):
    """Passes if the block fails with an error that contains the text."""
    try:
        yield
    except BaseException as error:
        assert text in f"{error!r} {error}", f"another error: {error!r}"
    else:
        raise AssertionError(f"it did not fail with {text}")


class Requests(Counter):
    """Requests by server (`api`, `edge`, `s3`); `OPTIONS` by `preflight`; 304 by `unchanged`; `bytes` that edge and S3 sent."""

    def add_line(self, line):
        if found := API_LINE.search(line):
            self["preflight" if found[1] == "OPTIONS" else "api"] += 1
        elif found := SERVER_LINE.search(line):
            server = PORTS.get(int(found[1]), "other")
            # A cache asked whether what it has is still valid. Of a file that was just uploaded it does, and later not.
            kind = "unchanged" if found[3] == "304" else "preflight" if found[2] == "OPTIONS" else server
            self[kind] += 1
            if found[2] == "GET":
                self["bytes"] += int(found[4] or 0)

    def __str__(self):
        return " ".join(f"{name}={self[name]}" for name in ("api", "edge", "s3", "preflight", "unchanged", "bytes") if self[name])


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


def is_expected(count, number):
    """Whether a count is the number, or in the range."""
    return count in number if isinstance(number, range) else count == number


@contextlib.contextmanager
def check(name, **expected):
    """Runs a check and prints its result, with the requests that it took. `expected` are the only numbers allowed.

    `check("polars: link", s3=41, bytes=range(3_000_000))`
    """
    try:
        with count_requests() as requests:
            yield requests
        differing = [server for server, number in expected.items() if not is_expected(requests[server], number)]
        assert not differing, f"requests: {requests}, expected {expected}"
        print(f"PASS {name}: {requests}", flush=True)
    except Exception as error:
        failures.append(name)
        traceback.print_exc(limit=-3)
        print(f"FAIL {name}: {error}", flush=True)


def leave_out(client, why):
    """Says that a client is not checked, because something is missing. The others of the program go on."""
    print(f"skipped: {client}: {why}", flush=True)


def skip(why):
    """Ends the program: it cannot run here."""
    print(why, flush=True)
    sys.exit(77)


def finish():
    """Ends the program."""
    if failures:
        print(f"failed: {', '.join(failures)}", flush=True)
    sys.exit(1 if failures else 0)
