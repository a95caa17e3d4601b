"""GDAL in rasterio, and ffmpeg, over each way."""
# needs: images/1_upload.py

import pathlib
import subprocess
import tempfile

import imageio_ffmpeg
import rasterio
from rasterio.windows import Window

from pages import run_python, run_shell
from stack import TOKEN, check, finish, package, presign, presign_url, sign

OPTIONS = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "CPL_VSIL_CURL_NON_CACHED": "/vsicurl/"}
TOKEN_OPTION = {"GDAL_HTTP_HEADERS": f"Authorization: Bearer {TOKEN}"}


def ways(name, title):
    link = presign(name)
    return {
        "presign": presign_url(name),
        "link": link["presigned_url"],
        "proxy": link["proxy_url"],
        "CDN": sign(name, title),
    }


with check("rasterio: the example", api=2, s3=4, edge=0, bytes=range(200_000)):
    assert run_python("gdal", "presign", PACKAGE=package("scan")).pixels[0, 0] == 7 * 1024 + 13 * 512
# GDAL remembers where the redirect led: more ranges cost no more requests to the API.
api = {"presign": 3, "proxy": 3, "link": 0, "CDN": 0}
for way, url in ways("scan", "scan.tif").items():
    servers = {"edge": 7, "s3": 0} if way == "CDN" else {"s3": 7, "edge": 0}
    with check(f"rasterio: {way}, three of 64 tiles", api=api[way], **servers):
        with rasterio.Env(**OPTIONS, **(TOKEN_OPTION if way == "presign" else {})), rasterio.open(f"/vsicurl/{url}") as file:
            for n in range(3):
                tile = file.read(1, window=Window(512 * n, 1024, 256, 256))
                assert tile.shape == (256, 256) and tile[0, 0] == 7 * 1024 + 13 * 512 * n

for way, url in ways("clip", "clip.webm").items():
    header = ["-headers", f"Authorization: Bearer {TOKEN}\r\n"] if way == "presign" else []
    with check(f"ffmpeg: {way}, a frame at 50 s{', is refused by S3' if header else ''}"):
        ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error"]
        command = [*ffmpeg, *header, "-ss", "50", "-i", url, "-frames:v", "1", "-f", "null", "-"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == (8 if header else 0) and ("400" in done.stderr) == bool(header), done
with check("ffmpeg: the example"), tempfile.TemporaryDirectory() as folder:
    url = presign("clip")["presigned_url"]
    run_shell("ffmpeg", "link", folder, FFMPEG=imageio_ffmpeg.get_ffmpeg_exe(), URL=url)
    assert pathlib.Path(folder, "frame.png").stat().st_size > 1000
finish()
