"""Media that cannot be used, or must not be fetched, cost their own task alone."""

from __future__ import annotations

import base64
import io
import struct
import time
import zlib
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.backend.bad_input.serving import IMAGES, Backend, chosen, picture
from tests.backend.labelstudio.media.conftest import Page, Web, content, status

pytestmark = pytest.mark.usefixtures("after")


def noise() -> bytes:
    """A JPEG that is long enough to be cut short."""
    written = io.BytesIO()
    Image.effect_noise((256, 256), 100).convert("RGB").save(written, "JPEG")
    return written.getvalue()


def bomb(side: int = 20_000) -> bytes:
    """A valid one-bit PNG of side x side pixels in some 50 kB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    packer, row = zlib.compressobj(9), bytes(1 + side // 8)
    rows = b"".join([*(packer.compress(row) for _ in range(side)), packer.flush()])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def neighbours(backend: Backend, value: Any) -> dict[str, Any]:
    """The entry of a task with this image, between two that are right."""
    tasks = [
        {"id": number, "data": {"image": given}}
        for number, given in enumerate([uri(picture("red")), value, uri(picture("blue"))], start=1)
    ]
    entries = backend.predict(tasks, IMAGES)
    assert [chosen(entries[0]), chosen(entries[2])] == [["red"], ["blue"]]
    return entries[1]


def costs_itself(backend: Backend, value: Any, reason: str = "media") -> None:
    """Whether that task alone is empty, and counted."""
    before = backend.failures().get(reason, 0.0)
    entry = neighbours(backend, value)
    assert (entry["result"], entry["score"]) == ([], 1.0)
    assert backend.failures()[reason] == before + 1


def endless(handler: BaseHTTPRequestHandler) -> None:
    """More bytes than anybody announced."""
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(1000):
            handler.wfile.write(bytes(1024**2))
    except OSError:
        handler.close_connection = True


def silent(handler: BaseHTTPRequestHandler) -> None:
    """A server that takes longer than anybody waits."""
    time.sleep(7)
    handler.close_connection = True


@pytest.mark.parametrize(
    "page",
    [
        status(404),
        status(403),
        status(500),
        status(302),
        status(302, "/image"),
        status(301, "file:///etc/passwd"),
        status(301, "ftp://127.0.0.1/x"),
        content(b""),
        content(b"just some text"),
        content(b"<html><body>Log in first</body></html>", Content_Type="image/jpeg"),
        content(noise()[:2000]),
        content(b"\x89PNG\r\n\x1a\n" + b"\xff" * 100),
        content(picture("red"), Content_Encoding="gzip"),
        content(bomb()),
        endless,
        silent,
    ],
    ids=[
        "404",
        "403",
        "500",
        "a redirect to nowhere",
        "a redirect to itself",
        "a redirect to a file",
        "a redirect to ftp",
        "nothing",
        "a text file named .jpg",
        "a login page",
        "half a photo",
        "a damaged PNG",
        "compressed",
        "20,000 x 20,000 pixels",
        "without end",
        "silence",
    ],
)
def test_an_address_that_gives_no_image(backend: Backend, web: Web, page: Page) -> None:
    web.pages["/image"] = web.pages["/photo.jpg"] = page
    costs_itself(backend, f"{web.url}/photo.jpg")


@pytest.mark.parametrize(
    "value",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "//127.0.0.2/x.png",
        "../../etc/passwd",
        "C:\\photo.png",
        "photo.png",
        "/data/../etc/passwd",
        "/data/upload/1/photo.png",
        "s3://bucket/photo.png",
        "ftp://127.0.0.1/photo.png",
        "gopher://127.0.0.1/",
        "http://",
        "http://127.0.0.1:99999/x",
        "http://nowhere.invalid/photo.png",
        "http://[::1/x",
        "http://127.0.0.1:1/photo.png",
        "javascript:alert(1)",
        "data:image/png;base64,####",
        "data:image/png;base64,aGVsbG8=",
        "data:",
        "http://host/" + "x" * 10_000,
        "\ud800",
        "\0",
    ],
)
def test_a_value_that_is_no_address_of_an_image(backend: Backend, value: str) -> None:
    costs_itself(backend, value)


@pytest.mark.parametrize("value", [None, 5, "", ["x"], {"url": "x"}])
def test_a_value_that_is_no_text(backend: Backend, value: Any) -> None:
    costs_itself(backend, value, "task")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.2", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.2]", "2130706434", "0x7f000002", "127.2"],
)
def test_a_private_address_is_not_asked(backend: Backend, private: Web, host: str) -> None:
    private.pages["/photo.png"] = content(picture("red"))
    costs_itself(backend, f"http://{host}:{private.port}/photo.png")
    assert private.seen == []


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "[fe80::1]"]
)
def test_an_address_inside_somebody_s_network_is_refused_at_once(backend: Backend, host: str) -> None:
    begun = time.monotonic()
    costs_itself(backend, f"http://{host}/latest/meta-data")
    assert time.monotonic() - begun < 4, "somebody waited for a connection"


@pytest.mark.parametrize("steps", [1, 3])
def test_a_redirect_to_a_private_address_is_not_followed(backend: Backend, web: Web, private: Web, steps: int) -> None:
    private.pages["/photo.png"] = content(picture("red"))
    for step in range(1, steps):
        web.pages[f"/{step}"] = status(302, f"/{step + 1}")
    web.pages[f"/{steps}"] = status(302, f"{private.url}/photo.png")
    costs_itself(backend, f"{web.url}/1")
    assert len(web.seen) == steps
    assert private.seen == []


@pytest.mark.parametrize("broken", [status(404), content(b"no image yet"), content(bomb())])
def test_a_failure_is_forgotten_once_the_image_is_there(backend: Backend, web: Web, broken: Page) -> None:
    web.pages["/photo.png"] = broken
    costs_itself(backend, f"{web.url}/photo.png")
    web.pages["/photo.png"] = content(picture("red"))
    assert chosen(neighbours(backend, f"{web.url}/photo.png")) == ["red"]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_an_image_counts_for_what_is_in_it_not_for_its_name(backend: Backend, web: Web, kind: str) -> None:
    web.pages["/notes.txt"] = content(picture("blue", kind), Content_Type="text/plain")
    assert chosen(neighbours(backend, f"{web.url}/notes.txt")) == ["blue"]


def test_nothing_of_this_machine_was_kept(backend: Backend) -> None:
    """What lies in the media cache came from the web servers of these tests, never from disk."""
    passwords = Path("/etc/passwd").read_bytes()
    kept = [file for file in (backend.folder / "data/cache/media").rglob("*") if file.is_file()]
    assert all(file.read_bytes() != passwords for file in kept)
