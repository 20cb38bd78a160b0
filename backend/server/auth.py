"""Who may call: Basic Auth, the webhook's header, and no pages of other sites.

A plain ASGI middleware, so that a body is not read before its sender is known.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.errors import PrelabelError, Unauthorized, Untrusted
from backend.server.errors import answer_error
from backend.settings import Settings

log = logging.getLogger(__name__)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Credentials:
    """What a caller must show. `secret` returns the webhook's secret, which `connect` may renew at any time."""

    def __init__(self, settings: Settings, secret: Callable[[], str | None]) -> None:
        self._username = settings.username
        self._password = settings.password
        self._secret = secret

    def check(self, authorization: str | None, path: str) -> None:
        """Raises `Unauthorized` unless no password is set or `authorization` is right for `path`."""
        if self._username is None or self._password is None:
            return
        if authorization is None:
            raise Unauthorized(
                "Got an event without our secret. `prelabel connect` gives it to the project's webhook; without it, "
                "that is done within minutes, when changes are looked for."
                if path == "/webhook"
                else "Got no credentials, wanted Basic Auth. Set user and password of this backend in Label Studio."
            )
        expected = f"{self._username}:{self._password.get_secret_value()}"
        # Both are always compared, so that the time taken says nothing about which was nearer.
        is_basic = _same(_decoded(authorization), expected)
        is_webhook = self._is_webhook(authorization, path)
        if not (is_basic or is_webhook):
            raise Unauthorized(
                "Got credentials that do not match, wanted those of PRELABEL_USERNAME and PRELABEL_PASSWORD. "
                "Correct them on the backend in Label Studio, or run `prelabel connect` again."
            )

    def _is_webhook(self, authorization: str, path: str) -> bool:
        secret = self._secret() if path == "/webhook" else None
        return _same(authorization, f"Bearer {secret}") and bool(secret)


class Guard:
    """Lets a request through, or answers it with 401 or 403."""

    def __init__(self, app: ASGIApp, credentials: Credentials) -> None:
        self._app = app
        self._credentials = credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        try:
            self._credentials.check(headers.get("authorization"), scope["path"])
            refuse_other_sites(scope["method"], headers)
        except PrelabelError as error:
            log.warning("%s %s from %s: %s", scope["method"], scope["path"], _client(scope), error)
            return await answer_error(error)(scope, receive, send)
        return await self._app(scope, receive, send)


def refuse_other_sites(method: str, headers: Headers) -> None:
    """Raises `Untrusted` for a change that a page of another site asks a browser to make.

    A browser names the page's origin on each such request; Label Studio and other programs send none.
    """
    origin = headers.get("origin")
    if method in SAFE_METHODS or origin is None:
        return
    if urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        raise Untrusted(f"Got a request from a page of {origin}, wanted one from Label Studio or our own page.")


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode("utf-8", "surrogateescape"))


def _decoded(authorization: str) -> str:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        return ""


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else "an unknown address"
