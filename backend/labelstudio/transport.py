"""Requests to Label Studio: the SDK's authentication and addresses, our time-outs, retries and errors.

The SDK exchanges personal access tokens for short-lived ones and knows legacy tokens. Its retries are off: it
also repeats a POST whose answer got lost, which would store predictions twice.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from backend.errors import LabelStudioError
from backend.labelstudio.connection import Connection

if TYPE_CHECKING:
    from label_studio_sdk.core.client_wrapper import SyncClientWrapper

CONNECT_TIMEOUT = 5.0
DELAYS = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each further attempt."""
LONGEST_DELAY = 30.0
"""Upper bound for what a server asks us to wait, in seconds."""

_BUSY = frozenset({429, 503})
"""The request was turned away before anything was done: any method may be repeated."""
_UNCERTAIN = frozenset({500, 502, 504})
"""Something may have been done: only methods that may run twice are repeated."""
_REPEATABLE = frozenset({"GET", "PATCH", "DELETE"})
_DETAIL = 600
"""Characters of an explanation; what Label Studio says of a backend names the cause at its end."""


class Transport:
    """Sends requests to one Label Studio. Safe for use by many threads; not across a fork."""

    def __init__(
        self,
        connection: Connection,
        *,
        timeout: float = 60.0,
        delays: tuple[float, ...] = DELAYS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = connection.url
        self._api_key = connection.api_key
        self._delays = delays
        self._sleep = sleep
        self._http = _http_client(connection.url, timeout)
        self._guard = threading.Lock()
        self._sdk: SyncClientWrapper | None = None

    def close(self) -> None:
        self._http.close()

    @property
    def uses_personal_token(self) -> bool:
        """A personal access token is a JWT; a legacy token is 40 hexadecimal digits."""
        return (self._api_key or "").count(".") == 2

    def authorization(self) -> dict[str, str]:
        """The header that requests to this Label Studio need, good for at least some seconds."""
        return {"Authorization": self._guarded(lambda: self._wrapper().get_headers()["Authorization"])}

    def get(self, path: str, **params: Any) -> Any:
        return self.request("GET", path, params=params)

    def post(self, path: str, body: Any, **params: Any) -> Any:
        return self.request("POST", path, params=params, body=body)

    def patch(self, path: str, body: Mapping[str, Any], **params: Any) -> Any:
        return self.request("PATCH", path, params=params, body=body)

    def delete(self, path: str) -> None:
        self.request("DELETE", path)

    def request(self, method: str, path: str, *, params: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        """The JSON that Label Studio answers, None for an empty answer. Raises `LabelStudioError`."""
        send = partial(self._send, method, path, dict(params or {}), body)
        response = self._guarded(send)
        if response.status_code == 401 and self.uses_personal_token:
            with self._guard:
                self._sdk = None  # a clock that differs from the server's makes the SDK keep an expired token
            response = self._guarded(send)
        return _content(response, method, self.url, path)

    def _send(self, method: str, path: str, params: dict[str, Any], body: Any) -> httpx.Response:
        for delay in (*self._delays, None):
            try:
                response = self._wrapper().httpx_client.request(
                    path, method=method, params=params, json=body, request_options={"max_retries": 0}
                )
            except httpx.TransportError as error:
                not_sent = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
                if delay is None or not (not_sent or method in _REPEATABLE):
                    raise
                self._sleep(delay)
            else:
                if delay is None or not _worth_repeating(method, response):
                    return response
                self._sleep(_wait(response, delay))
        raise AssertionError("the last attempt returns or raises")

    def _guarded(self, call: Callable[[], Any]) -> Any:
        """What `call` returns; every way in which it can fail as a sentence."""
        from label_studio_sdk.core.api_error import ApiError  # 0.1 s of imports that /setup and /health do without

        try:
            return call()
        except ApiError as error:
            raise self._token_error(error.status_code, str(error.body)) from None
        except httpx.TimeoutException:
            raise LabelStudioError(
                f"Label Studio at {self.url} did not answer in time. Check that it is up and not overloaded."
            ) from None
        except (httpx.TransportError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise LabelStudioError(
                f"Label Studio at {self.url} cannot be reached: {error}. Check the address (LABEL_STUDIO_URL or "
                "`prelabel connect --label-studio-url`), and that it is up."
            ) from None
        except json.JSONDecodeError:
            raise LabelStudioError(
                f"{self.url} does not exchange tokens as a Label Studio does. Check the address, its sub-path included."
            ) from None

    def _wrapper(self) -> SyncClientWrapper:
        from label_studio_sdk.core.client_wrapper import SyncClientWrapper  # see _guarded

        with self._guard:
            if self._sdk is None:
                if not self._api_key:
                    raise LabelStudioError(
                        f"There is no token for the Label Studio at {self.url}. Give one with "
                        "`prelabel connect --api-key` or LABEL_STUDIO_API_KEY."
                    )
                # Under a sub-path the SDK finds the token exchange only when the address ends in a slash.
                self._sdk = SyncClientWrapper(
                    api_key=self._api_key, base_url=self.url + "/", httpx_client=self._http, max_retries=0
                )
            return self._sdk

    def _token_error(self, status: int | None, detail: str) -> LabelStudioError:
        return LabelStudioError(
            f"Label Studio at {self.url} does not accept the token: {_short(detail)} Make a new personal access token "
            "in Label Studio (Account & Settings) and run `prelabel connect --api-key` with it.",
            status,
        )


def _http_client(url: str, timeout: float) -> httpx.Client:
    # Label Studio's own server sends head and body apart and answers 40 ms later on a kept connection (17 ms against
    # 60 for one prediction); behind TLS another server stands in front, and handshakes cost more.
    kept = 20 if urlsplit(url).scheme == "https" else 0
    return httpx.Client(
        timeout=httpx.Timeout(timeout, connect=CONNECT_TIMEOUT),
        limits=httpx.Limits(max_keepalive_connections=kept),
        follow_redirects=False,  # the token goes to the pinned address alone
    )


def _worth_repeating(method: str, response: httpx.Response) -> bool:
    if response.status_code in _BUSY:
        return True
    # SQLite refuses a second writer after 5 s, having written nothing.
    locked = response.status_code == 500 and "database is locked" in response.text
    return locked or (response.status_code in _UNCERTAIN and method in _REPEATABLE)


def _wait(response: httpx.Response, delay: float) -> float:
    asked = response.headers.get("retry-after", "")
    return min(float(asked), LONGEST_DELAY) if asked.isdigit() else delay


def _content(response: httpx.Response, method: str, url: str, path: str) -> Any:
    if not response.is_success:
        raise LabelStudioError(_sentence(response, method, url, path), response.status_code)
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        raise LabelStudioError(
            f"{url} answered {method} {path} with something that is no JSON, so it is no Label Studio. "
            "Check the address, its sub-path included."
        ) from None


def _sentence(response: httpx.Response, method: str, url: str, path: str) -> str:
    status, what = response.status_code, f"{method} {path}"
    if response.is_redirect:
        target = response.headers.get("location", "")
        return f"{url} redirects {what} to {_short(target)}. Pin that address instead: tokens are sent to no other."
    if status == 401:
        return (
            f"Label Studio at {url} does not accept the token ({detail_of(response)}). Legacy tokens must be enabled "
            "in the organisation's settings; otherwise run `prelabel connect --api-key` with a personal access token."
        )
    if status == 403:
        return f"Label Studio at {url} forbids {what}: {detail_of(response)} Use a token of a user who may do that."
    if status == 404:
        return f"Label Studio at {url} has nothing at {path}: {detail_of(response)} Check the id and the address."
    return f"Label Studio at {url} answered {what} with status {status}: {detail_of(response)}"


def detail_of(response: httpx.Response) -> str:
    """Label Studio's own explanation of an error, shortened, without HTML."""
    try:
        body = response.json()
    except ValueError:
        return f"({len(response.content)} bytes of {response.headers.get('content-type', 'unknown type')})"
    if not isinstance(body, dict):
        return _short(json.dumps(body))
    errors = body.get("validation_errors")
    return _short(json.dumps(errors, ensure_ascii=False) if errors else str(body.get("detail", body)))


def _short(text: str) -> str:
    return text if len(text) <= _DETAIL else text[: _DETAIL - 3] + "..."
