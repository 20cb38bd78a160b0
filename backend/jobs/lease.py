"""A project's lease: who may train it (or write its predictions) now, and the growing number that tells old
leaseholders from new ones.

The lease keeps two trainings of a project apart most of the time. The fence keeps them apart always: publishing
refuses a number lower than the one already there, so a process that was asleep while its lease ran out does no harm.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol

import redis

from backend.errors import QueueUnavailable, Superseded
from backend.jobs.connection import redis_errors

log = logging.getLogger(__name__)

TTL = 10.0
"""Seconds after its last sign of life when a lease is free again."""

_ACQUIRE = """
if not redis.call('set', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
    return {0, redis.call('get', KEYS[1])}
end
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local fence = math.max(tonumber(redis.call('get', KEYS[2]) or '0') + 1, tonumber(ARGV[3]), now)
redis.call('set', KEYS[2], string.format('%.0f', fence))
return {fence, ''}
"""
_PROLONG = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0"
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


class Hold(Protocol):
    """The right to train a project, as far as a training has to know."""

    @property
    def fence(self) -> int: ...
    @property
    def held(self) -> bool: ...


class Lease:
    """A lease that is held. `fence` is greater than that of every lease of the project before it.

    It begins at Redis' clock in milliseconds: a Redis that has lost its memory must not give a fence a second time,
    while whoever holds it already may still publish.
    """

    def __init__(self, connection: redis.Redis, name: str, owner: str, fence: int, ttl: float) -> None:
        self.name = name
        self.fence = fence
        self._redis = connection
        self._owner = owner
        self._ttl = ttl
        self._until = time.monotonic() + ttl
        self._lost = False
        self._stop = threading.Event()
        self._heart = threading.Thread(target=self._beat, name=f"prelabel-lease-{name}", daemon=True)

    @property
    def held(self) -> bool:
        """Whether the lease is still ours; False also once Redis has been away for so long that nobody knows."""
        return not self._lost and time.monotonic() < self._until

    def check(self) -> None:
        """Ask Redis, and raise `Superseded` unless the lease is held."""
        self._prolong()
        if not self.held:
            raise Superseded(
                f"The lease of project {self.name} was lost (fence {self.fence}); another worker may have it. "
                "What this run made is dropped."
            )

    def __enter__(self) -> Lease:
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._heart.join()
        try:
            self._redis.eval(_RELEASE, 1, _key(self.name), self._owner)
        except redis.RedisError as problem:
            log.debug("The lease of %s was not given back and runs out by itself: %s", self.name, problem)

    def _beat(self) -> None:
        while not self._lost and not self._stop.wait(self._ttl / 5):
            self._prolong()

    def _prolong(self) -> None:
        asked = time.monotonic()
        try:
            kept = self._redis.eval(_PROLONG, 1, _key(self.name), self._owner, int(self._ttl * 1000))
        except redis.RedisError as problem:
            log.warning("The lease of %s could not be prolonged: %s", self.name, problem)
            return
        if kept:
            self._until = asked + self._ttl
        else:
            self._lost = True


@contextmanager
def lease(
    connection: redis.Redis, uid: str, *, doing: str = "trained", at_least: int = 1, ttl: float = TTL
) -> Iterator[Lease]:
    """Hold the lease of project `uid` within the block. Being `doing` something else has a lease of its own.

    `at_least` is one more than the fence of the published version, for a Redis that has lost its memory. A lease
    whose process on this machine is dead is taken over at once; another is waited for as long as it can live without
    a sign of life. Raises `Superseded` when it goes on living, `QueueUnavailable` when Redis is away.
    """
    with redis_errors():
        held = _acquire(connection, uid, doing, at_least, ttl)
    with held:
        yield held


def _acquire(connection: redis.Redis, uid: str, doing: str, at_least: int, ttl: float) -> Lease:
    name = uid if doing == "trained" else f"{uid}:{doing}"
    owner = new_owner()
    deadline = time.monotonic() + ttl + 1
    while True:
        fence, holder = connection.eval(
            _ACQUIRE, 2, _key(name), f"prelabel:fence:{name}", owner, int(ttl * 1000), at_least
        )
        if fence:
            return Lease(connection, name, owner, int(fence), ttl)
        if is_dead(holder.decode()):
            connection.eval(_RELEASE, 1, _key(name), holder)
        elif time.monotonic() > deadline:
            raise Superseded(f"Project {uid} is being {doing} by {holder.decode()}; this run leaves it alone.")
        else:
            time.sleep(min(0.2, ttl / 5))


def new_owner() -> str:
    """A name for what this process holds, or asks for, now."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}"


def is_dead(owner: str) -> bool:
    """Whether `owner` was a process of this machine that exists no more."""
    host, pid, _ = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _key(name: str) -> str:
    return f"prelabel:lease:{name}"


__all__ = ["TTL", "Lease", "QueueUnavailable", "lease"]
