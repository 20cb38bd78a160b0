"""One call for whatever a task's data point to: `fetch` gives a file, `fetch_text` its text."""

from __future__ import annotations

import base64
import binascii
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import httpcore
import httpx

from backend.errors import LabelStudioError, MediaError
from backend.labelstudio.media.cache import MediaCache
from backend.labelstudio.media.clouds import Buckets
from backend.labelstudio.media.locations import absolute, carries_token, is_cloud, is_presign, locate, origin, shown
from backend.labelstudio.media.network import CheckedBackend, Deadline
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.labelstudio.connection import Connection

MAX_REDIRECTS = 5

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NOTHING: Mapping[str, str] = {}
_MEDIA_ADVICE = "Check that the file is still in Label Studio, and that it serves local files if it is one."
_CLOUD_ADVICE = (
    "Add its bucket to the project as a source storage in Label Studio, whose credentials may read it, or name it in "
    "PRELABEL_CLOUD_BUCKETS to read it directly."
)


@dataclass(frozen=True)
class MediaLimits:
    """`max_bytes` of one file, `timeout` in seconds for all of one fetch, hosts that may have private addresses.

    Objects in `buckets` are read directly, with the environment's credentials; others through Label Studio.
    """

    max_bytes: int = 50 * 1024**2
    timeout: float = 10.0
    allowed_hosts: frozenset[str] = frozenset()
    buckets: tuple[str, ...] = ()


