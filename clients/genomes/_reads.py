"""The reads of the two files."""

CONTIGS = {"chr1": 200_000, "chr2": 50_000}
READS = {
    "first": [("chr1", 20 * n) for n in range(9_000)],
    "second": [("chr1", 50 * n) for n in range(300)] + [("chr2", 10_000 + 5 * n) for n in range(80)],
}
REGION = ("chr2", 5_000, 20_000)
COUNTS = {"first": 0, "second": 80}
"""Reads in the region. With the first file's index the second one has none there."""
FIRST_REGION = ("chr1", 100_000, 101_000)
