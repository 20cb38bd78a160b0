"""The settings of the process that runs a job.

A job is a plain function of JSON-like arguments, so it cannot be handed its settings; a job that read the
environment instead would miss the options that the worker was started with.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from backend.settings import Settings

_current: ContextVar[Settings] = ContextVar("settings of the running job")


@contextmanager
def running_with(settings: Settings) -> Iterator[None]:
    """Within the block, `current_settings()` answers `settings`. Workers and tests enter it, jobs never do."""
    token = _current.set(settings)
    try:
        yield
    finally:
        _current.reset(token)


def current_settings() -> Settings:
    """The settings of the worker that runs this job. Raises RuntimeError outside `running_with`."""
    try:
        return _current.get()
    except LookupError:
        raise RuntimeError("Not inside a job: call it within running_with(settings).") from None
