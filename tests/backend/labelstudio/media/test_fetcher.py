from __future__ import annotations

import base64
import ipaddress
import socket
import ssl
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.errors import LabelStudioError, MediaError
from backend.labelstudio.media import MediaCache, MediaFetcher, MediaLimits
from model_zoo.errors import UnreadableInput
from model_zoo.images import read_image
from tests.backend.labelstudio.media.conftest import Web, content, status

TOKEN = "Bearer of-the-operator"


def pinned(tmp_path: Path, url: str, **limits: Any) -> MediaFetcher:
    """A fetcher that knows a Label Studio at `url`, and its token."""
    return MediaFetcher(
        MediaCache(tmp_path / "media", 10_000_000),
        MediaLimits(**{"timeout": 5.0, **limits}),
        connection=lambda: SimpleNamespace(url=url),  # type: ignore[arg-type,return-value]
        authorization=lambda: {"Authorization": TOKEN},
    )


def tokens(web: Web) -> list[str | None]:
    return [headers.get("authorization") for _, headers in web.seen]


class TestLabelStudio:
    @pytest.mark.parametrize(
        ("base", "value", "requested"),
        [
            ("", "/data/upload/1/a%20b.png", "/data/upload/1/a%20b.png"),
            ("", "/data/local-files/?d=dir%2Fa.png", "/data/local-files/?d=dir%2Fa.png"),
            ("/sub", "/data/upload/1/a.png", "/sub/data/upload/1/a.png"),
            ("/sub", "/sub/data/upload/1/a.png", "/sub/data/upload/1/a.png"),
            ("/sub", "/sub/data/local-files/?d=a.png", "/sub/data/local-files/?d=a.png"),
        ],
    )
    def test_uploads_and_local_files(self, web: Web, tmp_path: Path, base: str, value: str, requested: str) -> None:
        web.pages[requested] = content(b"pixels")
        assert pinned(tmp_path, web.url + base).fetch(value).read_bytes() == b"pixels"
        assert [path for path, _ in web.seen] == [requested]
        assert tokens(web) == [TOKEN]

    def test_an_absolute_address_of_the_pinned_one_is_the_same(self, web: Web, tmp_path: Path) -> None:
        web.pages["/data/upload/1/a.png"] = content(b"pixels")
        assert pinned(tmp_path, web.url).fetch(f"{web.url}/data/upload/1/a.png").read_bytes() == b"pixels"
        assert tokens(web) == [TOKEN]

    def test_its_other_pages_are_asked_without_token(self, web: Web, tmp_path: Path) -> None:
        web.pages["/api/users/"] = status(401)
        with pytest.raises(MediaError, match=r"status 401.*Only media of the pinned Label Studio"):
            pinned(tmp_path, web.url).fetch(f"{web.url}/api/users/")
        assert tokens(web) == [None]

    def test_another_port_of_its_host_is_another_machine(self, web: Web, tmp_path: Path) -> None:
        with pytest.raises(MediaError, match=r"private address \(127.0.0.1\).*PRELABEL_ALLOWED_HOSTS"):
            pinned(tmp_path, "http://127.0.0.1:1").fetch(f"{web.url}/data/upload/1/a.png")
        assert web.seen == []

    def test_a_redirect_to_another_host_loses_the_token(self, web: Web, other: Web, tmp_path: Path) -> None:
        web.pages["/data/upload/1/a.png"] = status(303, f"{other.url}/data/upload/1/a.png")
        other.pages["/data/upload/1/a.png"] = content(b"pixels")
        fetcher = pinned(tmp_path, web.url, allowed_hosts=frozenset({"127.0.0.2"}))
        assert fetcher.fetch("/data/upload/1/a.png").read_bytes() == b"pixels"
        assert tokens(web) == [TOKEN]
        assert tokens(other) == [None]

    def test_a_refused_token_is_a_sentence(self, web: Web, tmp_path: Path) -> None:
        web.pages["/data/upload/1/a.png"] = status(401)
        with pytest.raises(MediaError, match=r"status 401.*prelabel connect"):
            pinned(tmp_path, web.url).fetch("/data/upload/1/a.png")

    def test_a_token_that_cannot_be_had_is_a_sentence(self, web: Web, tmp_path: Path) -> None:
        def refuse() -> dict[str, str]:
            raise LabelStudioError("Label Studio refuses the API key.")

        fetcher = MediaFetcher(
            MediaCache(tmp_path, 1000),
            MediaLimits(),
            lambda: SimpleNamespace(url=web.url),  # type: ignore[arg-type,return-value]
            refuse,
        )
        with pytest.raises(MediaError, match="Label Studio refuses the API key"):
            fetcher.fetch("/data/upload/1/a.png")

    def test_one_that_is_pinned_later_is_used_from_then_on(self, web: Web, tmp_path: Path) -> None:
        known: list[Any] = [None]
        fetcher = MediaFetcher(MediaCache(tmp_path, 1000), MediaLimits(), lambda: known[0])
        with pytest.raises(MediaError, match="none is pinned"):
            fetcher.fetch("/data/upload/1/a.png")
        known[0] = SimpleNamespace(url=web.url)
        web.pages["/data/upload/1/a.png"] = content(b"pixels")
        assert fetcher.fetch("/data/upload/1/a.png").read_bytes() == b"pixels"