class MediaFetcher:
    """Fetches media for many threads at once.

    `connection` gives the pinned Label Studio, `authorization` the header that it wants; both are asked at each
    fetch, since a backend may be connected later and access tokens are short-lived.
    """

    def __init__(
        self,
        cache: MediaCache,
        limits: MediaLimits,
        connection: Callable[[], Connection | None] = lambda: None,
        authorization: Callable[[], Mapping[str, str]] = lambda: _NOTHING,
    ) -> None:
        self._cache = cache
        self._limits = limits
        self._connection = connection
        self._authorization = authorization
        self._buckets = Buckets(limits.buckets, limits.timeout, limits.max_bytes)

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        connection: Callable[[], Connection | None],
        authorization: Callable[[], Mapping[str, str]],
    ) -> MediaFetcher:
        """A fetcher whose cache lies in the data folder."""
        cache = MediaCache(settings.data_dir / "cache" / "media", settings.media_cache_bytes)
        limits = MediaLimits(
            settings.media_max_bytes,
            settings.media_timeout,
            frozenset(settings.allowed_hosts),
            settings.cloud_buckets,
        )
        return cls(cache, limits, connection, authorization)

    def fetch(self, url: str, *, task_id: int | None = None) -> Path:
        """The file that `url` names: http(s), a data URI, Label Studio's media, an object in cloud storage.

        Open it soon. `task_id` is what cloud storage is asked for through Label Studio. Raises `MediaError`.
        """
        if _is_data(url):
            return self._decode(url.strip())
        connection = self._connection()
        label_studio = connection.url if connection else None
        key, download = self._source(url, label_studio, task_id)
        return self._cache.get(key) or self._cache.put(key, download())

    def forget(self, url: str, *, task_id: int | None = None) -> None:
        """Fetch `url` anew next time: what came is not what was hoped for."""
        connection = self._connection()
        if not _is_data(url):
            self._cache.forget(self._source(url, connection.url if connection else None, task_id)[0])

    def _source(
        self, url: str, label_studio: str | None, task_id: int | None
    ) -> tuple[str, Callable[[], Iterator[bytes]]]:
        """The key under which the file is kept, and what brings it."""
        if is_cloud(url) and self._buckets.cover(url):
            return url.strip(), lambda: self._read(url)
        location = locate(url, label_studio, task_id)
        return str(location), lambda: self._download(location, label_studio)

    def fetch_text(self, url: str, *, task_id: int | None = None) -> str:
        """The text of a file in UTF-8. Raises `MediaError`, also for a file that is none."""
        try:
            text = self.fetch(url, task_id=task_id).read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError:
            raise MediaError(f'"{shown(url)}" is no text in UTF-8. Give the address of a text file.') from None
        if "\0" in text:
            raise MediaError(f'"{shown(url)}" is a binary file. Give the address of a text file.')
        return text

    def _decode(self, uri: str) -> Path:
        key = "data:" + sha256(uri.encode("utf-8", "surrogatepass")).hexdigest()
        if len(uri) > 3 * self._limits.max_bytes + 1000:  # A byte takes at most three characters.
            raise self._too_large(shown(uri))
        found = self._cache.get(key)
        return found or self._cache.put(key, self._bounded(iter([_data(uri)]), shown(uri)))

    def _read(self, uri: str) -> Iterator[bytes]:
        yield from self._bounded(iter([self._buckets.read(uri)]), shown(uri))

    def _download(self, location: httpx.URL, label_studio: str | None) -> Iterator[bytes]:
        deadline = Deadline(self._limits.timeout)
        backend = CheckedBackend(lambda host, port: self._trusts(host, port, label_studio), deadline)
        try:
            with httpcore.ConnectionPool(ssl_context=self._tls, network_backend=backend) as pool:
                for _ in range(MAX_REDIRECTS + 1):
                    headers = list(self._headers(location, label_studio).items())
                    with pool.stream("GET", _target(location), headers=headers) as response:
                        if response.status not in _REDIRECTS:
                            yield from self._body(response, location, label_studio)
                            return
                        location = _next(location, response)
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
            deadline.remaining()
            reason = str(error) or type(error).__name__
            raise MediaError(
                f'"{shown(location)}" could not be fetched: {reason}. Check that it is reachable.'
            ) from error
        raise MediaError(f'"{shown(location)}" redirects more than {MAX_REDIRECTS} times. Give the final address.')

    def _trusts(self, host: str, port: int, label_studio: str | None) -> bool:
        name = host.lower().rstrip(".")
        pinned = label_studio is not None and origin(absolute(label_studio)) == (name, port)
        return pinned or name in self._limits.allowed_hosts

    def _headers(self, location: httpx.URL, label_studio: str | None) -> dict[str, str]:
        # A compressed answer could be a bomb, and media are compressed already.
        headers = {
            "Host": location.netloc.decode("ascii"),
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "User-Agent": "prelabel",
        }
        if carries_token(location, label_studio):
            try:
                headers |= self._authorization()
            except LabelStudioError as error:
                raise MediaError(f'"{shown(location)}" needs Label Studio\'s permission. {error}') from error
        return headers

    def _body(self, response: httpcore.Response, location: httpx.URL, label_studio: str | None) -> Iterator[bytes]:
        headers = {name.lower(): value for name, value in response.headers}
        if response.status != 200:
            raise _answered(response.status, location, carries_token(location, label_studio))
        encoding = headers.get(b"content-encoding", b"identity").decode("latin-1")
        if encoding.lower() != "identity":
            raise MediaError(f'"{shown(location)}" came compressed ({encoding}) although that was not asked for.')
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > self._limits.max_bytes:
            raise self._too_large(shown(location))
        yield from self._bounded(response.iter_stream(), shown(location))

    def _bounded(self, chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
        size = 0
        for chunk in chunks:
            size += len(chunk)
            if size > self._limits.max_bytes:
                raise self._too_large(name)
            yield chunk
        if size == 0:
            raise MediaError(f'"{name}" is empty. Correct the file, or the address in the task\'s data.')

    def _too_large(self, name: str) -> MediaError:
        return MediaError(
            f'"{name}" is larger than {self._limits.max_bytes} bytes. '
            "Make it smaller, or raise PRELABEL_MEDIA_MAX_BYTES."
        )

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpcore.default_ssl_context()


def _is_data(url: str) -> bool:
    return url.lstrip()[:5].lower() == "data:"


def _target(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def _next(location: httpx.URL, response: httpcore.Response) -> httpx.URL:
    """Where a redirect leads. It is checked like the first address: by scheme here, by address when connecting."""
    for name, value in response.headers:
        if name.lower() == b"location":
            try:
                return absolute(str(location.join(value.decode("latin-1"))))
            except (httpx.InvalidURL, ValueError) as error:
                raise MediaError(f'"{shown(location)}" redirects to no valid address: {error}.') from None
    raise MediaError(f'"{shown(location)}" redirects without saying where.')


def _answered(status: int, location: httpx.URL, authorised: bool) -> MediaError:
    if status in (401, 403):
        advice = (
            "Check Label Studio's token with `prelabel connect`, and that its user may see the project."
            if authorised
            else "Only media of the pinned Label Studio are fetched with its token; make others public."
        )
    elif authorised:
        advice = _CLOUD_ADVICE if is_presign(location) else _MEDIA_ADVICE
    else:
        advice = "Check the address in the task's data."
    return MediaError(f'"{shown(location)}" answered with status {status}, wanted 200. {advice}')


def _data(uri: str) -> bytes:
    head, comma, payload = uri[5:].partition(",")
    if not comma:
        raise MediaError(f'"{shown(uri)}" is no data URI: wanted a comma before the data.')
    try:
        content = unquote_to_bytes(payload)
        if not head.lower().endswith(";base64"):
            return content
        return base64.b64decode(b"".join(content.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MediaError(f'"{shown(uri)}" is damaged: {error}. Import the task again.') from None
