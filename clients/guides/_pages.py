"""The blocks of commands in the pages, and what each of them must print, or why it is not run."""

import pathlib
import re
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parents[2]
LANGUAGES = "sh|console|sql|bash|python|js"

AWS = "it needs AWS"
STARTS = "the stack is running already"

# Of each page its blocks, in their order. A text or a pattern must be in what a block prints. A block of the kind `console` says itself
# what it prints.
RUN = {
    "docs/quick-start.md": {
        "datasets": '"role":"viewer"',
        "children": '"name":"recordings"',
        "file": "unit_id,channel",
        "range": "PAR1",
        "trash": '"total":1',
        "restore": '"restored":1',
        "refused": "lacks the permission ViewFiles",
    },
    "README.md": {"link": None, "doctor": None},
    "docs/concepts.md": {
        "places": r'"name":"overview\.png"(.|\n)*"path":\[\{(.|\n)*"path":"image\.ome\.zarr/"',
        "roles": r"^owner 200\neditor 200\nviewer 200\nguest 403\nstranger 403$",
        "links": r'"proxy_url"(.|\n)*"signed_url"(.|\n)*"query"',
        "trash": r'"recoverable":true(.|\n)*"state":"DELETED"',
    },
    "docs/faq.md": {
        "token": r"^ey[\w-]+\.[\w-]+\.[\w-]+$",
        "refused": "lacks the permission ViewFiles",
        "lifetime": '"expires_at":',
        "resume": r"^23634 units\.csv$",
        "head": r"^403\n200\n200$",
        "authorization": r"Only one auth mechanism allowed(.|\n)*\nunit_id,",
        "many": r'"presigned_url"(.|\n)*"presigned_url"(.|\n)*"fileName":"units\.csv"',
        "preview": r'"new_name":"README-restored_1\.md"',
        "progress": '"state":"DELETED"',
        "outlook": '"recoverable":true',
        "doctor": r"\d+ ok",
    },
    "docs/api.md": {"manifest": None, "aria2": "slice-12.json", "directory": None},
    "docs/clients.md": {"directory": '"query":"'},
    "docs/local-stack.md": {"serve": "/packages/health", "console": "/", "doctor": r"\d+ ok"},
    "docs/operations.md": {"queue": "running"},
}

# Blocks that start a server, which has to answer at the path that is named above.
SERVERS = {("docs/local-stack.md", "serve"), ("docs/local-stack.md", "console")}

NOT_RUN = {
    ("docs/quick-start.md", "start"): STARTS,
    ("README.md", "start"): STARTS,
    ("CONTRIBUTING.md", "start"): STARTS,
    ("docs/configuration.md", "container"): "it needs Docker and a published image",
    ("docs/configuration.md", "doctor"): AWS,
    ("docs/console.md", "client"): AWS,
    ("docs/operations.md", "operator"): "its host is a deployment. Tests of the server ask the same (crates/server/tests/it/console.rs)",
    ("docs/operations.md", "functions"): AWS,
    ("docs/operations.md", "hand"): AWS,
    ("docs/operations.md", "versions"): AWS,
    ("docs/operations.md", "locks"): "it names a session and a role of a deployment",
    ("docs/releases.md", "verify"): "it needs a published release",
    ("docs/releases.md", "deploy"): AWS,
}

# Whose blocks need no names.
PAGES_NOT_RUN = {"terraform/README.md": AWS}

# Their blocks are run by the other programs of the suite.
CLIENT_PAGES = "docs/clients/"

# The program of a block that may be missing.
NEEDS = {("docs/api.md", "aria2"): "aria2c", ("docs/operations.md", "queue"): "psql"}


class Block(NamedTuple):
    """A fenced block: where it is, and its lines without the indentation of its fence."""

    page: str
    language: str
    name: str
    text: str


def list_blocks(page):
    """The blocks of commands in a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(rf"^( *)```({LANGUAGES})(?: (.+))?\n((?:.*\n)*?) *```$", text, re.MULTILINE)
    return [Block(page, language, name, re.sub(f"^{indent}", "", body, flags=re.MULTILINE)) for indent, language, name, body in blocks]


def list_pages():
    """All pages with commands that are to be run here."""
    pages = sorted(str(path.relative_to(ROOT)) for pattern in ("*.md", "docs/*.md", "docs/decisions/*.md", "clients/*.md", "infrastructure/*.md",
                                                               "packaging/*.md", "terraform/*.md") for path in ROOT.glob(pattern))
    return [page for page in pages if page not in PAGES_NOT_RUN and list_blocks(page)]


def find_forgotten():
    """Blocks of which nothing says whether they are run, and names of blocks that are not there."""
    there = {(block.page, block.name) for page in list_pages() for block in list_blocks(page) if block.name != "variables"}
    told = {(page, name) for page, names in RUN.items() for name in names} | set(NOT_RUN)
    return sorted(there ^ told)