class TestAddresses:
    @pytest.mark.parametrize("host", ["127.0.0.2", "127.1", "2130706433", "0x7f.1", "localhost", "[::ffff:127.0.0.1]"])
    def test_private_addresses_are_refused(self, other: Web, fetcher: MediaFetcher, host: str) -> None:
        with pytest.raises(MediaError, match="private address"):
            fetcher.fetch(f"http://{host}:{other.port}/a.png")
        assert other.seen == []

    def test_a_redirect_to_a_private_address_is_refused(self, web: Web, other: Web, fetcher: MediaFetcher) -> None:
        web.pages["/a.png"] = status(302, f"{other.url}/a.png")
        with pytest.raises(MediaError, match=r"private address \(127.0.0.2\)"):
            fetcher.fetch(f"{web.url}/a.png")
        assert other.seen == []

    @pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/a", "data:text/plain,a"])
    def test_a_redirect_to_another_scheme_is_refused(self, web: Web, fetcher: MediaFetcher, target: str) -> None:
        web.pages["/a.png"] = status(302, target)
        with pytest.raises(MediaError, match="no address that can be fetched"):
            fetcher.fetch(f"{web.url}/a.png")

    def test_a_name_with_one_private_address_is_refused(
        self, fetcher: MediaFetcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        resolves_to(monkeypatch, ["93.184.215.14", "127.0.0.3"])
        with pytest.raises(MediaError, match="private address"):
            fetcher.fetch("http://mixed.example/a.png")

    def test_the_address_that_was_checked_is_connected_to(
        self, other: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = resolves_to(monkeypatch, ["127.0.0.2"], ["127.0.0.3"])
        other.pages["/a.png"] = content(b"pixels")
        limits = MediaLimits(timeout=5, allowed_hosts=frozenset({"rebinding.example"}))
        fetcher = MediaFetcher(MediaCache(tmp_path, 1000), limits)
        assert fetcher.fetch(f"http://rebinding.example:{other.port}/a.png").read_bytes() == b"pixels"
        assert asked == ["rebinding.example"]
        assert other.seen[0][1]["host"] == f"rebinding.example:{other.port}"

    def test_addresses_are_tried_in_turn(self, other: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        resolves_to(monkeypatch, ["127.0.0.3", "127.0.0.2"])
        other.pages["/a.png"] = content(b"pixels")
        fetcher = MediaFetcher(
            MediaCache(tmp_path, 1000), MediaLimits(timeout=5, allowed_hosts=frozenset({"two.example"}))
        )
        assert fetcher.fetch(f"http://two.example:{other.port}/a.png").read_bytes() == b"pixels"

    def test_a_name_server_that_is_silent_cannot_hold_us(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def wait(*_: Any, **__: Any) -> None:
            time.sleep(1)
            raise socket.gaierror("timed out")

        monkeypatch.setattr(socket, "getaddrinfo", wait)
        started = time.monotonic()
        with pytest.raises(MediaError, match=r"no answer within|did not arrive within"):
            MediaFetcher(MediaCache(tmp_path, 1000), MediaLimits(timeout=0.2)).fetch("http://silent.example/a")
        assert time.monotonic() - started < 0.9


def resolves_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let every name resolve to the next of `answers`, the last one from then on; returns the names asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def answer(host: str, port: int, *arguments: Any, **more: Any) -> Any:
        if not host[-1].isalpha():
            return real(host, port, *arguments, **more)
        asked.append(host)
        addresses = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (str(ipaddress.ip_address(a)), port)) for a in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


class TestAnswers:
    @pytest.mark.parametrize("code", [404, 403, 500, 204, 206])
    def test_anything_but_200_is_a_sentence_with_the_status(self, web: Web, fetcher: MediaFetcher, code: int) -> None:
        web.pages["/a.png"] = status(code)
        with pytest.raises(MediaError, match=f"answered with status {code}, wanted 200"):
            fetcher.fetch(f"{web.url}/a.png")

    def test_failures_are_forgotten(self, web: Web, fetcher: MediaFetcher) -> None:
        web.pages["/a.png"] = status(500)
        with pytest.raises(MediaError):
            fetcher.fetch(f"{web.url}/a.png")
        web.pages["/a.png"] = content(b"pixels")
        assert fetcher.fetch(f"{web.url}/a.png").read_bytes() == b"pixels"

    def test_a_file_is_fetched_once(self, web: Web, fetcher: MediaFetcher) -> None:
        web.pages["/a.png"] = content(b"pixels")
        paths = {fetcher.fetch(f"{web.url}/a.png") for _ in range(3)}
        assert len(paths) == len(web.seen) == 1

    def test_redirects_are_followed_and_end(self, web: Web, fetcher: MediaFetcher) -> None:
        web.pages["/a.png"] = status(301, "/dir/b.png")
        web.pages["/dir/b.png"] = status(307, "c.png?v=1")
        web.pages["/dir/c.png?v=1"] = content(b"pixels")
        assert fetcher.fetch(f"{web.url}/a.png").read_bytes() == b"pixels"
        web.pages["/loop"] = status(302, "/loop")
        with pytest.raises(MediaError, match="redirects more than 5 times"):
            fetcher.fetch(f"{web.url}/loop")
        web.pages["/lost"] = status(302)
        with pytest.raises(MediaError, match="without saying where"):
            fetcher.fetch(f"{web.url}/lost")

    def test_too_many_bytes_said_before(self, web: Web, fetcher: MediaFetcher) -> None:
        def page(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", "900000000")
            handler.end_headers()

        web.pages["/a.png"] = page
        with pytest.raises(MediaError, match=r"larger than 200000 bytes.*PRELABEL_MEDIA_MAX_BYTES"):
            fetcher.fetch(f"{web.url}/a.png")

    def test_too_many_bytes_not_said_before(self, web: Web, fetcher: MediaFetcher, tmp_path: Path) -> None:
        def page(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            try:
                for _ in range(1000):
                    handler.wfile.write(b"2710\r\n" + bytes(10_000) + b"\r\n")
            except OSError:
                handler.close_connection = True

        web.pages["/a.png"] = page
        with pytest.raises(MediaError, match="larger than 200000 bytes"):
            fetcher.fetch(f"{web.url}/a.png")
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

    def test_an_answer_that_breaks_off_is_not_kept(self, web: Web, fetcher: MediaFetcher) -> None:
        def page(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            handler.wfile.write(b"half")
            handler.close_connection = True

        web.pages["/a.png"] = page
        with pytest.raises(MediaError, match="could not be fetched"):
            fetcher.fetch(f"{web.url}/a.png")
        web.pages["/a.png"] = content(b"whole")
        assert fetcher.fetch(f"{web.url}/a.png").read_bytes() == b"whole"

    @pytest.mark.parametrize("part", ["headers", "body"])
    def test_a_server_that_drips_cannot_hold_us(self, web: Web, tmp_path: Path, part: str) -> None:
        def page(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n")
            handler.wfile.write(b"\r\n" if part == "body" else b"X-Slow: ")
            handler.close_connection = True
            try:
                for _ in range(60):
                    handler.wfile.write(b"a")
                    time.sleep(0.05)
            except OSError:
                return

        web.pages["/a.png"] = page
        limits = MediaLimits(timeout=0.4, allowed_hosts=frozenset({"127.0.0.1"}))
        started = time.monotonic()
        with pytest.raises(MediaError, match=r"did not arrive within 0.4 s.*PRELABEL_MEDIA_TIMEOUT"):
            MediaFetcher(MediaCache(tmp_path, 1000), limits).fetch(f"{web.url}/a.png")
        assert time.monotonic() - started < 1.5

    def test_what_is_compressed_or_empty_or_no_http_is_refused(self, web: Web, fetcher: MediaFetcher) -> None:
        web.pages["/gzip"] = content(b"bomb", Content_Encoding="gzip")
        with pytest.raises(MediaError, match="came compressed"):
            fetcher.fetch(f"{web.url}/gzip")
        web.pages["/empty"] = content(b"")
        with pytest.raises(MediaError, match="is empty"):
            fetcher.fetch(f"{web.url}/empty")

        def babble(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(b"220 mail.example ready\r\n")
            handler.close_connection = True

        web.pages["/babble"] = babble
        with pytest.raises(MediaError, match="could not be fetched"):
            fetcher.fetch(f"{web.url}/babble")

    def test_a_machine_that_does_not_answer_is_a_sentence(self, web: Web, fetcher: MediaFetcher) -> None:
        web.close()
        with pytest.raises(MediaError, match=r"could not be fetched: .*refused"):
            fetcher.fetch(f"{web.url}/a.png")


class TestTls:
    @pytest.fixture
    def certificate(self, tmp_path: Path, web: Web) -> Path:
        """A certificate for 127.0.0.1 that signs itself, put before `web`."""
        key, path = tmp_path / "key.pem", tmp_path / "certificate.pem"
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test"
        names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(path)]
        subprocess.run([*command.split(), *names], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path, key)
        web.server.socket = context.wrap_socket(web.server.socket, server_side=True)
        web.pages["/a.png"] = content(b"pixels")
        return path

    def test_a_certificate_that_the_system_trusts(
        self, web: Web, certificate: Path, fetcher: MediaFetcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert fetcher.fetch(f"https://127.0.0.1:{web.port}/a.png").read_bytes() == b"pixels"

    @pytest.mark.usefixtures("certificate")
    def test_one_that_nobody_vouches_for(self, web: Web, fetcher: MediaFetcher) -> None:
        with pytest.raises(MediaError, match=r"could not be fetched: .*certificate"):
            fetcher.fetch(f"https://127.0.0.1:{web.port}/a.png")


class TestDataUris:
    @pytest.mark.parametrize(
        ("uri", "expected"),
        [
            ("data:image/png;base64," + base64.b64encode(b"\x89PNG\0\xff").decode(), b"\x89PNG\0\xff"),
            (" DATA:;base64,aGVs\n bG8= ", b"hello"),
            ("data:;base64,aGVsbG8%3D", b"hello"),
            ("data:text/plain,a%20b%00c", b"a b\0c"),
        ],
    )
    def test_their_data_become_a_file(self, fetcher: MediaFetcher, uri: str, expected: bytes) -> None:
        assert fetcher.fetch(uri).read_bytes() == expected
        assert fetcher.fetch(uri) == fetcher.fetch(uri)

    @pytest.mark.parametrize(
        ("uri", "sentence"),
        [
            ("data:image/png;base64", "wanted a comma"),
            ("data:image/png;base64,a", "is damaged"),
            ("data:image/png;base64,£££", "is damaged"),
            ("data:text/plain,\ud800", "is damaged"),
            ("data:image/png;base64,", "is empty"),
            ("data:image/png;base64," + "A" * 400_000, "larger than 200000 bytes"),
            ("data:image/png;base64," + "A" * 900_000, "larger than 200000 bytes"),
        ],
    )
    def test_what_is_none_is_a_sentence(self, fetcher: MediaFetcher, uri: str, sentence: str) -> None:
        with pytest.raises(MediaError, match=sentence) as caught:
            fetcher.fetch(uri)
        assert len(str(caught.value)) < 300


class TestContent:
    def test_text(self, web: Web, fetcher: MediaFetcher) -> None:
        web.pages["/a.txt"] = content("\ufeffmüde 😀".encode())
        assert fetcher.fetch_text(f"{web.url}/a.txt") == "müde 😀"

    @pytest.mark.parametrize(("body", "sentence"), [(b"\xff\xfe\x00", "is no text in UTF-8"), (b"a\0b", "binary file")])
    def test_what_is_no_text(self, web: Web, fetcher: MediaFetcher, body: bytes, sentence: str) -> None:
        web.pages["/a.txt"] = content(body)
        with pytest.raises(MediaError, match=sentence):
            fetcher.fetch_text(f"{web.url}/a.txt")

    def test_a_text_file_named_jpg_is_refused_by_the_reader(self, web: Web, fetcher: MediaFetcher) -> None:
        web.pages["/a.jpg"] = content(b"this is no image")
        with pytest.raises(UnreadableInput):
            read_image(fetcher.fetch(f"{web.url}/a.jpg"), max_pixels=80_000_000)

    def test_a_huge_image_is_refused_before_it_is_decoded(self, web: Web, tmp_path: Path) -> None:
        """20,000 by 20,000 pixels in 50 kB: 1.2 GB once decoded."""
        Image.new("1", (20_000, 20_000)).save(tmp_path / "huge.png")
        web.pages["/huge.png"] = content((tmp_path / "huge.png").read_bytes())
        fetcher = MediaFetcher(
            MediaCache(tmp_path / "media", 10_000_000), MediaLimits(allowed_hosts=frozenset({"127.0.0.1"}))
        )
        path = fetcher.fetch(f"{web.url}/huge.png")
        started = time.monotonic()
        with pytest.raises(UnreadableInput):
            read_image(path, max_pixels=80_000_000)
        assert time.monotonic() - started < 0.5

    def test_an_image(self, web: Web, fetcher: MediaFetcher, tmp_path: Path) -> None:
        Image.new("RGB", (4, 3), (200, 100, 50)).save(tmp_path / "a.png")
        web.pages["/a.png"] = content((tmp_path / "a.png").read_bytes())
        pixels = read_image(fetcher.fetch(f"{web.url}/a.png"), max_pixels=100)
        assert pixels.shape == (3, 4, 3)
        assert np.array_equal(pixels[0, 0], [200, 100, 50])


def test_many_threads_at_once(web: Web, fetcher: MediaFetcher) -> None:
    for number in range(40):
        web.pages[f"/{number}"] = content(str(number).encode() * 1000)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda number: fetcher.fetch(f"{web.url}/{number % 40}").read_bytes(), range(400)))
    assert found == [str(number % 40).encode() * 1000 for number in range(400)]
