"""What a server process does for its routes, on a real Redis and a real store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from pydantic import SecretStr

from backend.embedded_redis import EmbeddedRedis
from backend.errors import InvalidConfig, InvalidRequest, SettingsError, UnknownProject, Untrusted
from backend.jobs.marks import DUE
from backend.jobs.view import JobKind, JobState
from backend.services import Services
from backend.settings import Settings
from tests.backend.serving.conftest import Shelf

UID = "1.1795149789"
OTHER = "2.1795149789"
HOST = "http://localhost:8080"
CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="topic" toName="text">'
    '<Choice value="billing"/><Choice value="other"/></Choices></View>'
)
TASKS = [{"id": number, "data": {"text": f"a question about my bill, number {number}"}} for number in range(1, 4)]


def settings_of(folder: Path, url: str, **changes: Any) -> Settings:
    return Settings(data_dir=folder / "data", redis_url=SecretStr(url), store_url=str(folder / "store"), **changes)


@pytest.fixture
def services(tmp_path: Path, redis_url: str) -> Iterator[Services]:
    """Services whose threads do not run: nothing happens but what the test asks for."""
    made = Services(settings_of(tmp_path, redis_url))
    yield made
    made.close()


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within 15 s"
        time.sleep(0.02)


def counted(services: Services, name: str) -> dict[str, float]:
    """The values of one counter by label."""
    return {
        next(iter(count["labels"].values()), ""): count["value"] for count in services.counts() if count["name"] == name
    }


def test_without_a_redis_it_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="PRELABEL_REDIS_URL is not set"):
        Services(Settings(data_dir=tmp_path))


def test_setup_records_the_project_and_marks_it_once(services: Services) -> None:
    assert services.setup(UID, CONFIG, HOST, None) == "v0"
    assert list(services.queue.due()) == [UID]
    services.queue.begin(UID)
    assert services.setup(UID, CONFIG, HOST, None) == "v0"
    assert services.queue.due() == {}
    services.setup(UID, CONFIG.replace("other", "rest"), HOST, None)
    assert list(services.queue.due()) == [UID]
    (project,) = services.status()["projects"]
    assert (project["uid"], project["version"]) == (UID, "v0")


def test_setup_refuses_what_is_wrong_and_records_nothing(services: Services) -> None:
    with pytest.raises(InvalidRequest, match="project: got"):
        services.setup("../../x", CONFIG, HOST, None)
    with pytest.raises(InvalidConfig):
        services.setup(UID, "<View", HOST, None)
    services.setup(UID, CONFIG, HOST, None)
    with pytest.raises(Untrusted, match=r"belongs to the Label Studio at http://localhost:8080"):
        services.setup(OTHER, CONFIG, "http://elsewhere:8080", None)
    assert [project["uid"] for project in services.status()["projects"]] == [UID]


def test_predict_takes_the_config_of_the_request_or_the_recorded_one(services: Services) -> None:
    with pytest.raises(InvalidRequest, match="neither project nor label_config"):
        services.predict(None, None, TASKS, None)
    with pytest.raises(UnknownProject, match="was never set up here"):
        services.predict(UID, None, TASKS, None)
    assert len(services.predict(None, CONFIG, TASKS, None)) == 3
    services.setup(UID, CONFIG, HOST, None)
    assert len(services.predict(UID, None, TASKS, None)) == 3


def test_an_interactive_request_draws_nothing_yet(services: Services) -> None:
    services.setup(UID, CONFIG, HOST, None)
    (entry,) = services.predict(UID, None, TASKS[:1], {"result": []})
    assert entry == {"result": [], "score": 1.0, "model_version": "v0"}


def test_what_was_not_reached_is_left_to_the_refresh(tmp_path: Path, redis_url: str) -> None:
    services = Services(settings_of(tmp_path, redis_url, predict_budget=1e-6))
    services.setup(UID, CONFIG, HOST, None)
    entries = services.predict(UID, CONFIG, TASKS, None)
    assert [entry["result"] for entry in entries] == [[], [], []]
    (job,) = services.queue.jobs()
    assert (job.kind, job.uid, job.version, job.state) == (JobKind.REFRESH, UID, "v0", JobState.QUEUED)
    assert counted(services, "prediction_failures") == {"deadline": 3.0}
    services.close()


def test_failures_are_counted_by_kind_and_predictions_by_result(services: Services) -> None:
    services.setup(UID, CONFIG, HOST, None)
    entries = services.predict(UID, CONFIG, [*TASKS, {"id": 9, "data": {}}, None], None)
    assert counted(services, "prediction_failures") == {"task": 2.0}
    assert counted(services, "predictions").get("", 0.0) == sum(bool(entry["result"]) for entry in entries)


def test_events_are_counted_under_names_that_we_know(services: Services) -> None:
    services.setup(UID, CONFIG, HOST, None)
    payload = {"project": {"id": 1}}
    for action in ("ANNOTATION_CREATED", "ANNOTATION_CREATED", "x" * 100, "y"):
        services.event(action, payload)
    assert counted(services, "events") == {"ANNOTATION_CREATED": 2.0, "other": 2.0}


def test_train_starts_one_job_and_knows_its_project(services: Services) -> None:
    with pytest.raises(UnknownProject):
        services.train(UID)
    services.setup(UID, CONFIG, HOST, None)
    assert services.train(UID).id == services.train(UID).id
    assert [job.uid for job in services.queue.jobs()] == [UID]


def test_delete_forgets_everything_about_a_project(services: Services, redis_connection: redis.Redis) -> None:
    for uid in (UID, OTHER):
        services.setup(uid, CONFIG, HOST, None)
        services.event("ANNOTATION_CREATED", {"project": {"id": int(uid[0])}})
        services.train(uid)
    services.delete(UID)
    assert [project["uid"] for project in services.status()["projects"]] == [OTHER]
    assert {job.uid for job in services.queue.jobs() if job.state.alive} == {OTHER}
    assert list(services.queue.due()) == [OTHER]
    with pytest.raises(UnknownProject):
        services.train(UID)


def test_a_duplicate_begins_with_the_version_of_its_source(services: Services, tmp_path: Path) -> None:
    shelf = Shelf(services._with.store)  # what a worker would have published
    with pytest.raises(UnknownProject):
        services.duplicate(UID, OTHER)
    services.setup(UID, CONFIG, HOST, None)
    shelf.publish("v1", uid=UID)
    services.duplicate(UID, OTHER)
    assert (services.version_names(OTHER), services.model_version(OTHER)) == (["v1"], "v1")
    assert services.predict(OTHER, None, TASKS, None)[0]["model_version"] == "v1"


def test_versions_are_moved_by_hand(services: Services) -> None:
    with pytest.raises(UnknownProject):
        services.move(UID, "rollback", None)
    services.setup(UID, CONFIG, HOST, None)
    shelf = Shelf(services._with.store)
    shelf.publish("v1", uid=UID)
    shelf.publish("v2", uid=UID, parent="v1")
    assert services.move(UID, "rollback", None)["version"] == "v1"
    found = services.lineage(UID)
    assert (found["current"], [version["name"] for version in found["versions"]]) == ("v1", ["v1", "v2"])
    assert services.model_version(UID) == "v1"
    assert [job.version for job in services.queue.jobs() if job.kind is JobKind.REFRESH] == ["v1"]
    for action, version in (("launch", None), ("unpin", "v1")):
        with pytest.raises(InvalidRequest):
            services.move(UID, action, version)


def test_threads_enqueue_what_is_due_and_end_with_it(tmp_path: Path, redis_url: str) -> None:
    services = Services(settings_of(tmp_path, redis_url))
    services.start()
    services.setup(UID, CONFIG, HOST, None)
    until(lambda: [job.uid for job in services.queue.jobs()] == [UID], "enqueueing")
    services.close()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("prelabel-")]


def test_a_start_looks_at_every_project_once(services: Services, redis_connection: redis.Redis) -> None:
    services.setup(UID, CONFIG, HOST, None)
    redis_connection.delete(DUE)
    services.start()
    until(services.queue.jobs, "looking at the project")


def test_without_redis_it_predicts_and_remembers_what_happened(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "redis")
    server.start()
    services = Services(settings_of(tmp_path, server.url))
    try:
        services.start()
        services.setup(UID, CONFIG, HOST, None)
        server.stop()
        assert len(services.predict(UID, CONFIG, TASKS, None)) == 3
        assert services.setup(OTHER, CONFIG, HOST, None) == "v0"
        outcome = services.event("ANNOTATION_CREATED", {"project": {"id": 2}})
        assert (outcome.accepted, "once it is back" in outcome.message) == (True, True)
        assert services.status()["queue"] is False
        server.start()
        until(lambda: OTHER in {job.uid for job in services.queue.jobs()}, "training what was missed")
    finally:
        services.close()
        server.stop()


def test_a_selection_is_answered_beside_the_models_and_counted(services: Services) -> None:
    """Needs no version of the project."""
    xml = (
        '<View><Text name="text" value="$text"/>'
        '<Labels name="entity" toName="text"><Label value="Topic"/></Labels></View>'
    )
    task = {"id": 4, "data": {"text": "my bill, my Bill"}}
    value = {"start": 3, "end": 7, "labels": ["Topic"]}
    marked = {"id": "drawn00001", "from_name": "entity", "to_name": "text", "type": "labels", "value": value}
    (answer,) = services.predict(UID, xml, [task], {"result": [marked]})
    assert [region["value"]["start"] for region in answer["result"]] == [12]
    assert answer["model_version"] == "v0"
    assert services.predict(UID, xml, [task, task], {"result": []})[1]["result"] == []
    assert counted(services, "interactive_answers") == {"": 1.0}
