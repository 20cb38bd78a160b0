"""Leases on a real Redis."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
import redis

from backend.embedded_redis import EmbeddedRedis
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
    assert fences == sorted(set(fences))
    assert len(fences) == 3


def test_fence_passes_the_published_one_where_redis_lost_its_memory(redis_connection: redis.Redis) -> None:
    published = 9_000_000_000_000
    with lease(redis_connection, UID, at_least=published) as held:
        assert held.fence == published


def test_redis_that_lost_its_memory_gives_no_fence_twice(redis_connection: redis.Redis) -> None:
    with lease(redis_connection, UID) as first:
        redis_connection.flushall()
        time.sleep(0.002)
        with lease(redis_connection, UID) as second:
            assert second.fence > first.fence


def test_loss_of_the_lease_is_noticed_when_asked_not_only_at_the_next_beat(redis_connection: redis.Redis) -> None:
    with lease(redis_connection, UID, ttl=60.0) as held:
        held.check()
        redis_connection.flushall()
        with pytest.raises(Superseded, match="was lost"):
            held.check()


def test_lease_is_believed_in_while_redis_is_away_for_a_moment(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path)
    server.start()
    with open_redis(server.url) as connection, lease(connection, UID) as held:
        server.stop()
        held.check()


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
        assert held.held
    assert time.monotonic() - begun < 1.0


def test_lease_without_redis_is_unavailable() -> None:
    with pytest.raises(QueueUnavailable), lease(open_redis("redis://127.0.0.1:1/0"), UID):
        pytest.fail("there is no Redis")
