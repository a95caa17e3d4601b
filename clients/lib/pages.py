"""Runs the examples in docs/clients: fenced blocks whose first line names a language and the example."""

import os
import pathlib
import re
import subprocess
import types

from stack import API, DATASET, TOKEN

PAGES = pathlib.Path(__file__).parents[2] / "docs/clients"
BASICS = {"API": API, "DATASET": DATASET, "TOKEN": TOKEN}


def find_example(page, language, name):
    """The text of a block, which begins with ```LANGUAGE NAME. Notes that it was run."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language} {re.escape(name)}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1, f"{page}.md has {len(blocks)} blocks ```{language} {name}"
    if "STACK_EXAMPLES" in os.environ:
        with open(os.environ["STACK_EXAMPLES"], "a", encoding="utf-8") as done:
            done.write(f"{page}.md {language} {name}\n")
    return blocks[0]


def run_python(page, name, **variables):
    """Runs a block of Python with variables. Returns all variables that it has at its end."""
    scope = {"__name__": "example", **BASICS, "HEADERS": {"Authorization": f"Bearer {TOKEN}"}, **variables}
    exec(compile(find_example(page, "python", name), f"{page}.md: {name}", "exec"), scope)
    return types.SimpleNamespace(**scope)


def run_shell(page, name, folder, path=None, **variables):
    """Runs a block of bash in a folder. Returns what it printed; fails with what it printed to standard error.

    `path` are folders of programs that are not in PATH.
    """
    environment = {**os.environ, **BASICS, **{key: str(value) for key, value in variables.items()}, "HOME": str(folder)}
    if path:
        environment["PATH"] = f"{path}{os.pathsep}{environment['PATH']}"
    script = find_example(page, "sh", name)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{page}.md, {name}: exit status {done.returncode}: {done.stderr[-2000:]} {done.stdout[-500:]}"
    return done.stdout
