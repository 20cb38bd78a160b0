"""Renders pages from templates; whatever came from other people is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from backend.server.protocol import Status

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"

REFRESH_SECONDS = 2

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # The same address answers programs with JSON.
    "Vary": "Accept",
    "Cache-Control": "no-store",
}
"""Sent with each page, so that even a label that got past the escaping could run nothing."""


class Pages:
    """The pages of one app."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=StrictUndefined
        )
        # Keys in the order in which programs get them, so that the first refresh finds nothing changed.
        self._environment.policies["json.dumps_kwargs"] = {"sort_keys": False}

    def status(self, status: Status) -> str:
        """The status page, with `status` inside for its first view."""
        template = self._environment.get_template("status.html")
        return template.render(status=status, refresh_ms=REFRESH_SECONDS * 1000)
