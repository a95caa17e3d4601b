"""Uploads two BAM files with their indexes, as source files and as viewer assets. Each has what the other has not."""

import pathlib
import tempfile

import pysam
from _reads import CONTIGS, READS

from stack import check, finish
from upload import add_asset, add_file


def write_bam(path, reads):
    header = {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": [{"SN": name, "LN": size} for name, size in CONTIGS.items()]}
    with pysam.AlignmentFile(path, "wb", header=header) as file:
        for number, (contig, start) in enumerate(reads):
            read = pysam.AlignedSegment(file.header)
            read.query_name = f"read{number}"
            read.reference_id, read.reference_start = list(CONTIGS).index(contig), start
            read.query_sequence, read.mapping_quality, read.cigarstring = "ACGTA" * 20, 60, "100M"
            read.query_qualities = pysam.qualitystring_to_array("I" * 100)
            file.write(read)
    pysam.index(str(path))


with check("boto3: upload BAM files"), tempfile.TemporaryDirectory() as folder:
    for name, reads in READS.items():
        bam = pathlib.Path(folder) / f"{name}.bam"
        write_bam(bam, reads)
        for path in (bam, bam.with_suffix(".bam.bai")):
            add_file(path.name, path.name, path.read_bytes())
            add_asset("first.bam", path.name, path.read_bytes())
    fasta = "".join(f">{name}\n{'ACGTA' * (size // 5)}\n" for name, size in CONTIGS.items())
    add_asset("first.bam", "reference.fa", fasta.encode(), "text/plain")
finish()
