"""curl, wget, aria2 and rclone: names, ranges, a folder with its tree. Each that is missing is left out, with a line."""
# needs: downloads/1_upload.py

import contextlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

from _files import ASCII_NAME, BYTES, NAME, TREE

from pages import run_shell
from stack import HEADERS, check, finish, leave_out, package, presign, presign_url, sign

PACKAGE = package("report")
link = presign("report")
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
        leave_out(name, "it is not in PATH, and no package of this group has it")
    return found


def read_tree(path):
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def run(*command, cwd=None):
    return subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)


if curl := find("curl"):
    with check("curl: presign, -L -OJ knows the ASCII name", api=1, s3=1), folder() as here:
        run_shell("curl", "redirect", here, PACKAGE=PACKAGE)
        assert read_tree(here) == {ASCII_NAME: BYTES}, list(read_tree(here))
    with check("curl: the exact name", api=1, s3=1), folder() as here:
        run_shell("curl", "name", here, PACKAGE=PACKAGE)
        assert read_tree(here) == {NAME: BYTES}, list(read_tree(here))
    with check("curl: link, a range", api=1, s3=1, bytes=100), folder() as here:
        assert len(run_shell("curl", "link", here, PACKAGE=package("table"))) == 100
    heads = {
        "presign": (["-H", HEADER, presign_url("report")], "200"),
        "link": ([link["presigned_url"]], "403"),
        "proxy": ([link["proxy_url"]], "200"),
        "CDN": ([sign("image", "preview/thumbnail.png")], "200"),
    }
    for way, (arguments, status) in heads.items():
        with check(f"curl: HEAD, {way}, is {status}"):
            done = run(curl, "-sIL", "-o", "/dev/null", "-w", "%{http_code}", *arguments)
            assert done.stdout == status, done
    with check("curl: presign, -C - goes on", api=1, s3=1, bytes=len(BYTES) - 1000), folder() as here:
        (here / "part").write_bytes(BYTES[:1000])
        run(curl, "-sfL", "-C", "-", "-o", here / "part", "-H", HEADER, presign_url("report"))
        assert (here / "part").read_bytes() == BYTES
    with check("curl: presign with --location-trusted is refused by S3", api=1, s3=1):
        done = run(curl, "-sS", "--location-trusted", "-H", HEADER, presign_url("report"))
        assert "Only one auth mechanism" in done.stdout, done

if wget := find("wget"):
    with check("wget: link, --content-disposition", api=1, s3=1), folder() as here:
        run_shell("wget", "link", here, PACKAGE=PACKAGE)
        assert read_tree(here) == {NAME: BYTES}, list(read_tree(here))
    with check("wget: link, -c goes on", s3=1, bytes=len(BYTES) - 1000), folder() as here:
        (here / "part").write_bytes(BYTES[:1000])
        run(wget, "-q", "-c", "-O", here / "part", link["presigned_url"])
        assert (here / "part").read_bytes() == BYTES
    with check("wget: presign forwards the header and is refused by S3", api=1, s3=1):
        done = run(wget, "-O-", "--header", HEADER, presign_url("report"))
        assert "400" in done.stderr, done

if aria2 := find("aria2c"):
    with check("aria2: a folder with its tree, one manifest", api=1, s3=4), folder() as here:
        run_shell("aria2", "folder", here, path=BIN, PACKAGE=package("session"))
        assert read_tree(here) == TREE, list(read_tree(here))
    with check("aria2: link", api=1), folder() as here:
        run_shell("aria2", "link", here, path=BIN, PACKAGE=PACKAGE)
        assert read_tree(here) == {NAME: BYTES}, list(read_tree(here))
    with check("aria2: link, --use-head is 403", api=0, s3=1), folder() as here:
        done = run(aria2, "--use-head", link["presigned_url"], cwd=here)
        assert done.returncode != 0 and "403" in done.stdout + done.stderr, done
    with check("aria2: presign forwards the header and is refused by S3", api=1, s3=1), folder() as here:
        done = run(aria2, "--header", HEADER, presign_url("report"), cwd=here)
        assert done.returncode != 0 and "status=400" in done.stdout + done.stderr, done

if rclone := find("rclone"):
    with check("rclone: link, --header-filename", api=1, s3=1), folder() as here:
        run_shell("rclone", "link", here, path=BIN, PACKAGE=PACKAGE)
        assert read_tree(here) == {NAME: BYTES}, list(read_tree(here))
    with check("rclone: presign", api=1, s3=1), folder() as here:
        run_shell("rclone", "presign", here, path=BIN, PACKAGE=PACKAGE)
        assert read_tree(here) == {NAME: BYTES}, list(read_tree(here))
finish()
