"""Uploads a file whose name is difficult, and a folder with files in folders."""

from _files import BYTES, NAME, TREE

from stack import check, finish
from upload import add_file, add_folder

with check("boto3: upload files"):
    add_file("report", NAME, BYTES)
    add_folder("session", "Sitzung 1")
    add_folder("raw", "Rohdaten", parent="session")
    add_folder("deep", "Tag (1)", parent="raw")
    parents = {"Sitzung 1": "session", "Rohdaten": "raw", "Tag (1)": "deep"}
    for path, data in TREE.items():
        *_, folder, title = path.split("/")
        add_file(f"tree: {title}", title, data, parent=parents[folder])
finish()
