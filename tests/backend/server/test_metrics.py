"""What a scrape shows."""

from __future__ import annotations

import os
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from backend.app import create_app
from backend.errors import QueueUnavailable
from backend.jobs.view import JobKind, JobState, JobView
from backend.settings import Settings
from tests.backend.server.stand_in import UID, StandInServices


def scrape(client: TestClient) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    samples = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "process"}
            samples[sample.name, frozenset(labels.items())] = sample.value
    return samples


def requests(client: TestClient, route: str, status: int) -> float:
    labels = frozenset({("route", route), ("status", str(status))})
    return scrape(client).get(("prelabel_request_seconds_count", labels), 0)


def test_requests_are_timed_by_route_and_status(client: TestClient) -> None:
    client.get("/health")
    client.get("/health")
    client.post("/predict", content=b"{")
    assert requests(client, "/health", 200) == 2
    assert requests(client, "/predict", 400) == 1


def test_odd_paths_make_no_series_of_their_own(client: TestClient) -> None:
    for number in range(5):
        client.get(f"/odd/{number}")
    assert requests(client, "other", 404) == 5
    assert not any("odd" in str(labels) for _, labels in scrape(client))


def test_refused_and_failed_requests_are_counted(services: StandInServices) -> None:
    services.errors["train"] = ZeroDivisionError()
    client = TestClient(create_app(Settings(), services), raise_server_exceptions=False)
    client.post("/train", json={"project": UID})
    client.post("/train", json={"project": UID}, headers={"Origin": "http://evil.example"})
    assert requests(client, "/train", 500) == 1
    assert requests(client, "other", 403) == 1


def test_the_services_counters_appear(client: TestClient, services: StandInServices) -> None:
    services.counted = [
        {"name": "predictions", "labels": {}, "value": 12},
        {"name": "prediction_failures", "labels": {"reason": "media"}, "value": 3},
        {"name": "prediction_failures", "labels": {"reason": "task"}, "value": 1},
        {"name": "model_loads", "labels": {}, "value": 2},
        {"name": "events", "labels": {"action": "ANNOTATION_CREATED"}, "value": 7},
    ]
    samples = scrape(client)
    assert samples["prelabel_predictions_total", frozenset()] == 12
    assert samples["prelabel_prediction_failures_total", frozenset({("reason", "media")})] == 3
    assert samples["prelabel_prediction_failures_total", frozenset({("reason", "task")})] == 1
    assert samples["prelabel_model_loads_total", frozenset()] == 2
    assert samples["prelabel_events_total", frozenset({("action", "ANNOTATION_CREATED")})] == 7


def test_jobs_are_counted_by_kind_and_state(client: TestClient, services: StandInServices) -> None:
    services.queue.known = {
        "a": JobView("a", UID, JobKind.TRAIN, JobState.STARTED),
        "b": JobView("b", "2.1", JobKind.TRAIN, JobState.STARTED),
        "c": JobView("c", UID, JobKind.REFRESH, JobState.FAILED),
    }
    samples = scrape(client)
    assert samples["prelabel_jobs", frozenset({("kind", "train"), ("state", "started")})] == 2
    assert samples["prelabel_jobs", frozenset({("kind", "refresh"), ("state", "failed")})] == 1
    assert samples["prelabel_queue_up", frozenset()] == 1


def test_a_scrape_survives_the_queue(client: TestClient, services: StandInServices) -> None:
    services.queue.error = QueueUnavailable("Redis is away.")
    assert scrape(client)["prelabel_queue_up", frozenset()] == 0


@pytest.mark.parametrize("name", ["prelabel_predictions_total", "prelabel_request_seconds_count"])
def test_series_say_which_process_counted(client: TestClient, services: StandInServices, name: str) -> None:
    services.counted = [{"name": "predictions", "labels": {}, "value": 1}]
    client.get("/health")
    line = next(line for line in client.get("/metrics").text.splitlines() if line.startswith(name))
    assert re.search(r'process="(\d+)"', line)[1] == str(os.getpid())  # type: ignore[index]  # None fails the test
