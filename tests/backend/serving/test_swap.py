"""Every server process follows an announcement, and says so only when it really does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from backend.embedded_redis import EmbeddedRedis
from backend.errors import StoreError
from backend.jobs.connection import open_redis
from backend.serving.swap import ALIVE_FOR, CHANNEL, SERVERS, SwapListener, announce, live_servers

UID = "1.1795149789"


def until(condition: Callable[[], object], what: str, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.01)


def nothing() -> None:
    """No reaction to a reconnection."""


@contextmanager
def listening(
    url: str, name: str, swap: Callable[[str], None], reconnected: Callable[[], None] = nothing
) -> Iterator[None]:
    """A server process's ear, awake; closed in the end."""
    awake = threading.Event()

    def on_reconnect() -> None:
        awake.set()
        reconnected()

    with open_redis(url) as connection:
        listener = SwapListener(connection, name, swap, on_reconnect)
        listener.start()
        try:
            assert awake.wait(10), f"{name} did not subscribe"
            until(lambda: name in live_servers(connection), f"a sign of life of {name}")
            yield
        finally:
            listener.close()


def test_every_server_swaps_and_acknowledges(redis_url: str, redis_connection: redis.Redis) -> None:
    swapped: dict[str, list[str]] = {"a": [], "b": []}
    with listening(redis_url, "a", swapped["a"].append), listening(redis_url, "b", swapped["b"].append):
        begun = time.monotonic()
        assert announce(redis_connection, UID, "v2", timeout=10) == set()
        assert time.monotonic() - begun < 5
        assert swapped == {"a": [UID], "b": [UID]}
    assert live_servers(redis_connection) == set()


def test_going_back_to_a_version_is_acknowledged_anew(redis_url: str, redis_connection: redis.Redis) -> None:
    swapped: list[str] = []
    with listening(redis_url, "a", swapped.append):
        for version in ("v1", "v2", "v1"):
            assert announce(redis_connection, UID, version, timeout=10) == set()
        assert len(swapped) == 3


def test_it_waits_for_the_slowest(redis_url: str, redis_connection: redis.Redis) -> None:
    done: list[str] = []

    def slow(uid: str) -> None:
        time.sleep(0.5)
        done.append(uid)

    with listening(redis_url, "slow", slow):
        assert announce(redis_connection, UID, "v2", timeout=10) == set()
        assert done == [UID]


def test_a_server_that_cannot_swap_does_not_acknowledge_and_listens_on(
    redis_url: str, redis_connection: redis.Redis
) -> None:
    asked: list[str] = []

    def swap(uid: str) -> None:
        asked.append(uid)
        if len(asked) == 1:
            raise OSError("damaged")

    with listening(redis_url, "a", swap):
        assert announce(redis_connection, UID, "v2", timeout=0.5) == {"a"}
        assert announce(redis_connection, UID, "v3", timeout=10) == set()
    assert asked == [UID, UID]


@pytest.mark.parametrize("message", [b"no json", b"[]", b'{"uid": 3}', b"\xff"])
def test_a_message_that_is_none_ends_no_listening(
    redis_url: str, redis_connection: redis.Redis, message: bytes
) -> None:
    with listening(redis_url, "a", lambda uid: None):
        redis_connection.publish(CHANNEL, message)
        assert announce(redis_connection, UID, "v2", timeout=10) == set()


def test_a_dead_server_is_waited_for_until_the_time_is_over(redis_connection: redis.Redis) -> None:
    seconds, _ = redis_connection.time()
    redis_connection.zadd(SERVERS, {"killed a moment ago": seconds, "killed before": seconds - ALIVE_FOR - 1})
    assert announce(redis_connection, UID, "v2", timeout=0.2) == {"killed a moment ago"}


def test_without_servers_nobody_is_waited_for(redis_connection: redis.Redis) -> None:
    begun = time.monotonic()
    assert announce(redis_connection, UID, "v2", timeout=10) == set()
    assert time.monotonic() - begun < 5


def test_after_redis_was_away_it_listens_again_and_says_so(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "redis")
    server.start()
    reconnections: list[float] = []
    try:
        with listening(server.url, "a", lambda uid: None, lambda: reconnections.append(time.monotonic())):
            server.stop()
            server.start()
            until(lambda: len(reconnections) == 2, "listening again")
            with open_redis(server.url) as connection:
                until(lambda: live_servers(connection) == {"a"}, "a sign of life")
                assert announce(connection, UID, "v2", timeout=10) == set()
    finally:
        server.stop()


def test_it_can_be_closed_while_redis_is_away(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "redis")
    server.start()
    with listening(server.url, "a", lambda uid: None):
        server.stop()
    assert not [thread for thread in threading.enumerate() if thread.name in ("prelabel-swap", "prelabel-heartbeat")]


def test_a_store_that_is_away_makes_nobody_deaf(redis_url: str, redis_connection: redis.Redis) -> None:
    tries: list[int] = []

    def fail_once() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise StoreError("Could not list s3://bucket: connection refused.")

    with listening(redis_url, "a", lambda uid: None, fail_once):
        until(lambda: len(tries) == 2, "listening again")
        assert announce(redis_connection, UID, "v2", timeout=10) == set()
