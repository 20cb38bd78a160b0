"""Webhook events on a real Redis and store: what they mark, and what is remembered while Redis is away."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from rq.job import Job
from rq.serializers import JSONSerializer

from backend.embedded_redis import EmbeddedRedis
from backend.errors import InvalidRequest, QueueUnavailable
from backend.jobs.connection import open_redis
from backend.jobs.events import Events
from backend.jobs.facts import FactBoard
from backend.jobs.policy import Rules
from backend.jobs.queue import JobFunctions, Queue, open_queue
from backend.jobs.view import JobKind, JobState
from backend.projects.record import ProjectRecord
from backend.store.artifacts import Artifacts
from backend.store.manifest import ControlVersion, Manifest
from backend.store.objects import ObjectStore
from backend.store.projects import ProjectRecords
from backend.store.versions import Versions

CREATED = "2026-11-18T08:49:49.000000Z"
UID = "1.1794991789"
CONFIG = '<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="a"/></Choices></View>'
RULES = Rules(always_below=50, growth=0.1, quiet=60.0)
TRAINING = "train-1_1794991789"


@dataclass
class Desk:
    """An event handler with everything behind it."""

    connection: redis.Redis
    store: ObjectStore

    def __post_init__(self) -> None:
        self.queue = Queue(self.connection, functions=JobFunctions("never.run", "never.run"))
        self.records = ProjectRecords(self.store)
        self.versions = Versions(self.store)
        self.facts = FactBoard(self.connection, self.versions)
        self.events = Events(self.queue, self.facts, self.records, self.versions, RULES)

    def publish(self, tmp_path: Path, labelled: int) -> None:
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "config.json").write_text("{}")
        part = ControlVersion("text_classification/minilm_linear.v1", Artifacts(self.store).put(tmp_path / "model"), ())
        self.versions.publish(Manifest(UID, "v1", 0.0, 1, {"c": part}, metrics={"labelled": float(labelled)}))
        self.facts.published(UID, labelled)

    def queued(self) -> list[str]:
        return [job.id for job in self.queue.jobs() if job.state is JobState.QUEUED]


@pytest.fixture
def desk(redis_connection: redis.Redis, tmp_path: Path) -> Desk:
    made = Desk(redis_connection, ObjectStore(tmp_path / "store"))
    made.records.put(ProjectRecord(UID, "test", CONFIG))
    return made


def payload(**project: Any) -> dict[str, Any]:
    return {"project": {"id": 1, "created_at": CREATED, "title": "test", "label_config": CONFIG, **project}}


def test_label_is_enqueued_at_once_and_a_burst_once(desk: Desk) -> None:
    for _ in range(20):
        assert desk.events.handle("ANNOTATION_CREATED", payload()).accepted
    assert desk.queued() == [TRAINING]
    assert desk.facts.read(UID).changes == 20
    desk.queue.begin(UID)
    assert desk.queue.due() == {}


def test_events_after_the_beginning_mark_one_more(desk: Desk) -> None:
    desk.events.handle("ANNOTATION_CREATED", payload())
    desk.queue.begin(UID)
    for _ in range(5):
        desk.events.handle("ANNOTATION_UPDATED", payload())
    assert list(desk.queue.due()) == [UID]
    assert desk.queued() == [TRAINING]


def test_a_label_soon_after_a_training_began_waits_for_its_turn_and_no_longer(desk: Desk) -> None:
    desk.facts.begin(UID)
    begun = desk.facts.read(UID).begun
    desk.events.handle("ANNOTATION_CREATED", payload())
    due = desk.queue.due()[UID]
    assert due == pytest.approx(begun + RULES.spacing, abs=0.2)
    assert desk.queued() == []
    desk.events.handle("ANNOTATION_CREATED", payload())
    assert desk.queue.due()[UID] == pytest.approx(due, abs=0.2), "it is not postponed by others"
    assert desk.queue.tick(due + 0.5) == [UID]


def test_a_label_after_a_training_failed_does_not_wait(desk: Desk) -> None:
    desk.facts.begin(UID)
    desk.facts.failed(UID)
    desk.events.handle("ANNOTATION_CREATED", payload())
    assert desk.queued() == [TRAINING]


def test_many_labels_wait_for_quiet_which_begins_anew_with_each(desk: Desk, tmp_path: Path) -> None:
    desk.publish(tmp_path, labelled=100)
    desk.events.handle("ANNOTATION_CREATED", payload())
    first = desk.queue.due()[UID]
    assert first - time.time() == pytest.approx(60.0, abs=5.0)
    time.sleep(0.05)
    desk.events.handle("ANNOTATION_CREATED", payload())
    assert desk.queue.due()[UID] > first
    assert desk.queued() == []
    for _ in range(8):
        desk.events.handle("ANNOTATION_CREATED", payload())
    assert desk.queued() == [TRAINING], "ten changes on a hundred labels are enough"


def test_new_tasks_do_not_postpone_what_labels_have_made_due(desk: Desk, tmp_path: Path) -> None:
    desk.publish(tmp_path, labelled=100)
    desk.events.handle("ANNOTATION_CREATED", payload())
    due = desk.queue.due()[UID]
    time.sleep(0.05)
    desk.events.handle("TASKS_CREATED", payload())
    assert desk.queue.due()[UID] == due
    assert "refresh-1_1794991789-v1" in desk.queued()


def test_start_training_is_enqueued_whatever_the_policy_says(desk: Desk, tmp_path: Path) -> None:
    desk.publish(tmp_path, labelled=100)
    outcome = desk.events.handle("START_TRAINING", payload())
    assert outcome.job == TRAINING
    assert desk.queued() == [TRAINING]


def test_changed_config_is_recorded_and_trained(desk: Desk) -> None:
    changed = CONFIG.replace('value="a"', 'value="b"')
    desk.events.handle("PROJECT_UPDATED", payload(label_config=changed, title="another"))
    assert desk.records.get(UID) == ProjectRecord(UID, "another", changed)
    assert desk.queued() == [TRAINING]


def test_project_that_only_changed_its_settings_is_left_alone(desk: Desk) -> None:
    desk.events.handle("PROJECT_UPDATED", payload(model_version="v1"))
    assert desk.queue.due() == {}
    assert desk.queue.jobs() == []


def test_event_without_payload_has_every_project_looked_at(desk: Desk) -> None:
    desk.records.put(ProjectRecord("2.1794991789", "second", CONFIG))
    assert desk.events.handle("ANNOTATION_CREATED", {}).accepted
    desk.events.retry_missed()
    assert sorted(desk.queue.due()) == [UID, "2.1794991789"]


def test_project_by_its_id_alone(desk: Desk) -> None:
    assert desk.events.handle("ANNOTATIONS_DELETED", {"project": {"id": 1}}).accepted
    assert desk.queued() == [TRAINING]


def test_unknown_project_sets_nothing_off(desk: Desk) -> None:
    outcome = desk.events.handle("ANNOTATION_CREATED", {"project": {"id": 99}})
    assert not outcome.accepted
    assert desk.queue.jobs() == []


@pytest.mark.parametrize("project", ["../../x", 7, {"id": "7"}, {}, {"id": 1, "created_at": "yesterday"}])
def test_project_that_is_none_is_refused(desk: Desk, project: Any) -> None:
    with pytest.raises(InvalidRequest):
        desk.events.handle("ANNOTATION_CREATED", {"project": project})


def test_unknown_action_sets_nothing_off(desk: Desk) -> None:
    assert desk.events.handle("LABEL_LINK_CREATED", payload()).accepted
    assert desk.queue.due() == {}


def test_label_does_not_wait_for_the_next_attempt_of_a_failed_training(
    desk: Desk, redis_connection: redis.Redis
) -> None:
    desk.events.handle("ANNOTATION_CREATED", payload())
    job = Job.fetch(TRAINING, redis_connection, serializer=JSONSerializer)
    queue = open_queue("train", redis_connection)
    queue.remove(job)
    job.meta = {"error": "StoreError: damaged", "traceback": "Traceback ..."}
    job.retries_left = 1
    job.save()
    with redis_connection.pipeline() as pipeline:
        job.retry(queue, pipeline)
        pipeline.execute()
    desk.queue.begin(UID)
    assert desk.queue.job(TRAINING).state is JobState.RETRYING
    desk.events.handle("ANNOTATION_CREATED", payload())
    view = desk.queue.job(TRAINING)
    assert view.state is JobState.QUEUED
    assert (view.error, view.traceback) == ("StoreError: damaged", "Traceback ..."), "why it failed is forgotten"


def test_what_was_missed_while_redis_was_away_is_marked_when_it_is_back(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "redis")
    server.start()
    with open_redis(server.url) as connection:
        desk = Desk(connection, ObjectStore(tmp_path / "store"))
        desk.records.put(ProjectRecord(UID, "test", CONFIG))
        server.stop()
        begun = time.monotonic()
        assert desk.events.handle("ANNOTATION_CREATED", payload()).accepted
        assert time.monotonic() - begun < 1.0, "Label Studio waits a second, inside an annotator's request"
        assert desk.events.handle("START_TRAINING", payload()).accepted
        for _ in range(2):
            with pytest.raises(QueueUnavailable):
                desk.events.retry_missed()
        server.start()
        desk.events.retry_missed()
        assert list(desk.queue.due()) == [UID]
        assert desk.queue.tick(time.time()) == [UID]
        desk.queue.begin(UID)
        desk.events.retry_missed()
        assert desk.queue.due() == {}, "marked twice"
        server.stop()


def test_event_is_kept_with_its_config_while_redis_is_away(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "redis")
    server.start()
    with open_redis(server.url) as connection:
        desk = Desk(connection, ObjectStore(tmp_path / "store"))
        server.stop()
        desk.events.handle("PROJECT_UPDATED", payload())
        assert desk.records.get(UID).label_config == CONFIG


def test_newest_project_of_an_id_is_meant(desk: Desk) -> None:
    later = "1.1794992999"
    desk.records.put(ProjectRecord(later, "made anew", CONFIG))
    desk.events.handle("ANNOTATION_CREATED", {"project": {"id": 1}})
    assert list(desk.queue.due()) == [later]


def test_kinds_of_jobs_do_not_mix(desk: Desk, tmp_path: Path) -> None:
    desk.publish(tmp_path, labelled=1)
    desk.events.handle("TASKS_CREATED", payload())
    assert {job.kind for job in desk.queue.jobs()} == {JobKind.TRAIN, JobKind.REFRESH}
