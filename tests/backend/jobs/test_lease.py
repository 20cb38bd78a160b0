"""Leases on a real Redis."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

import pytest
import redis

from backend.errors import QueueUnavailable, Superseded
from backend.jobs.connection import open_redis
from backend.jobs.lease import lease

UID = "1.1795149789"


def test_fence_grows_with_every_lease(redis_connection: redis.Redis) -> None:
    fences = []
    for _ in range(3):
        with lease(redis_connection, UID) as held:
            held.check()
            fences.append(held.fence)
    assert fences == [1, 2, 3]


def test_fence_passes_the_published_one_where_redis_lost_its_memory(redis_connection: redis.Redis) -> None:
    with lease(redis_connection, UID, at_least=42) as held:
        assert held.fence == 42


def test_second_holder_waits_for_the_first_and_gives_up(redis_connection: redis.Redis) -> None:
    begun = time.monotonic()
    with (
        lease(redis_connection, UID, ttl=0.5),
        pytest.raises(Superseded, match="is being trained by"),
        lease(redis_connection, UID, ttl=0.5),
    ):
        pytest.fail("the lease was held twice")
    assert time.monotonic() - begun > 1.0


def test_heartbeat_keeps_the_lease_beyond_its_time(redis_connection: redis.Redis) -> None:
    with lease(redis_connection, UID, ttl=0.5) as held:
        time.sleep(1.2)
        held.check()


def test_lost_lease_is_noticed_and_not_given_back(redis_connection: redis.Redis) -> None:
    with lease(redis_connection, UID, ttl=0.5) as held:
        redis_connection.set(f"prelabel:lease:{UID}", "elsewhere:1:another")
        time.sleep(0.3)
        with pytest.raises(Superseded, match="was lost"):
            held.check()
    assert redis_connection.get(f"prelabel:lease:{UID}") == b"elsewhere:1:another"


def _hold(url: str) -> None:
    with lease(open_redis(url), UID):
        time.sleep(60)


def test_lease_of_a_killed_process_is_taken_over_at_once(redis_url: str, redis_connection: redis.Redis) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_hold, args=(redis_url,))
    process.start()
    while not redis_connection.exists(f"prelabel:lease:{UID}"):
        time.sleep(0.05)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    begun = time.monotonic()
    with lease(redis_connection, UID) as held:
        assert held.fence == 2
    assert time.monotonic() - begun < 1.0


def test_lease_without_redis_is_unavailable() -> None:
    with pytest.raises(QueueUnavailable), lease(open_redis("redis://127.0.0.1:1/0"), UID):
        pytest.fail("there is no Redis")
