"""How a new version reaches every server process within a second, and how the publisher knows that it has.

A publish moves the pointer in the store first and is announced here afterwards. Each server process listens,
swaps its reference, and acknowledges. A message that is lost costs nothing but time: the pool looks at the
pointer by itself, too.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import redis

log = logging.getLogger(__name__)

CHANNEL = "prelabel:swap"
SERVERS = "prelabel:servers"
HEARTBEAT = 1.0
ALIVE_FOR = 5.0
ACKNOWLEDGEMENTS_KEPT = 3600


def _acknowledgements(uid: str, version: str) -> str:
    return f"prelabel:acks:{uid}:{version}"


def live_servers(connection: redis.Redis) -> set[str]:
    """Names of the server processes that gave a sign of life within the last `ALIVE_FOR` seconds."""
    names: Any = connection.zrangebyscore(SERVERS, _now(connection) - ALIVE_FOR, "+inf")
    return {name.decode() for name in names}


def announce(connection: redis.Redis, uid: str, version: str, timeout: float = 5.0) -> set[str]:
    """Tell all server processes that the pointer of `uid` moved to `version`, and wait until each has swapped.

    Returns the servers that did not acknowledge within `timeout` seconds: dead ones, normally.
    """
    # Where the pointer goes back to a version, acknowledgements of the first time say nothing.
    connection.delete(_acknowledgements(uid, version))
    connection.publish(CHANNEL, json.dumps({"uid": uid, "version": version}))
    deadline = time.monotonic() + timeout
    while True:
        names: Any = connection.smembers(_acknowledgements(uid, version))
        missing = live_servers(connection) - {name.decode() for name in names}
        if not missing or time.monotonic() > deadline:
            return missing
        time.sleep(0.02)


def _now(connection: redis.Redis) -> float:
    # Redis' clock, so that machines whose clocks differ agree on who is alive.
    seconds, microseconds = connection.time()
    return float(seconds) + float(microseconds) / 1e6


class SwapListener:
    """A server process's ear: a heartbeat, and a call of `swap(uid)` for every announcement.

    `on_reconnect` is called whenever Redis is reachable again after it was not, since announcements and events
    may have been missed meanwhile.
    """

    def __init__(
        self,
        connection: redis.Redis,
        server: str,
        swap: Callable[[str], None],
        on_reconnect: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._server = server
        self._swap = swap
        self._on_reconnect = on_reconnect
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(work,), name=f"prelabel-{name}", daemon=True)
            for name, work in (("heartbeat", self._beat), ("swap", self._listen))
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=2 * HEARTBEAT)
        try:
            self._connection.zrem(SERVERS, self._server)
        except redis.RedisError:
            log.debug("Redis is gone; the heartbeat of %s runs out by itself.", self._server)

    def _run(self, work: Callable[[], None]) -> None:
        while not self._stop.is_set():
            try:
                work()
            except redis.RedisError as error:
                log.warning("Redis cannot be reached (%s); trying again in %g s.", error, HEARTBEAT)
            except Exception:  # a store that is away at the wrong moment, say: nothing may make this process deaf
                log.exception("Listening for new versions failed; trying again in %g s.", HEARTBEAT)
            self._stop.wait(HEARTBEAT)

    def _beat(self) -> None:
        while not self._stop.is_set():
            self._connection.zadd(SERVERS, {self._server: _now(self._connection)})
            self._stop.wait(HEARTBEAT)

    def _listen(self) -> None:
        channels: Any = self._connection  # redis-py leaves pubsub() without types
        with channels.pubsub(ignore_subscribe_messages=True) as channel:
            channel.subscribe(CHANNEL)
            self._on_reconnect()
            while not self._stop.is_set():
                message = channel.get_message(timeout=HEARTBEAT)
                if message is not None:
                    self._handle(message["data"])

    def _handle(self, message: bytes) -> None:
        try:
            announced = json.loads(message)
            uid, version = str(announced["uid"]), str(announced["version"])
        except (ValueError, TypeError, KeyError) as error:
            log.warning("An announcement on %s is none of ours and is left out: %r", CHANNEL, error)
            return
        try:
            self._swap(uid)
        except Exception:  # a version that cannot be loaded must not end the listening; the old one goes on serving
            log.exception("Version %s of project %s could not be loaded; the version before it goes on.", version, uid)
            return
        key = _acknowledgements(uid, version)
        self._connection.sadd(key, self._server)
        self._connection.expire(key, ACKNOWLEDGEMENTS_KEPT)
