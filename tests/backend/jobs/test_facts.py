"""Facts on a real Redis, rebuilt from a real store."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import redis

from backend.jobs.facts import FactBoard, ProjectFacts
from backend.store.artifacts import Artifacts
from backend.store.manifest import ControlVersion, Manifest
from backend.store.objects import ObjectStore
from backend.store.versions import Versions

UID = "1.1795149789"


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "store")


def board(connection: redis.Redis, store: ObjectStore) -> FactBoard:
    return FactBoard(connection, Versions(store))


def test_changes_are_counted_until_a_training_begins(redis_connection: redis.Redis, store: ObjectStore) -> None:
    facts = board(redis_connection, store)
    facts.count_change(UID)
    facts.count_change(UID)
    assert facts.read(UID).changes == 2
    facts.begin(UID)
    assert facts.read(UID) == ProjectFacts(learnt=0, changes=0, labelled=0, total=None)


def test_when_a_training_began_is_known_unless_it_failed(redis_connection: redis.Redis, store: ObjectStore) -> None:
    facts = board(redis_connection, store)
    assert facts.read(UID).begun == 0.0
    facts.begin(UID)
    assert abs(facts.read(UID).begun - time.time()) < 5.0
    facts.failed(UID)
    assert facts.read(UID).begun == 0.0


def test_sync_and_publish_are_seen_by_every_process(redis_connection: redis.Redis, store: ObjectStore) -> None:
    board(redis_connection, store).synced(UID, labelled=12, total=40)
    board(redis_connection, store).published(UID, learnt=11)
    assert board(redis_connection, store).read(UID) == ProjectFacts(learnt=11, changes=0, labelled=12, total=40)


def test_what_redis_forgot_comes_from_the_current_version(
    redis_connection: redis.Redis, store: ObjectStore, tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    digest = Artifacts(store).put(tmp_path / "model")
    part = ControlVersion("text_classification/minilm_linear.v1", digest, ("a", "b"))
    manifest = Manifest(UID, "v1", 0.0, 1, {"topic": part}, metrics={"labelled": 123.0})
    Versions(store).publish(manifest)
    facts = board(redis_connection, store)
    assert facts.read(UID).learnt == 123
    facts.count_change(UID)
    redis_connection.flushall()
    assert facts.read(UID) == ProjectFacts(learnt=123, changes=0, labelled=123, total=None)


def test_only_one_of_many_finds_that_it_is_time(redis_connection: redis.Redis, store: ObjectStore) -> None:
    first, second = board(redis_connection, store), board(redis_connection, store)
    assert [first.is_time("reconcile", "all", 60), second.is_time("reconcile", "all", 60)] == [True, False]
    assert second.is_time("reconcile", "another", 60)
    assert first.is_time("short", "all", 1)


def test_forgotten_project_leaves_no_facts(redis_connection: redis.Redis, store: ObjectStore) -> None:
    facts = board(redis_connection, store)
    facts.count_change(UID)
    facts.forget(UID)
    assert facts.read(UID).changes == 0
