"""The files that the programs download."""

NAME = "Übersicht (final), v2.h5"
ASCII_NAME = "_bersicht (final), v2.h5"
"""What clients save that do not know RFC 8187."""
BYTES = b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 20_000
"""5 MB, so that aria2 splits it."""

TREE = {
    "Sitzung 1/notes, 1.txt": b"first",
    f"Sitzung 1/{NAME}": b"second",
    "Sitzung 1/Rohdaten/a.dat": b"third" * 1000,
    "Sitzung 1/Rohdaten/Tag (1)/b;c.dat": b"fourth",
}
