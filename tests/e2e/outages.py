"""What goes wrong around a backend: a Label Studio that misbehaves, a disk that is full, a clock that is set back."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.backend_process import ROOT

FORWARDED = ("content-type", "location", "set-cookie", "retry-after")
SLOW = 3.0
"""Seconds; the ten of `make soak` are survived in the same way."""


class Fault(Enum):
    """How a Label Studio misbehaves."""

    DOWN = "down"
    SLOW = "slow"
    UNAUTHORIZED = "401"
    BUSY = "429"
    BROKEN = "500"
    BY_TURNS = "429 and 500"
    TRUNCATED = "truncated"


class Proxy:
    """Stands between a backend and a real Label Studio. While `fault` is set, requests meet with it.

    Of `SLOW`, the first request alone: each of them taking so long would only make the test longer.
    """

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=60.0)
        self._guard = threading.Lock()
        self._fault: Fault | None = None
        self._slow = SLOW
        self.hits = 0
        """Requests that met with the fault since it was set."""

    @contextmanager
    def misbehaving(self, fault: Fault, slow: float = SLOW) -> Iterator[None]:
        """`slow` is in seconds."""
        with self._guard:
            self._fault, self._slow, self.hits = fault, slow, 0
        try:
            yield
        finally:
            self._fault = None

    def close(self) -> None:
        self._client.close()

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Forward one request, or not."""
        with self._guard:
            fault = self._fault
            self.hits += fault is not None
            first = self.hits == 1
            if fault is Fault.BY_TURNS:
                fault = (Fault.BUSY, Fault.BROKEN)[self.hits % 2]
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if fault is Fault.DOWN:
            request.close_connection = True
            return
        if fault in (Fault.UNAUTHORIZED, Fault.BUSY, Fault.BROKEN):
            _answer(request, int(fault.value), b'{"detail": "out of order"}', {"content-type": "application/json"})
            return
        if fault is Fault.SLOW and first:
            time.sleep(self._slow)
        dropped = ("host", "connection", "accept-encoding", "content-length")
        headers = {name: value for name, value in request.headers.items() if name.lower() not in dropped}
        answer = self._client.request(request.command, request.path, content=body, headers=headers)
        kept = {name: value for name, value in answer.headers.items() if name in FORWARDED}
        content = answer.content[: len(answer.content) // 2] if fault is Fault.TRUNCATED else answer.content
        _answer(request, answer.status_code, content, kept)


def _answer(request: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
    request.send_response(status)
    for name, value in (headers | {"content-length": str(len(body))}).items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)


@contextmanager
def in_front_of(url: str) -> Iterator[tuple[Proxy, str]]:
    """A proxy of `url`, and its address."""
    proxy = Proxy(url)

    class Handler(BaseHTTPRequestHandler):
        def forward(self) -> None:
            proxy.handle(self)

        def log_message(self, *arguments: Any) -> None:
            """Tests' output is for tests."""

    for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.forward)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        proxy.close()


def fill_disk_for(pid: int) -> None:
    """From now on the process can write to no file, as on a full disk; other processes can, as once there is room."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))


class Clock:
    """The clock of the processes that run in its `environment`, set by the test while they run."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set(0)
        hook = Path(__file__).with_name("clock")
        self.environment = {"CLOCK_FILE": str(self._file), "PYTHONPATH": f"{hook}{os.pathsep}{ROOT}"}

    def set(self, seconds: int) -> None:
        """Ahead of the true time by so many seconds, or behind; within a second."""
        temporary = self._file.with_suffix(".new")
        temporary.write_text(str(seconds))
        temporary.replace(self._file)
