"""`/api/jobs`, and its stream: bounded, without a thread for each client, and over when the server ends."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from backend.app import create_app
from backend.errors import QueueUnavailable
from backend.jobs.view import JobKind, JobState, JobView
from backend.server import feed
from backend.settings import Settings
from tests.backend.server.running import running
from tests.backend.server.stand_in import UID, StandInServices
from tests.processes import eventually, within

TRAINING = JobView("train-1_1795149789", UID, JobKind.TRAIN, JobState.STARTED, stage="train", fraction=0.5, epoch=2,
                   epochs=9, metrics={"loss": 0.25})  # fmt: skip
ENDED = JobView("refresh-2_5-v1", "2.5", JobKind.REFRESH, JobState.FINISHED, version="v1")


@pytest.fixture
def services() -> StandInServices:
    services = StandInServices()
    services.queue.known = {TRAINING.id: TRAINING, ENDED.id: ENDED}
    services.queue.logs = {TRAINING.id: ["first", "second"]}
    return services


def ids(client: TestClient, query: str = "") -> list[str]:
    return [job["id"] for job in client.get(f"/api/jobs{query}").json()["jobs"]]


def test_jobs_are_listed_and_chosen(client: TestClient) -> None:
    assert ids(client) == [TRAINING.id, ENDED.id]
    assert ids(client, "?alive=1") == [TRAINING.id]
    assert ids(client, "?project=2.5") == [ENDED.id]
    assert client.get("/api/jobs?project=../..").status_code == 400


def test_one_job_says_where_it_is_and_what_it_logged(client: TestClient) -> None:
    job = client.get(f"/api/jobs/{TRAINING.id}").json()
    assert (job["state"], job["stage"], job["fraction"]) == ("started", "train", 0.5)
    assert (job["epoch"], job["epochs"], job["metrics"]) == (2, 9, {"loss": 0.25})
    assert job["log"] == ["first", "second"]
    assert "traceback" not in job
    assert client.get("/api/jobs/train-9_9").status_code == 410


def test_job_is_cancelled(client: TestClient) -> None:
    answer = client.post(f"/api/jobs/{TRAINING.id}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (202, "canceled")
    assert client.post("/api/jobs/train-9_9/cancel").status_code == 410


def test_a_page_of_another_site_cancels_nothing(client: TestClient, services: StandInServices) -> None:
    answer = client.post(f"/api/jobs/{TRAINING.id}/cancel", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    assert services.queue.known[TRAINING.id].state is JobState.STARTED


@pytest.fixture
def address(services: StandInServices) -> Iterator[str]:
    with running(create_app(Settings(), services)) as address:
        yield address


def states(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The `jobs` events of a stream."""
    for line in lines:
        if line.startswith("data: "):
            yield json.loads(line[6:])


def test_stream_says_what_is_there_and_each_change(address: str, services: StandInServices) -> None:
    with httpx.stream("GET", f"{address}/api/jobs/events", timeout=5.0) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        said = states(stream.iter_lines())
        assert [(job["id"], job["stage"]) for job in next(said)["jobs"]] == [(TRAINING.id, "train")]
        services.queue.known[TRAINING.id] = replace(TRAINING, stage="publish")
        assert next(said)["jobs"][0]["stage"] == "publish"
        services.queue.error = QueueUnavailable("Redis is away.")
        assert next(said) == {"queue": False, "jobs": []}


def test_many_streams_cost_one_look_a_second_and_no_thread_each(address: str, services: StandInServices) -> None:
    looks, real = [], services.queue.jobs

    def counted(uid: str | None = None, *, alive: bool = False) -> list[JobView]:
        looks.append(time.monotonic())
        return real(uid, alive=alive)

    services.queue.jobs = counted  # type: ignore[method-assign]
    with httpx.Client(base_url=address, timeout=5.0, limits=httpx.Limits(max_connections=None)) as client:
        begun, threads = time.monotonic(), threading.active_count()
        streams = [client.stream("GET", "/api/jobs/events") for _ in range(feed.MOST)]
        # Kept until the end: an iterator that is dropped closes its stream.
        said = [states(stream.__enter__().iter_lines()) for stream in streams]
        assert all(next(events)["jobs"] for events in said)
        assert client.get("/api/jobs/events").status_code == 503
        assert threading.active_count() <= threads + 4
        assert len(looks) <= (time.monotonic() - begun) / feed.INTERVAL + 2
        for stream in streams:
            stream.__exit__(None, None, None)
        eventually(lambda: client.get("/api/jobs?alive=1").is_success, "an answer", 5.0)
        eventually(lambda: _has_room(client), "room for another stream", 10.0)


def _has_room(client: httpx.Client) -> bool:
    with client.stream("GET", "/api/jobs/events") as stream:
        return stream.status_code == 200


def test_server_that_is_told_to_stop_ends_its_streams(services: StandInServices) -> None:
    ended: list[str] = []

    def read() -> None:
        with httpx.stream("GET", f"{address}/api/jobs/events", timeout=10.0) as stream:
            ended.extend(stream.iter_lines())  # raises where the answer is cut off
        ended.append("the end")

    with running(create_app(Settings(), services)) as address:
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        eventually(lambda: any(line.startswith("data: ") for line in ended), "the first event", 5.0)
        stopped = time.monotonic()
    assert time.monotonic() - stopped < within(1.9), "the server had to cut the stream off"
    reader.join(5.0)
    assert ended[-1] == "the end"
