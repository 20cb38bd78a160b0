"""Whose turn it is to write predictions."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from backend.jobs.lease import lease
from backend.jobs.turn import Turn
from tests.backend.jobs.laboratory import Laboratory

UID = "1.1795149789"


def test_one_writes_at_a_time(redis_connection: redis.Redis) -> None:
    begun = threading.Event()
    spans: list[tuple[float, float]] = []

    def write() -> None:
        with Turn(redis_connection, UID).taken():
            at = time.monotonic()
            begun.set()
            time.sleep(0.3)
            spans.append((at, time.monotonic()))

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(write) for _ in range(2)]:
            future.result()
    (_, first_ended), (second_begun, _) = sorted(spans)
    assert first_ended <= second_begun


def test_a_training_and_the_writing_of_predictions_do_not_wait_for_each_other(redis_connection: redis.Redis) -> None:
    begun = time.monotonic()
    with lease(redis_connection, UID) as training, Turn(redis_connection, UID).taken() as writing:
        assert training.held
        assert writing.held
    assert time.monotonic() - begun < 5


def test_whoever_has_the_turn_hears_that_it_is_asked_for(redis_connection: redis.Redis) -> None:
    turn = Turn(redis_connection, UID)
    assert not turn.is_asked()
    with Turn(redis_connection, UID).asked():
        assert turn.is_asked()
        assert not Turn(redis_connection, "2.1").is_asked()
    assert not turn.is_asked()


def test_a_process_that_is_dead_asks_for_nothing(redis_connection: redis.Redis) -> None:
    redis_connection.set(f"prelabel:turn-asked:{UID}", f"{socket.gethostname()}:{2**22 + 1}:ab")
    assert not Turn(redis_connection, UID).is_asked()
    redis_connection.set(f"prelabel:turn-asked:{UID}", "elsewhere:1:ab")
    assert Turn(redis_connection, UID).is_asked()


@pytest.mark.label_studio
def test_a_refresh_gives_way_and_is_run_again(laboratory: Laboratory) -> None:
    laboratory.label(0, 1)
    laboratory.train()
    for row in laboratory.project.predictions():
        laboratory.project.studio.call("DELETE", f"/api/predictions/{row['id']}/")
    with Turn(laboratory.parts.redis, laboratory.uid).asked():
        assert "the rest is left to the refresh of v1" in laboratory.refresh()
    assert laboratory.rows() == {}
    assert [view.version for view in laboratory.parts.queue.jobs(laboratory.uid) if view.state.alive] == ["v1"]
    laboratory.refresh()
    assert sorted(laboratory.rows()) == laboratory.tasks[2:]


@pytest.mark.label_studio
def test_two_refreshes_at_once_give_each_task_one_row(laboratory: Laboratory) -> None:
    laboratory.label(0, 1)
    laboratory.train()
    for row in laboratory.project.predictions():
        laboratory.project.studio.call("DELETE", f"/api/predictions/{row['id']}/")
    with ThreadPoolExecutor(2) as pool:
        said = [future.result() for future in [pool.submit(laboratory.refresh) for _ in range(2)]]
    assert sorted(laboratory.rows()) == laboratory.tasks[2:], said
