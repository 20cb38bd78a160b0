"""The last lines that a job logged, kept in Redis for people who look at it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import redis

from backend.jobs.connection import LONGEST_PAUSE, redis_errors

LINES = 100
KEPT = 7 * 86_400
"""Seconds, as long as failed jobs are."""
LONGEST_LINE = 1000


class LogTail(logging.Handler):
    """Appends what is logged to a job's tail, tracebacks left out: they stay in the worker's log.

    While Redis is away lines are dropped, without waiting for it at each of them.
    """

    def __init__(self, connection: redis.Redis, job: str) -> None:
        super().__init__(logging.INFO)
        self._redis = connection
        self._key = _key(job)
        self._not_before = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        if time.monotonic() < self._not_before:
            return
        try:
            said = record.getMessage()[:LONGEST_LINE]
            line = f"{time.strftime('%H:%M:%S', time.gmtime(record.created))} {record.levelname} {said}"
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.rpush(self._key, line.encode("utf-8", "replace"))
                pipeline.ltrim(self._key, -LINES, -1)
                pipeline.expire(self._key, KEPT)
                pipeline.execute()
        except redis.RedisError:
            self._not_before = time.monotonic() + LONGEST_PAUSE
        except Exception:  # noqa: BLE001 as every handler does: a wrong line must not end the job
            self.handleError(record)


@contextmanager
def tailed(connection: redis.Redis, job: str) -> Iterator[None]:
    """Within the block, what this process logs belongs to `job`; an earlier attempt's lines stay before it."""
    handler = LogTail(connection, job)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


def read_tail(connection: redis.Redis, job: str) -> list[str]:
    """The lines, oldest first. Raises `QueueUnavailable`."""
    with redis_errors():
        lines: Any = connection.lrange(_key(job), 0, -1)
    return [line.decode("utf-8", "replace") for line in lines]


def forget_tail(connection: redis.Redis, job: str) -> None:
    """Begin anew: the job is enqueued once more."""
    with suppress(redis.RedisError):
        connection.delete(_key(job))


def _key(job: str) -> str:
    return f"prelabel:log:{job}"
