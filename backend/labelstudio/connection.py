"""Which Label Studio is ours: its address and token, pinned by the operator or, at most once, learnt from `/setup`.

Nothing here imports an HTTP client: every webhook reads the secret through `recall`.
"""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from backend.errors import SettingsError, Untrusted
from backend.settings import Settings

FILE = "connection.json"


@dataclass(frozen=True)
class Connection:
    """A Label Studio and what we share with it. `url` has no slash at its end and may have a sub-path."""

    url: str
    api_key: str | None = field(default=None, repr=False)
    """Personal access token or legacy token; None while only the address is known."""
    webhook_secret: str | None = field(default=None, repr=False)
    """Label Studio sends it with every webhook, as `Authorization: Bearer <secret>`."""
    learnt: bool = False
    """Whether the address came from `/setup`, not from the operator."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", self.url.strip().rstrip("/"))

    @property
    def webhook_headers(self) -> dict[str, str]:
        """The headers that Label Studio must send with webhooks."""
        return {"Authorization": f"Bearer {self.webhook_secret}"} if self.webhook_secret else {}


def new_secret() -> str:
    """A webhook secret that cannot be guessed."""
    return secrets.token_urlsafe(32)


def remember(data_dir: Path, connection: Connection) -> None:
    """Keep `connection` in `data_dir`, readable by this user alone. A reader sees the old file or the new one."""
    data_dir.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=data_dir, prefix=f".{FILE}.")  # made with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(connection), file)
        Path(temporary).replace(data_dir / FILE)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def recall(settings: Settings) -> Connection | None:
    """The pinned Label Studio: from the settings, or else as `connect` or `/setup` left it. None when there is none.

    A remembered token goes only to the address that it was remembered with. Raises `SettingsError` for a damaged file.
    """
    kept = _read(settings.data_dir / FILE)
    key = settings.label_studio_api_key
    if settings.label_studio_url is None:
        if kept is None or key is None:
            return kept
        return replace(kept, api_key=key.get_secret_value())
    pinned = Connection(settings.label_studio_url, key.get_secret_value() if key else None)
    if kept is None:
        return pinned
    same = canonical(kept.url) == canonical(pinned.url)
    return replace(
        pinned, api_key=pinned.api_key or (kept.api_key if same else None), webhook_secret=kept.webhook_secret
    )


def learn_hostname(settings: Settings, hostname: str, access_token: str | None = None) -> Connection | None:
    """What to make of the `hostname` (and legacy token) in a `/setup` request; the connection that holds afterwards.

    The first one is believed where nobody but this machine's users and holders of the password can call us, and
    remembered. With a pinned address nothing in the request is believed: a Label Studio that was never told its
    public address calls itself `http://localhost:8080`, so loopback names pass; any other address is refused.
    Raises `Untrusted`.
    """
    pinned = recall(settings)
    if not hostname.strip():
        return pinned
    if not hostname.startswith(("http://", "https://")) or not urlsplit(hostname).hostname:
        raise Untrusted(f"hostname: got {_shown(hostname)}, wanted Label Studio's address with http:// or https://.")
    if pinned is None:
        return _learn(settings, Connection(hostname, access_token or None, learnt=True))
    if canonical(hostname) == canonical(pinned.url) or (not pinned.learnt and is_loopback(urlsplit(hostname).hostname)):
        return pinned
    raise Untrusted(
        f"hostname: got {_shown(hostname)}, but this backend belongs to the Label Studio at {pinned.url}. "
        "If that is no longer right, run `prelabel connect --label-studio-url` with the new address."
    )


def canonical(url: str) -> str:
    """`url` for comparison: names in lower case, default ports left out, loopback under one name."""
    parts = urlsplit(url.strip().rstrip("/"))
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return f"{parts.scheme.lower()}://{'localhost' if is_loopback(host) else host}:{port}{parts.path}"


def is_loopback(host: str | None) -> bool:
    """Whether `host` is this machine: `localhost` or a loopback address."""
    if host is None:
        return False
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def _learn(settings: Settings, connection: Connection) -> Connection:
    if not is_loopback(settings.host) and settings.password is None:
        raise Untrusted(
            f"hostname: got {_shown(connection.url)} from /setup, which anybody on the network may send. Pin your "
            "Label Studio with `prelabel connect` or LABEL_STUDIO_URL, or set PRELABEL_USERNAME and PRELABEL_PASSWORD."
        )
    remember(settings.data_dir, connection)
    return connection


def _read(path: Path) -> Connection | None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        value: Any = json.loads(text)
        if not isinstance(value, Mapping) or not isinstance(value.get("url"), str):
            raise ValueError("no address in it")
        return Connection(
            value["url"], value.get("api_key"), value.get("webhook_secret"), learnt=bool(value.get("learnt", False))
        )
    except ValueError as error:
        raise SettingsError(f"{path} is damaged ({error}). Run `prelabel connect` again.") from None


def _shown(text: str) -> str:
    return repr(text if len(text) <= 100 else text[:97] + "...")
