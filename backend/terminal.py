"""What every command begins with: settings, the log, and errors that end it with a sentence."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from backend.errors import PrelabelError, SettingsError
from backend.settings import Settings

DataDir = Annotated[
    Path | None, typer.Option(help="Folder for everything Prelabel writes.", show_default="~/.prelabel")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@contextmanager
def sentences() -> Iterator[None]:
    """Errors made on purpose end the command with their sentence: 2 for settings, 1 for the rest."""
    try:
        yield
    except PrelabelError as error:
        typer.echo(f"prelabel: {error}", err=True)
        raise typer.Exit(2 if isinstance(error, SettingsError) else 1) from None


def configure(**given: Any) -> Settings:
    """The settings with a command's options, and the log on standard error. Raises `SettingsError`."""
    settings = Settings.load(**given)
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    # httpx logs every request, with its address and whatever that carries, at INFO.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return settings


def with_redis(settings: Settings) -> Settings:
    """The settings with the Redis of a `prelabel up` that runs in the same data folder, where none is given."""
    from pydantic import SecretStr

    from backend.embedded_redis import running_url

    url = running_url(settings.data_dir / "redis") if settings.redis_url is None else None
    if settings.redis_url is None and url is None:
        raise SettingsError(
            "PRELABEL_REDIS_URL: got nothing, expected an address like redis://host:6379/0. Set it, or run "
            "`prelabel up`, which brings a Redis of its own."
        )
    return settings.model_copy(update={"redis_url": SecretStr(url)}) if url else settings
