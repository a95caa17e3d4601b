"""htslib in pysam: two BAM files, each with its own index, one after the other in one working directory."""
# needs: genomes/1_upload.py

import os
import subprocess
import sys
import tempfile

import pysam
from _reads import COUNTS, FIRST_REGION, REGION

from pages import run_python
from stack import TOKEN, check, finish, package, presign, presign_url, refused, sign


def open_bam(url, index):
    return pysam.AlignmentFile(url, index_filename=index)


ways = {
    "presign with a name": lambda name: presign_url(name, name),
    "link": lambda name: presign(name)["presigned_url"],
    "proxy with a name": lambda name: presign(name)["proxy_url"],
    "CDN": lambda name: sign("first.bam", name),
}
without_name = {
    "presign": presign_url,
    "proxy": lambda name: presign(name)["proxy_url"].replace(f"/s3/{name}?", "/s3?"),
}


def read_region(way, name):
    """The number of reads in the region, by `way`."""
    with open_bam(way(f"{name}.bam"), way(f"{name}.bam.bai")) as file:
        return file.count(*REGION)


def main(name):
    os.environ["HTS_ALLOW_UNENCRYPTED_AUTHORIZATION_HEADER"] = "I understand the risks"
    folder = tempfile.TemporaryDirectory()
    os.chdir(folder.name)
    if "presign" in name:
        with open("token", "w", encoding="utf-8") as file:
            file.write(TOKEN)
        os.environ["HTS_AUTH_LOCATION"] = "token"
    if way := ways.get(name):
        for bam, count in COUNTS.items():
            with check(f"pysam: {name}, {bam}.bam"):
                assert read_region(way, bam) == count
        with check(f"pysam: {name}, a region of first.bam"):
            with open_bam(way("first.bam"), way("first.bam.bai")) as file:
                assert file.count(*FIRST_REGION) == 54
            assert len([file for file in os.listdir() if file != "token"]) == 2, "each has an index of its own"
    else:
        way = without_name[name]
        with check(f"pysam: {name} without a name, the second file is read with the first one's index: 0 in place of 80"):
            assert read_region(way, "first") == COUNTS["first"]
            assert read_region(way, "second") == 0 != COUNTS["second"]
            assert "s3" in os.listdir()
        with check(f"pysam: {name}, without the index's URL there is no index"), refused("no index available"):
            with pysam.AlignmentFile(way("second.bam")) as file:
                file.count(*REGION)
    if name == "link":
        with check("samtools view -c -X: link"):
            urls = [way("second.bam"), way("second.bam.bai")]
            assert int(pysam.samtools.view("-c", "-X", *urls, "chr2:5001-20000")) == COUNTS["second"]
    if name == "presign with a name":
        with check("pysam: the example"):
            names = {"PACKAGE": package("second.bam"), "INDEX": package("second.bam.bai")}
            assert run_python("htslib", "presign", **names).count == COUNTS["second"]
        with check("pysam: link, while HTS_AUTH_LOCATION is set, is refused by S3"), refused("Invalid argument"):
            open_bam(ways["link"]("first.bam"), ways["link"]("first.bam.bai"))
    if name == "proxy with a name":
        with check("pysam: the example with links"):
            links = {"link": presign("second.bam"), "index": presign("second.bam.bai")}
            assert run_python("htslib", "links", **links).count == COUNTS["second"]
    finish()


if len(sys.argv) > 1:
    main(sys.argv[1])
# htslib reads its variables once in a process. So each way has its own.
failed = [way for way in [*ways, *without_name] if subprocess.run([sys.executable, __file__, way]).returncode]
sys.exit(bool(failed))
