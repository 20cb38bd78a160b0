"""Whose turn it is to write a project's predictions.

Two jobs that write at once would each find a task without a row of ours, and give it one each. So they take turns.
The training, whose few predictions somebody waits for, need not wait for a refresh of thousands: while it asks for
the turn, a refresh stops at its next prediction, and goes on after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import redis

from backend.errors import QueueUnavailable
from backend.jobs.connection import redis_errors
from backend.jobs.lease import Lease, is_dead, lease, new_owner

ASKED_FOR = 30
"""Seconds after which whoever asked for the turn on another machine is taken to be dead."""


class Turn:
    """The turn of one project. Every method raises `QueueUnavailable` while Redis is away."""

    def __init__(self, connection: redis.Redis, uid: str) -> None:
        self._redis = connection
        self._uid = uid
        self._asked = f"prelabel:turn-asked:{uid}"

    def taken(self) -> AbstractContextManager[Lease]:
        """Hold the turn within the block; wait until it is free. Raises `Superseded` where it never is."""
        return lease(self._redis, self._uid, doing="shown")

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Within the block, whoever else holds the turn is asked to give it up."""
        with redis_errors():
            self._redis.set(self._asked, new_owner(), ex=ASKED_FOR)
        try:
            yield
        finally:
            with suppress(QueueUnavailable), redis_errors():
                self._redis.delete(self._asked)

    def is_asked(self) -> bool:
        """Whether somebody asks for the turn."""
        with redis_errors():
            owner: Any = self._redis.get(self._asked)
        return owner is not None and not is_dead(owner.decode())
