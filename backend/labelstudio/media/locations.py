"""From what a task says to what is requested: which values are addresses, and which requests carry the token."""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

from backend.errors import MediaError

MAX_ADDRESS = 8192
"""Characters of an address; data URIs are bounded in bytes instead."""

_LABEL_STUDIO_MEDIA = re.compile(r"/(data/|storage-data/|(tasks|projects)/\d+/(presign|resolve)/)")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_PRESIGN = re.compile(r"/tasks/\d+/presign/$")
_PORTS = {"http": 80, "https": 443}

CLOUDS = ("s3", "gs", "azure-blob")
"""Schemes of cloud storage, as Label Studio calls them."""


def locate(value: str, label_studio: str | None, task_id: int | None = None) -> httpx.URL:
    """The http(s) address that `value` means; a path of Label Studio's media is taken below `label_studio`.

    An object in cloud storage is asked for through Label Studio, which has the credentials of the project's storages
    and goes by the task. Raises `MediaError` for everything else.
    """
    text = value.strip()
    if len(text) > MAX_ADDRESS:
        raise MediaError(f"The address has {len(text)} characters, wanted at most {MAX_ADDRESS}.")
    scheme = _SCHEME.match(text)
    if scheme is None:
        return _below(text, label_studio)
    if scheme[1].lower() in CLOUDS:
        return _presigned(text, label_studio, task_id)
    if scheme[1].lower() not in _PORTS:
        raise _refused(scheme[1].lower(), text)
    return absolute(text)


def is_cloud(value: str) -> bool:
    """Whether `value` names an object in cloud storage."""
    scheme = _SCHEME.match(value.strip())
    return scheme is not None and scheme[1].lower() in CLOUDS


def absolute(text: str) -> httpx.URL:
    """An absolute http(s) address. Raises `MediaError`."""
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise MediaError(f'"{shown(text)}" is no valid address: {error}. Correct it in the task\'s data.') from None
    if url.scheme not in _PORTS or not url.host:
        raise MediaError(f'"{shown(text)}" is no address that can be fetched: wanted http:// or https:// with a host.')
    if not 0 < origin(url)[1] < 65536:
        raise MediaError(f'"{shown(text)}" is no valid address: wanted a port from 1 to 65535.')
    return url


def carries_token(url: httpx.URL, label_studio: str | None) -> bool:
    """Whether a request to `url` is one for media of the pinned Label Studio: its origin, its sub-path, its media.

    Other pages of it are not: an address in a task must not make us call its API in the operator's name.
    """
    if label_studio is None:
        return False
    base = absolute(label_studio)
    if (url.scheme, *origin(url)) != (base.scheme, *origin(base)):
        return False
    path, prefix = url.path, base.path.rstrip("/")
    if not path.startswith(prefix + "/") or not is_plain(path):
        return False
    return _LABEL_STUDIO_MEDIA.match(path[len(prefix) :]) is not None


def origin(url: httpx.URL) -> tuple[str, int]:
    """Host, as it goes over the wire, and port of an http(s) address."""
    return url.raw_host.decode("ascii").lower().rstrip("."), _PORTS[url.scheme] if url.port is None else url.port


def shown(address: str | httpx.URL) -> str:
    """An address for a message: without user name and password, without a signed query, not longer than a line."""
    text = _behind(str(address))
    if text.lower().startswith("data:"):
        return text[:40] + "…"
    text = re.sub(r"//[^/@?#]*@", "//", text)
    if "/data/local-files/" not in text:
        text = re.sub(r"\?.*", "?…", text, flags=re.DOTALL)
    return text if len(text) <= 160 else text[:159] + "…"


def is_presign(url: httpx.URL) -> bool:
    """Whether `url` is the page of Label Studio that leads to an object in cloud storage."""
    return _PRESIGN.search(url.path) is not None


def _presigned(uri: str, label_studio: str | None, task_id: int | None) -> httpx.URL:
    if label_studio is None or task_id is None:
        lacking = "no Label Studio is connected" if label_studio is None else "the task that it belongs to is not known"
        raise MediaError(
            f'"{shown(uri)}" lies in cloud storage, and {lacking}, so Label Studio cannot be asked for it. '
            "Connect it with `prelabel connect`, or name the bucket in PRELABEL_CLOUD_BUCKETS to read it directly."
        )
    encoded = urlsafe_b64encode(uri.encode("utf-8", "surrogatepass")).decode("ascii")
    return absolute(f"{label_studio.rstrip('/')}/tasks/{task_id}/presign/?fileuri={encoded}")


def _behind(address: str) -> str:
    """The object in cloud storage that a presigning address asks for; any other address as it is."""
    parts = address.partition("?")
    if _PRESIGN.search(parts[0]) is None:
        return address
    try:
        return urlsafe_b64decode(parse_qs(urlsplit(address).query)["fileuri"][0]).decode()
    except (KeyError, ValueError, binascii.Error):
        return address


def _below(path: str, label_studio: str | None) -> httpx.URL:
    if not path.startswith("/") or path.startswith("//"):
        raise MediaError(
            f'"{shown(path)}" is no address. Wanted http://, https://, data: or a path of Label Studio\'s media '
            "such as /data/upload/1/photo.jpg."
        )
    prefix = absolute(label_studio).path.rstrip("/") if label_studio else ""
    rest = path[len(prefix) :] if prefix and path.startswith(prefix + "/") else path
    if _LABEL_STUDIO_MEDIA.match(rest) is None or not is_plain(rest.partition("?")[0]):
        raise MediaError(
            f'"{shown(path)}" is a path on a machine, and files are never read from disk. '
            "Serve the file through Label Studio (/data/upload/ or /data/local-files/?d=) or by http."
        )
    if label_studio is None:
        raise MediaError(
            f'"{shown(path)}" lies in Label Studio, and none is pinned. '
            "Run `prelabel connect`, or set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY."
        )
    return absolute(label_studio.rstrip("/") + rest)


def is_plain(path: str) -> bool:
    """Whether `path` has no steps upwards, however encoded: a proxy may resolve them to another page."""
    decoded = unquote(unquote(path)).replace("\\", "/")
    return not any(step in (".", "..") for step in decoded.split("/"))


def _refused(scheme: str, text: str) -> MediaError:
    return MediaError(
        f'"{shown(text)}" has the scheme {scheme}:, and files are fetched by http:, https:, data:, '
        "s3:, gs: and azure-blob: only. Serve the file through Label Studio or by http."
    )
