"""Fixtures for everything that needs a real Redis: one server for the whole run, flushed around each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from backend.embedded_redis import EmbeddedRedis
from backend.jobs.connection import open_redis


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """The run's redis-server."""
    server = EmbeddedRedis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """The address of an empty Redis."""
    connection = open_redis(redis_server.url)
    connection.flushall()
    connection.close()
    return redis_server.url


@pytest.fixture
def redis_connection(redis_url: str) -> Iterator[redis.Redis]:
    """A connection to an empty Redis."""
    connection = open_redis(redis_url)
    yield connection
    connection.close()
