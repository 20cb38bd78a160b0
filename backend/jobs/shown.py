"""What stored predictions said before they were overwritten.

A row in Label Studio keeps its id when a newer version overwrites it, often while somebody looks at the older
content. So that every prediction is judged by what was really on the page, the last contents of each row are kept,
with the time until which they stood there. Losing them loses judgements, never labels: Redis is enough.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import redis

log = logging.getLogger(__name__)

KEPT = 4
"""Former contents of one row. A page that has been open for longer than so many versions judges none."""
FORGOTTEN_AFTER = 14 * 86_400
"""Seconds. Label Studio ends a session after 14 days."""


@dataclass(frozen=True)
class Shown:
    """What a row said: the fields of a stored prediction that judging needs."""

    version: str
    result: list[dict[str, Any]]


@dataclass(frozen=True)
class Former(Shown):
    """What a row said until it was overwritten, at `until` in Unix seconds."""

    until: float


FormerContents = Callable[[Iterable[int]], Mapping[int, Sequence[Former]]]
"""The former contents of rows, oldest first, by the rows' ids."""


class ShownLog:
    """Former contents of one project's prediction rows."""

    def __init__(self, connection: redis.Redis, uid: str) -> None:
        self._redis = connection
        self._key = f"prelabel:shown:{uid}"

    def overwritten(self, row: Mapping[str, Any]) -> None:
        """Keep what the stored prediction `row`, as the API gave it, said until now."""
        try:
            raw: Any = self._redis.hget(self._key, str(row["id"]))
            kept = [*_decode(raw), {"version": row["model_version"], "result": row["result"], "until": time.time()}]
            self._redis.hset(self._key, str(row["id"]), json.dumps(kept[-KEPT:]))
            self._redis.expire(self._key, FORGOTTEN_AFTER)
        except redis.RedisError as error:
            log.warning("What prediction %s said is forgotten: %s", row["id"], error)

    def contents(self, rows: Iterable[int]) -> dict[int, list[Former]]:
        """Former contents by row id, oldest first; rows that were never overwritten are left out."""
        wanted = list(rows)
        if not wanted:
            return {}
        try:
            found: Any = self._redis.hmget(self._key, [str(row) for row in wanted])
        except redis.RedisError as error:
            log.warning("What predictions said earlier cannot be read: %s", error)
            return {}
        pairs = zip(wanted, found, strict=True)
        return {row: [Former(**content) for content in _decode(raw)] for row, raw in pairs if raw is not None}


def shown_at(
    current: Mapping[str, Any], former: Sequence[Former], submitted: Iterable[Mapping[str, Any]], opened: float
) -> Shown:
    """What the row `current` (as the API gives it) showed on the page where `submitted` was made.

    Regions taken over keep their ids, which differ between versions and so tell for certain. Where none was taken
    over, the time at which the page was `opened` (Unix seconds) decides.
    """
    now = Shown(str(current["model_version"]), list(current["result"]))
    ids = {region.get("id") for region in submitted}
    for content in (now, *reversed(former)):
        if any(region.get("id") in ids for region in content.result):
            return content
    return next((content for content in former if opened < content.until), now)


def _decode(raw: bytes | None) -> list[dict[str, Any]]:
    return list(json.loads(raw)) if raw else []
