"""Runs the commands of the guides in docs, in their order, beside a running stack. They write into `.local` of their folder."""

import os
import pathlib
import re
import subprocess
import tempfile

from stack import API, check, finish

DOCS = pathlib.Path(__file__).parents[2] / "docs"
LOCAL_API = "http://127.0.0.1:8080/packages"
# The stack is running already.
STARTS = {"start"}
# What a block must print.
EXPECTED = {
    "datasets": '"role":"viewer"',
    "children": '"name":"recordings"',
    "file": "unit_id,channel",
    "range": "PAR1",
    "trash": '"total":1',
    "restore": '"restored":1',
    "refused": "lacks the permission ViewFiles",
}


def list_blocks(page):
    """Names and texts of the blocks of shell commands. A block without a name would not be run."""
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh ?(.*)\n((?:.*\n)*?)```$", text, re.MULTILINE)
    assert all(name for name, _ in blocks), f"{page} has a block ```sh without a name"
    return [(name, script) for name, script in blocks if name not in STARTS]


def run_block(script, folder):
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace(LOCAL_API, API)],
        cwd=folder, capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-2000:]}"
    return done.stdout


with tempfile.TemporaryDirectory() as folder:
    pathlib.Path(folder, ".local").symlink_to(pathlib.Path(os.environ["STACK"]).parent)
    for page in ["quick-start.md"]:
        blocks = list_blocks(page)
        assert {name for name, _ in blocks} == set(EXPECTED), f"{page}: the list of expected outputs is out of date"
        for name, script in blocks:
            with check(f"{page}: {name}"):
                output = run_block(script, folder)
                assert EXPECTED[name] in output, output[-2000:]
finish()
