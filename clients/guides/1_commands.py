"""Runs the commands of the pages in their order, beside a running stack. They write into a folder of their own."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

from _pages import NEEDS, NOT_RUN, PAGES_NOT_RUN, ROOT, RUN, SERVERS, find_forgotten, list_blocks

from stack import API, DATASET, STACK, TOKEN, check, finish, leave_out, package

LOCAL_API = "http://127.0.0.1:8080/packages"
# Programs that are not installed here may be those of another group's environment: aria2 is.
PATH = os.pathsep.join([os.environ["PATH"], str(ROOT / ".tools/clients-downloads/bin")])
# What pages expect in the environment.
VARIABLES = {"API": API, "DATASET": DATASET, "TOKEN": TOKEN, "PACKAGE": package("pyramid"), "FOLDER": package("recordings")}


def prepare_folder(folder, port):
    """Makes `.local` and `target` beneath the folder as in a clone. `serve` listens at another port than usual."""
    state = pathlib.Path(os.environ["STACK"]).parent
    local = folder / ".local"
    local.mkdir()
    for entry in state.iterdir():
        (local / entry.name).symlink_to(entry)
    (local / "serve.env").unlink()
    (local / "serve.env").write_text(re.sub(r"(?m)^(LISTEN_ADDRESS=.*:)\d+$", rf"\g<1>{port}", (state / "serve.env").read_text()))
    (folder / "target").symlink_to(ROOT / os.environ.get("CARGO_TARGET_DIR", "target"))


def start_bash(script, folder, **options):
    """Starts bash with the script, in a group of processes of its own."""
    environment = {**os.environ, **VARIABLES, "PATH": PATH, "HOME": str(folder), "NO_COLOR": "1"}
    # Without pipefail, as people's shells are: `curl … | head` would fail where curl has more to say.
    command = ["bash", "-euc", script.replace(LOCAL_API, API)]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **options
    )


def run_bash(script, folder):
    """What the script prints."""
    with start_bash(script, folder) as process:
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, f"exit status {process.returncode}: {errors[-2000:]} {output[-500:]}"
    return output


def run_console(block, variables, folder):
    """Runs the lines that begin with `$`, in one shell, and compares what each prints with the lines beneath it."""
    parts = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    script = variables + "".join(f"{command}\nprintf '\\0'\n" for command, _ in parts)
    outputs = run_bash(script, folder).split("\0")
    for (command, expected), output in zip(parts, outputs, strict=False):
        assert re.fullmatch(pattern_of(expected), output), f"{command} printed {output[-2000:]}"


def pattern_of(expected):
    """Numbers may be others, `…` stands for anything, and line breaks are for readers."""
    text = re.sub(r"\d+", "0", re.sub(r"\s+", " ", expected.strip()))
    return r"\s*" + re.escape(text).replace("0", r"\d+").replace(r"\ ", r"\s*").replace("…", r"(?:.|\n)*") + r"\s*"


def run_sql(script):
    """Runs statements in the stack's database."""
    command = ["psql", "-X", "-v", "ON_ERROR_STOP=1", STACK["database_url"]]
    done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_server(script, folder, url):
    """Runs a server until it answers."""
    process = start_bash(script, folder)
    try:
        deadline = time.monotonic() + 30
        while True:
            assert process.poll() is None, f"it ended: {process.communicate()[1][-2000:]}"
            assert time.monotonic() < deadline, "it does not answer"
            with contextlib.suppress(OSError):
                return urllib.request.urlopen(url, timeout=5).status
            time.sleep(0.2)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=30)


def run_block(block, variables, folder, port):
    """Runs a block, and compares what it prints."""
    expected = RUN[block.page][block.name]
    if (block.page, block.name) in SERVERS:
        assert run_server(block.text, folder, f"http://127.0.0.1:{port}{expected}") == 200
    elif block.language == "console":
        run_console(block.text, variables, folder)
    else:
        output = run_sql(block.text) if block.language == "sql" else run_bash(variables + block.text, folder)
        found = expected in output or re.search(expected, output.strip())
        assert found, f"{expected} is not in {output[-2000:]}"


def run_page(page, folder, port):
    """Runs the blocks of a page. One that is named `variables` comes before each of the others."""
    variables = ""
    for block in list_blocks(page):
        where = (page, block.name)
        if block.name == "variables":
            variables = block.text
        elif where in NEEDS and not shutil.which(NEEDS[where], path=PATH):
            leave_out(f"{page}: {block.name}", f"{NEEDS[where]} is not installed")
        elif where not in NOT_RUN:
            with check(f"{page}: {block.name}"):
                run_block(block, variables, folder, port)


def free_port():
    """A port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


with check("each block of commands is run, or says why not"):
    forgotten = find_forgotten()
    assert not forgotten, f"clients/guides/_pages.py does not know these blocks, or they are gone: {forgotten}"
with tempfile.TemporaryDirectory() as name:
    own_port = free_port()
    prepare_folder(pathlib.Path(name), own_port)
    for guide in RUN:
        run_page(guide, pathlib.Path(name), own_port)
reasons = [f"{page} {block}: {why}" for (page, block), why in NOT_RUN.items()] + [f"{page}: {why}" for page, why in PAGES_NOT_RUN.items()]
print("not run:", *reasons, sep="\n  ")
finish()
