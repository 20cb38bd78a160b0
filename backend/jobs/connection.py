"""Connections to Redis, with bounds on how long anything waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from backend.errors import QueueUnavailable

LONGEST_PAUSE = 5.0
"""Seconds between two looks whether Redis is back, and between two starts of what keeps ending."""


def open_redis(url: str, timeout: float = 2.0) -> redis.Redis:
    """A connection pool for `url`; connects when it is first used. A command fails after about `timeout` seconds.

    Label Studio waits one second for a webhook, inside an annotator's request, so a Redis that is away must be
    noticed at once: one fresh attempt, for connections that a restart of Redis has closed, and no back-off.
    """
    return redis.Redis.from_url(
        url, socket_connect_timeout=min(timeout, 0.5), socket_timeout=timeout, retry=Retry(NoBackoff(), 1)
    )


@contextmanager
def redis_errors() -> Iterator[None]:
    """Turn what Redis raises within the block into `QueueUnavailable`."""
    try:
        yield
    except redis.RedisError as error:
        raise QueueUnavailable(
            f"Redis cannot be used ({error}). Background work waits; check that Redis runs and PRELABEL_REDIS_URL."
        ) from error
