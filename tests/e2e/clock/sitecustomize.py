"""A clock that a test sets: Python loads this file before everything else in a process that has its folder on the path.

`CLOCK_FILE` names a file with the seconds by which the clock is ahead, looked at twice a second. What measures spans
(`time.monotonic`) goes on as it was, as on a machine whose clock is set.
"""

from __future__ import annotations

import datetime
import os
import time
from pathlib import Path
from typing import Any

FILE = Path(os.environ["CLOCK_FILE"])
INTERVAL = 0.5

_true_time, _true_datetime = time.time, datetime.datetime
_last: dict[str, float] = {"looked": float("-inf"), "offset": 0.0}


def _offset() -> float:
    if time.monotonic() - _last["looked"] > INTERVAL:
        _last["looked"] = time.monotonic()
        _last["offset"] = float(FILE.read_text() or 0)
    return _last["offset"]


class _AnyDatetime(type):
    """Those that C code makes count, too."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _true_datetime)


class _Datetime(_true_datetime, metaclass=_AnyDatetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return cls.fromtimestamp(_true_time() + _offset(), tz)

    @classmethod
    def utcnow(cls) -> Any:
        return cls.now(datetime.timezone.utc).replace(tzinfo=None)


time.time = lambda: _true_time() + _offset()
datetime.datetime = _Datetime  # type: ignore[misc]  # the point of it
