"""Writes session.h5 beside it, with h5py 3.16: groups, packed and plain datasets, texts, compound types, attributes and broken links."""

import pathlib

import h5py
import numpy

path = pathlib.Path(__file__).with_name("session.h5")
with h5py.File(path, "w", track_order=False) as file:
    file.attrs["subject"] = "<b>mouse 12</b>"
    file.attrs["sampling_rate_hz"] = 20_000.0
    signal = file.create_group("acquisition/probe")
    samples = numpy.arange(1000 * 4, dtype="<i2").reshape(1000, 4)
    signal.create_dataset("samples", data=samples, chunks=(250, 4), compression="gzip", shuffle=True)
    signal.create_dataset("depth_um", data=numpy.linspace(0, 60, 4, dtype="<f4"))
    signal["samples"].attrs["unit"] = "µV"
    file.create_dataset("temperature", data=numpy.float64(34.5))
    file.create_dataset("regions", data=numpy.array([b"CA1", b"CA3", b"DG"]))
    file.create_dataset("spikes", data=numpy.array([(1, 0.5), (2, 0.75)], dtype=[("unit", "<i4"), ("time_s", "<f8")]))
    file.create_group("<img src=x onerror=alert(1)>")
    file["elsewhere"] = h5py.SoftLink("/not/there")
