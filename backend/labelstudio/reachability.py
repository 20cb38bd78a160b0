"""Who reaches whom: checks without a token, and what Label Studio's refusals mean in words."""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from backend.errors import LabelStudioError
from backend.labelstudio.connection import is_loopback
from backend.settings import Settings

TIMEOUT = 5.0
WEBHOOK_WAIT = 5.0
"""Seconds that a webhook may take to arrive; Label Studio sends it while it answers us."""
SCRAPES = 5

BY_HOST = (
    "Name this backend as Label Studio sees it, with --url or PRELABEL_PUBLIC_URL: from inside a container the host "
    "is http://host.docker.internal:{port} (Docker Desktop) or the address of the bridge, and this backend must listen "
    "there too (PRELABEL_HOST=0.0.0.0, with a password)."
)

REFUSALS: Mapping[tuple[str, ...], str] = {
    ("reserved network address", "was not allowed"): (
        "Label Studio does not talk to private addresses such as {backend}. Start it with ML_BLOCK_LOCAL_IP=false (for "
        "the backend) and SSRF_PROTECTION_ENABLED=false (for its webhook), or give this backend a public address."
    ),
    ("authentication parameters",): (
        "Label Studio reaches {backend} and is refused: the server runs with another PRELABEL_USERNAME or "
        "PRELABEL_PASSWORD than this command. Set the same for both."
    ),
    ("resolve", "Name or service", "getaddrinfo"): "Label Studio cannot resolve {host}. " + BY_HOST,
    ("SSLError", "WRONG_VERSION_NUMBER"): (
        "{backend} does not speak https. Give it with http://, or put a proxy with a certificate in front of it."
    ),
    ("doesn't look like a valid ML backend",): "Label Studio reaches {backend}, and its /setup failed: {error}",
    ("health check failed",): "Label Studio does not reach {backend}: {host} {place}. " + BY_HOST,
}
"""What Label Studio's refusal of a backend says, and what it means; the first that fits."""


def label_studio_release(url: str) -> str:
    """The release of the Label Studio at `url`, asked without a token. Raises `LabelStudioError`."""
    advice = "Check the address (--label-studio-url or LABEL_STUDIO_URL), its sub-path included, and that it is up."
    try:
        answer = httpx.get(f"{url}/api/version", timeout=TIMEOUT)
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise LabelStudioError(f"{url} cannot be reached: {error}. {advice}") from None
    if answer.is_redirect:
        target = answer.headers.get("location", "").removesuffix("/api/version")
        raise LabelStudioError(f"{url} redirects to {target}. Use that address: the token is sent to no other.")
    try:
        return str(answer.json()["release"])
    except (ValueError, KeyError, TypeError):
        raise LabelStudioError(
            f"{url} answers with status {answer.status_code}, and not as a Label Studio. {advice}"
        ) from None


@dataclass(frozen=True)
class OwnServer:
    """This backend's HTTP server as this command reaches it."""

    url: str
    auth: tuple[str, str] | None

    @classmethod
    def find(cls, settings: Settings) -> OwnServer | None:
        """The server under its public address, or else under the one that it listens on; None when it is not up."""
        password = settings.password.get_secret_value() if settings.password else ""
        auth = (settings.username, password) if settings.username else None
        for url in dict.fromkeys((settings.own_address, f"http://127.0.0.1:{settings.port}")):
            server = cls(url, auth)
            if server._is_up():
                return server
        return None

    def events(self) -> dict[tuple[str, str], float]:
        """How many webhook events were taken so far, by action and server process. Empty when it cannot be read."""
        answer = self._get("/metrics")
        if answer is None or answer.status_code != 200:
            return {}
        found: dict[tuple[str, str], float] = {}
        for labels, value in re.findall(r"^prelabel_events_total\{(.*)\} (\S+)$", answer.text, re.MULTILINE):
            pairs = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            found[pairs.get("action", ""), pairs.get("process", "")] = float(value)
        return found

    def _is_up(self) -> bool:
        answer = self._get("/health")
        try:
            return answer is not None and answer.status_code == 200 and answer.json().get("status") == "UP"
        except (ValueError, AttributeError):
            return False

    def _get(self, path: str) -> httpx.Response | None:
        try:
            return httpx.get(self.url + path, auth=self.auth, timeout=TIMEOUT)
        except (httpx.TransportError, httpx.InvalidURL):
            return None


def arrives(server: OwnServer, action: str, trigger: Callable[[], object]) -> bool:
    """Whether `trigger` makes an event of `action` reach the server within `WEBHOOK_WAIT`.

    A scrape reaches one of the server processes, so each counter is compared with what the same process said before.
    """
    before: dict[tuple[str, str], float] = {}
    for _ in range(SCRAPES):  # to have met most of the processes
        before |= server.events()
    trigger()
    deadline = time.monotonic() + WEBHOOK_WAIT
    while time.monotonic() < deadline:
        for key, value in server.events().items():
            if key[0] == action and value > before.get(key, 0.0):
                return True
        time.sleep(0.1)
    return False


def explain_refusal(error: LabelStudioError, backend: str, port: int) -> str:
    """What to do about Label Studio's refusal of the backend at the address `backend`."""
    if not backend.startswith(("http://", "https://")):
        return f"{backend} is no address: wanted one that begins with http:// or https://."
    host = urlsplit(backend).hostname or ""
    place = "is Label Studio's own machine or container there" if is_loopback(host) else "did not answer it within 1 s"
    for marks, sentence in REFUSALS.items():
        if any(mark in str(error) for mark in marks):
            return sentence.format(backend=backend, host=host, port=port, place=place, error=error)
    return str(error)


def webhook_problem(url: str) -> str | None:
    """Why Label Studio would take no webhook to `url`, in words; None when it takes it."""
    host = urlsplit(url).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if "." not in host and host != "localhost":
            return (
                f"Label Studio creates no webhook for a host without a dot, such as {host}. Give this backend an alias "
                f"with one (in Docker Compose: networks, aliases, {host}.local) and connect with --url and that name."
            )
    return None
