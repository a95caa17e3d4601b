"""Uploads a GeoTIFF with tiles and overviews, and a video, as source files and as viewer assets."""

import pathlib
import subprocess
import tempfile

import imageio_ffmpeg
import numpy
import rasterio
from rasterio.enums import Resampling
from rasterio.transform import from_origin

from stack import check, finish
from upload import add_asset, add_file

SIDE = 2048


def write_tiff(path):
    options = {"width": SIDE, "height": SIDE, "count": 1, "dtype": "uint16", "tiled": True}
    options |= {"crs": "EPSG:3857", "transform": from_origin(0, SIDE, 2, 2)}
    with rasterio.open(path, "w", driver="GTiff", blockxsize=256, blockysize=256, **options) as file:
        rows, columns = numpy.indices((SIDE, SIDE), dtype="uint16")
        file.write(rows * 7 + columns * 13, 1)
        file.build_overviews([2, 4, 8], Resampling.nearest)


def write_video(path):
    """Six seconds of a test picture with noise, ten times: 20 MB, so that it is too large to be read at once."""
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error"]
    picture = "testsrc=duration=6:size=320x240:rate=10,noise=c0s=80:c0f=t"
    codec = ["-c:v", "libvpx", "-b:v", "3M", "-g", "20", "-deadline", "realtime", "-cpu-used", "8"]
    once = path.with_name("once.webm")
    subprocess.run([*ffmpeg, "-f", "lavfi", "-i", picture, *codec, once], check=True)
    subprocess.run([*ffmpeg, "-stream_loop", "9", "-i", once, "-c", "copy", path], check=True)


with check("boto3: upload images"), tempfile.TemporaryDirectory() as folder:
    tiff, video = pathlib.Path(folder) / "scan.tif", pathlib.Path(folder) / "clip.webm"
    write_tiff(tiff)
    write_video(video)
    for name, path, media_type in (("scan", tiff, "image/tiff"), ("clip", video, "video/webm")):
        add_file(name, path.name, path.read_bytes(), content_type=media_type)
        add_asset(name, path.name, path.read_bytes(), media_type)
finish()
