"""curl, wget, aria2 and rclone: names, ranges, a folder with its tree. Each that is missing is left out, with a line."""

import contextlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

from _files import BYTES, NAME, TREE

from pages import run_shell
from stack import HEADERS, check, finish, leave_out, package, presign, presign_url

PACKAGE = package("report")
BIN = pathlib.Path(sys.executable).parent
HEADER = f"Authorization: {HEADERS['Authorization']}"


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory() as path:
        yield pathlib.Path(path)


def find(name):
    """The program from the environment, or from PATH."""
    found = shutil.which(name, path=str(BIN)) or shutil.which(name)
    if not found:
        leave_out(name, "it is not in PATH")
    return found


def read_tree(path):
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def run(*command, cwd=None):
    return subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)


if curl := find("curl"):
    with check("curl: presign, -L -OJ", api=1, s3=1), folder() as here:
        run_shell("curl", "redirect", here, PACKAGE=PACKAGE)
        print(read_tree(here).keys())
    with check("curl: the exact name", api=1, s3=1), folder() as here:
        run_shell("curl", "name", here, PACKAGE=PACKAGE)
        assert read_tree(here) == {NAME: BYTES}
    with check("curl: link, a range", api=1, s3=1), folder() as here:
        assert len(run_shell("curl", "link", here, PACKAGE=package("units_csv") if 0 else package("table"))) == 100
    for way, status in (("presign", "200"), ("link", "403"), ("proxy", "200")):
        link = presign("report")
        url = {"presign": presign_url("report"), "link": link["presigned_url"], "proxy": link["proxy_url"]}[way]
        header = ["-H", HEADER] if way == "presign" else []
        with check(f"curl: HEAD, {way}, is {status}"):
            print(run(curl, "-sIL", *header, "-o", "/dev/null", "-w", "%{http_code}", url).stdout)
    with check("curl: presign with --location-trusted is refused by S3", api=1, s3=1):
        done = run(curl, "-sS", "--location-trusted", "-H", HEADER, presign_url("report"))
        assert "Only one auth mechanism" in done.stdout, done

if wget := find("wget"):
    with check("wget: link, --content-disposition", api=1), folder() as here:
        run_shell("wget", "link", here, PACKAGE=PACKAGE)
        print(read_tree(here).keys())
    with check("wget: presign is refused by S3", api=1):
        done = run(wget, "-O-", "--header", HEADER, presign_url("report"))
        assert "400" in done.stderr, done

if aria2 := find("aria2c"):
    with check("aria2: a folder with its tree, one manifest", api=1, s3=4), folder() as here:
        run_shell("aria2", "folder", here, path=BIN, PACKAGE=package("session"))
        assert read_tree(here) == TREE, read_tree(here).keys()
    with check("aria2: link"), folder() as here:
        run_shell("aria2", "link", here, path=BIN, PACKAGE=PACKAGE)
        print(read_tree(here).keys())
    with check("aria2: presign forwards the header, and is refused by S3"), folder() as here:
        done = run(aria2, "--header", HEADER, presign_url("report"), cwd=here)
        assert done.returncode != 0
        print(done.stdout[-600:])

if rclone := find("rclone"):
    with check("rclone: link, --header-filename", api=1), folder() as here:
        run_shell("rclone", "link", here, path=BIN, PACKAGE=PACKAGE)
        print(read_tree(here).keys())
    with check("rclone: presign with --header is refused by S3"), folder() as here:
        done = run(rclone, "copyurl", "--retries", "1", "--low-level-retries", "1", "--header", HEADER, presign_url("report"), here / "x")
        assert done.returncode != 0
        print(done.stderr[-400:])
finish()
