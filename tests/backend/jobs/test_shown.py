"""What was on a page: contents of prediction rows that were overwritten meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import redis

from backend.embedded_redis import EmbeddedRedis
from backend.jobs.connection import open_redis
from backend.jobs.shown import KEPT, Former, Shown, ShownLog, shown_at

UID = "1.1795149789"


def row(version: str, region: str | None = None, number: int = 7) -> dict[str, Any]:
    """A stored prediction with one region of that id."""
    return {"id": number, "model_version": version, "result": [{"id": region or version}], "score": 0.5}


def former(version: str, until: float) -> Former:
    return Former(version, [{"id": version}], until)


def region(identifier: str) -> dict[str, str]:
    return {"id": identifier}


HISTORY = [former("v1", 100.0), former("v2", 200.0)]


@pytest.mark.parametrize(
    ("submitted", "opened", "version"),
    [
        # Regions that were taken over say which version they were, whenever the page was opened.
        ([region("v1")], 500.0, "v1"),
        ([region("v2")], 50.0, "v2"),
        ([region("v3")], 50.0, "v3"),
        ([region("drawn by hand"), region("v2")], 500.0, "v2"),
        # Otherwise the time of opening does.
        ([region("drawn by hand")], 50.0, "v1"),
        ([region("drawn by hand")], 150.0, "v2"),
        ([region("drawn by hand")], 250.0, "v3"),
        ([], 150.0, "v2"),
    ],
)
def test_shown_at(submitted: list[dict[str, str]], opened: float, version: str) -> None:
    assert shown_at(row("v3"), HISTORY, submitted, opened).version == version


def test_row_that_was_never_overwritten_showed_what_it_shows() -> None:
    assert shown_at(row("v1"), [], [], 0.0) == Shown("v1", [{"id": "v1"}])


def test_log_keeps_former_contents_in_order(redis_connection: redis.Redis) -> None:
    log = ShownLog(redis_connection, UID)
    log.overwritten(row("v1"))
    log.overwritten(row("v2"))
    log.overwritten(row("v1", number=8))
    found = ShownLog(redis_connection, UID).contents([7, 8, 9])
    assert {number: [content.version for content in kept] for number, kept in found.items()} == {
        7: ["v1", "v2"],
        8: ["v1"],
    }
    assert found[7][0].until <= found[7][1].until


def test_log_keeps_the_last_few_contents_and_for_as_long_as_a_session(redis_connection: redis.Redis) -> None:
    log = ShownLog(redis_connection, UID)
    for number in range(1, KEPT + 3):
        log.overwritten(row(f"v{number}"))
    assert [content.version for content in log.contents([7])[7]] == [f"v{number}" for number in range(3, KEPT + 3)]
    ttl: Any = redis_connection.ttl(f"prelabel:shown:{UID}")
    assert 13 * 86_400 < ttl <= 14 * 86_400


def test_projects_do_not_mix(redis_connection: redis.Redis) -> None:
    ShownLog(redis_connection, UID).overwritten(row("v1"))
    assert ShownLog(redis_connection, "2.1795149789").contents([7]) == {}


def test_redis_that_is_away_loses_judgements_and_nothing_else(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path)
    server.start()
    with open_redis(server.url) as connection:
        server.stop()
        log = ShownLog(connection, UID)
        log.overwritten(row("v1"))
        assert log.contents([7]) == {}
        assert log.contents([]) == {}
