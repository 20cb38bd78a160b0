"""A job's last log lines, on a real Redis."""

from __future__ import annotations

import logging
import time

import redis

from backend.embedded_redis import EmbeddedRedis
from backend.jobs.connection import open_redis
from backend.jobs.tail import LINES, LONGEST_LINE, forget_tail, read_tail, tailed

JOB = "train-1_1795149789"
log = logging.getLogger("backend.a_job")
log.setLevel(logging.DEBUG)


def test_what_is_logged_meanwhile_is_the_tail(redis_connection: redis.Redis) -> None:
    log.info("before")
    with tailed(redis_connection, JOB):
        log.info("reading %d tasks", 3)
        log.debug("left out")
        try:
            raise ValueError("a secret of the traceback")
        except ValueError:
            log.exception("that failed: \ud800 <b>")
    log.info("after")
    first, second = read_tail(redis_connection, JOB)
    assert first.endswith(" INFO reading 3 tasks")
    assert second.endswith(" ERROR that failed: ? <b>")
    forget_tail(redis_connection, JOB)
    assert read_tail(redis_connection, JOB) == []


def test_tail_is_bounded(redis_connection: redis.Redis) -> None:
    with tailed(redis_connection, JOB):
        for number in range(LINES + 5):
            log.info("%d %s", number, "x" * 2 * LONGEST_LINE)
    lines = read_tail(redis_connection, JOB)
    assert len(lines) == LINES
    assert f" INFO {LINES + 4} " in lines[-1]
    assert max(map(len, lines)) < LONGEST_LINE + 30


def test_redis_that_is_away_holds_no_job_up(redis_server: EmbeddedRedis) -> None:
    away = open_redis(redis_server.url.replace(f":{redis_server.url.rpartition(':')[2].split('/')[0]}", ":1"))
    begun = time.monotonic()
    with tailed(away, JOB):
        for _ in range(1000):
            log.info("nobody hears this")
    assert time.monotonic() - begun < 2
    away.close()
