"""What is to be done, kept in Redis beside RQ's queues: which project is to be trained or refreshed, and when.

A mark is set by whatever changes something and taken away by the start of the job, before it reads anything. So what
arrives while the job is queued is covered by it, and what arrives while it runs makes exactly one more run.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import redis

DUE = "prelabel:due"
"""A sorted set: the projects that are to be trained, by the unix time when."""
UNSHOWN = "prelabel:unshown"
"""A hash: for each project that is to be refreshed, the version whose predictions are to be written, and when."""
LONGEST_QUIET = 30.0
"""Seconds for which a refresh waits at most for a quiet moment."""
LEFT_FOR = 3600
"""Seconds for which what a person cancelled is not looked for: labels may wait, and are not to be forgotten."""

_POSTPONE = """
local marked = redis.call('zscore', KEYS[1], ARGV[1])
if not marked or tonumber(marked) > tonumber(ARGV[3]) then
    redis.call('zadd', KEYS[1], ARGV[2], ARGV[1])
end
"""
_UNMARK = """
local marked = redis.call('hget', KEYS[1], ARGV[1])
if marked and string.sub(marked, 1, #ARGV[2] + 1) == ARGV[2] .. ' ' then
    redis.call('hdel', KEYS[1], ARGV[1])
end
"""


class TrainingMarks:
    """The projects that are to be trained. Every method raises `redis.RedisError`."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def put(self, uid: str, due: float, *, postpone: bool) -> None:
        """Due at the unix time `due`, or at an earlier mark; one that is not due yet moves there with `postpone`."""
        if postpone:
            self._redis.eval(_POSTPONE, 1, DUE, uid, due, time.time())
        else:
            self._redis.zadd(DUE, {uid: due}, lt=True)

    def remove(self, uid: str) -> None:
        """Take the project's mark away."""
        self._redis.zrem(DUE, uid)

    def all(self) -> dict[str, float]:
        """The marked projects with the unix time when each is due, the earliest first."""
        marks: Any = self._redis.zrange(DUE, 0, -1, withscores=True)
        return {uid.decode(): float(score) for uid, score in marks}


class CancelledMarks:
    """The projects whose training a person cancelled, with what was there then, as whoever looks for changes sees it.
    Every method raises `redis.RedisError`."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def put(self, uid: str) -> None:
        """Cancelled just now; the next look says what was there."""
        self._redis.set(_cancelled(uid), "", ex=LEFT_FOR)

    def remove(self, uid: str) -> None:
        """A training begins, which learns what the cancelled one would have learnt."""
        self._redis.delete(_cancelled(uid))

    def is_there(self, uid: str) -> bool:
        """Whether a training of the project was cancelled, and none has begun since."""
        return bool(self._redis.exists(_cancelled(uid)))

    def covers(self, uid: str, seen: str) -> bool:
        """Whether what is seen is what was there when the training was cancelled. The first to ask tells."""
        there: Any = self._redis.get(_cancelled(uid))
        if there == b"":
            self._redis.set(_cancelled(uid), seen, xx=True, keepttl=True)
        return there is not None and there.decode() in ("", seen)


def _cancelled(uid: str) -> str:
    return f"prelabel:cancelled:{uid}"


@dataclass(frozen=True)
class Unshown:
    """The mark of a refresh: the version, the unix time when it is due, and that beyond which it is not put off."""

    version: str
    due: float
    latest: float

    @classmethod
    def parse(cls, raw: bytes) -> Unshown:
        """The reverse of `str`."""
        version, due, latest = raw.decode().split()
        return cls(version, float(due), float(latest))

    def __str__(self) -> str:
        return f"{self.version} {self.due:.3f} {self.latest:.3f}"


class RefreshMarks:
    """The projects that are to be refreshed. Every method raises `redis.RedisError`."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection

    def put(self, uid: str, version: str, quiet: float) -> Unshown:
        """Due in `quiet` seconds, unless a mark that is there already has been put off for long."""
        now = time.time()
        there = self.all().get(uid)
        latest = there.latest if there else now + LONGEST_QUIET
        mark = Unshown(version, min(now + quiet, latest), latest)
        self._redis.hset(UNSHOWN, uid, str(mark))
        return mark

    def remove(self, uid: str, version: str | None = None) -> None:
        """Take the project's mark away; if a version is given, only one of it."""
        if version is None:
            self._redis.hdel(UNSHOWN, uid)
        else:
            self._redis.eval(_UNMARK, 1, UNSHOWN, uid, version)

    def all(self) -> dict[str, Unshown]:
        """The marks by project."""
        marks: Any = self._redis.hgetall(UNSHOWN)
        return {uid.decode(): Unshown.parse(raw) for uid, raw in marks.items()}
