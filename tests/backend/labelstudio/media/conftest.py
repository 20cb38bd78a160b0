"""A real web server on the loopback interface, whose pages and log the tests hold."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from backend.labelstudio.media import MediaCache, MediaFetcher, MediaLimits

Page = Callable[[BaseHTTPRequestHandler], None]


class Web:
    """Pages by path (with query). `seen` lists each request's path with its headers."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.pages: dict[str, Page] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                web.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                web.pages.get(self.path, status(404))(self)

            def log_message(self, *arguments: object) -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer((address, 0), Handler)
        self.port = self.server.server_port
        self.url = f"http://{address}:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def content(body: bytes, **headers: str) -> Page:
    """A page with `body`; underscores in names of `headers` stand for hyphens."""

    def page(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return page


def status(code: int, location: str | None = None) -> Page:
    """An answer without content."""

    def page(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        if location is not None:
            handler.send_header("Location", location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return page


@pytest.fixture
def web() -> Iterator[Web]:
    """A web server on 127.0.0.1."""
    server = Web()
    yield server
    server.close()


@pytest.fixture
def other() -> Iterator[Web]:
    """A second one, on 127.0.0.2: another host as far as trust goes."""
    server = Web("127.0.0.2")
    yield server
    server.close()


@pytest.fixture
def fetcher(tmp_path: Path) -> MediaFetcher:
    """A fetcher without a Label Studio that may reach 127.0.0.1, and no other private address."""
    limits = MediaLimits(max_bytes=200_000, timeout=5, allowed_hosts=frozenset({"127.0.0.1"}))
    return MediaFetcher(MediaCache(tmp_path / "media", 10_000_000), limits)
