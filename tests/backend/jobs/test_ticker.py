"""The thread that enqueues what is due, on a real Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import redis

from backend.jobs.queue import Queue
from backend.jobs.ticker import COURTESY, TICK, Ticker

UID, OTHER = "1.1795149789", "2.1795149789"


@pytest.fixture
def jobs(redis_connection: redis.Redis) -> Queue:
    return Queue(redis_connection)


@pytest.fixture
def ticker(jobs: Queue) -> Iterator[Ticker]:
    ticker = Ticker(jobs)
    ticker.start()
    yield ticker
    ticker.close()
    assert "prelabel-ticker" not in [thread.name for thread in threading.enumerate()]


def seconds_until_enqueued(jobs: Queue, begun: float, *uids: str) -> float:
    while {job.uid for job in jobs.jobs()} != set(uids):
        assert time.time() < begun + 10, "it was never enqueued"
        time.sleep(0.01)
    return time.time() - begun


def test_what_is_named_is_enqueued_a_moment_later(jobs: Queue, ticker: Ticker) -> None:
    begun = time.time()
    jobs.mark(UID, begun)
    ticker.soon(UID)
    assert jobs.jobs() == []
    assert seconds_until_enqueued(jobs, begun, UID) >= COURTESY


def test_what_is_due_in_a_moment_is_enqueued_just_then(jobs: Queue, ticker: Ticker) -> None:
    begun = time.time()
    jobs.mark(UID, begun + 0.8 * TICK)
    ticker.soon(UID)
    assert seconds_until_enqueued(jobs, begun, UID) >= 0.8 * TICK


def test_what_is_marked_and_not_named_is_found_within_a_tick(jobs: Queue, ticker: Ticker) -> None:
    begun = time.time()
    jobs.mark(OTHER, begun)
    jobs.mark(UID, begun + 3600)
    ticker.soon(UID)
    assert seconds_until_enqueued(jobs, begun, OTHER) < TICK + COURTESY + 5


def test_what_is_named_and_not_marked_any_more_is_left(jobs: Queue, ticker: Ticker) -> None:
    ticker.soon(UID)
    time.sleep(COURTESY + 0.1)
    assert jobs.jobs() == []
