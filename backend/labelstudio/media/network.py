"""Connections that are checked where they are made: the address that was checked is the address connected to.

httpcore asks this backend for every connection, redirects included, and resolves nothing itself, so a name that
resolves differently the second time gains nothing.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

from backend.errors import MediaError
from backend.labelstudio.media.addresses import is_public, resolve


class Deadline:
    """A point in time that everything belonging to one fetch has to meet."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, above zero. Raises `MediaError`."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise MediaError(
                f"The file did not arrive within {self.seconds:g} s. Try again, or raise PRELABEL_MEDIA_TIMEOUT."
            )
        return left


class CheckedBackend(httpcore.NetworkBackend):
    """Connects to public addresses, and to private ones only where `trusted(host, port)` says so."""

    def __init__(self, trusted: Callable[[str, int], bool], deadline: Deadline) -> None:
        self._trusted = trusted
        self._deadline = deadline
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Raises `MediaError` for an address that is refused, httpcore's `ConnectError` where none answers."""
        addresses = resolve(host, port, self._deadline.remaining())
        if not self._trusted(host, port) and not all(map(is_public, addresses)):
            raise MediaError(
                f"The host {host} has a private address ({addresses[0]}), and files are fetched from public ones only. "
                f"If it is meant, add it to PRELABEL_ALLOWED_HOSTS."
            )
        failure: Exception | None = None
        for address in addresses:
            try:
                stream = self._sockets.connect_tcp(
                    str(address), port, self._deadline.remaining(), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return TimedStream(stream, self._deadline)
        raise failure or httpcore.ConnectError("no address")


class TimedStream(httpcore.NetworkStream):
    """A connection whose every read and write ends with the deadline: a server that drips bytes cannot hold us."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.remaining())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.remaining())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._deadline.remaining())
        return TimedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
