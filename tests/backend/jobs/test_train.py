"""The whole training job on a real Label Studio, Redis and store."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from backend.jobs.train import Training
from backend.jobs.view import JobState
from backend.projects.roles import RolePolicy
from backend.store.ledger import Event
from backend.store.versions import Versions
from tests.backend.jobs.laboratory import SAMPLES, TOPICS, Laboratory
from tests.backend.store.stopping import Stopped, StoppingStore

pytestmark = pytest.mark.label_studio


def events(laboratory: Laboratory, kind: str) -> list[Event]:
    return laboratory.parts.ledger.events(laboratory.uid, kind)


def refreshes(laboratory: Laboratory) -> list[str | None]:
    """Versions whose refresh is queued."""
    return [job.version for job in laboratory.parts.queue.jobs(laboratory.uid) if job.state is JobState.QUEUED]


def test_labels_become_a_version_that_is_served_and_shown(laboratory: Laboratory) -> None:
    laboratory.label(0, 1, 2, 3, 4, 5)
    said = laboratory.train()
    assert said.startswith("v1 serves, taught by 6 labelled tasks")
    assert laboratory.version == "v1"
    assert laboratory.project.get()["model_version"] == "v1"
    manifest = laboratory.manifest
    assert (manifest.parent, manifest.metrics) == (None, {"labelled": 6.0, "total": float(len(SAMPLES))})
    assert manifest.snapshot == laboratory.parts.snapshots.head(laboratory.uid)
    assert {event.detail["version"] for event in events(laboratory, "publish")} == {"v1"}
    rows = laboratory.rows()
    assert sorted(rows) == laboratory.tasks[6:]
    for row in rows.values():
        assert row["model_version"] == "v1"
        assert 0.0 <= row["score"] <= 1.0
        assert row["result"][0]["value"]["choices"][0] in TOPICS
    assert refreshes(laboratory) == ["v1"]
    facts = laboratory.parts.facts.read(laboratory.uid)
    assert (facts.learnt, facts.labelled, facts.total) == (6, 6, len(SAMPLES))


def test_next_version_knows_its_parent_and_the_new_label(laboratory: Laboratory) -> None:
    laboratory.label(0, 1)
    laboratory.train()
    laboratory.label(2)
    laboratory.train()
    assert laboratory.version == "v2"
    manifest = laboratory.manifest
    assert manifest.parent == "v1"
    assert manifest.fence > laboratory.parts.versions.get(laboratory.uid, "v1").fence
    assert manifest.controls["topic"].trained_in == "v2"
    assert manifest.controls["topic"].metrics["answers"] == 3.0


def test_training_takes_the_mark_and_what_comes_meanwhile_stays(laboratory: Laboratory) -> None:
    queue = laboratory.parts.queue
    laboratory.label(0)
    queue.mark(laboratory.uid, 1.0)
    laboratory.train()
    assert queue.due() == {}


def test_nothing_new_publishes_nothing_and_has_predictions_completed(laboratory: Laboratory) -> None:
    laboratory.label(0, 1)
    laboratory.train()
    assert "Nothing to learn since v1" in laboratory.train()
    assert laboratory.parts.versions.names(laboratory.uid) == ["v1"]
    assert len(events(laboratory, "publish")) == 1


@pytest.mark.parametrize("labelled", [False, True], ids=["no label", "only labels that left the config"])
def test_nothing_to_learn_is_a_sentence_and_no_failure(laboratory: Laboratory, labelled: bool) -> None:
    if labelled:
        laboratory.project.annotate(laboratory.tasks[0])
    assert "nothing to learn from yet" in laboratory.train()
    assert laboratory.version == "v0"
    assert laboratory.parts.versions.names(laboratory.uid) == []


def test_deleted_labels_are_unlearnt(laboratory: Laboratory) -> None:
    *_, last = laboratory.label(0, 1, 2)
    laboratory.train()
    laboratory.project.delete_annotation(last)
    laboratory.train()
    assert laboratory.version == "v2"
    assert laboratory.manifest.metrics["labelled"] == 2.0


def test_holdout_is_never_trained_on(laboratory: Laboratory) -> None:
    strict = laboratory.with_parts(roles=RolePolicy(fraction=1.0, after=3, blind=0.0))
    strict.label(0, 1, 2, 3, 4)
    Training(strict.parts, strict.uid).run()
    metrics = strict.manifest.controls["topic"].metrics
    assert (metrics["examples"], metrics["answers"]) == (3.0, 5.0)


def test_older_worker_that_wakes_up_publishes_nothing_and_leaves_a_mark(laboratory: Laboratory) -> None:
    """Its lease ran out while it slept. What it knew may be old, so somebody has to look again."""
    laboratory.label(0)
    uid, redis = laboratory.uid, laboratory.parts.redis
    said: list[str] = []
    sleeper = threading.Thread(target=lambda: said.append(laboratory.train()))
    sleeper.start()
    while not redis.exists(f"prelabel:lease:{uid}"):
        time.sleep(0.001)
    redis.set(f"prelabel:lease:{uid}", "elsewhere:1:another", px=30_000)
    sleeper.join(60.0)
    assert "was lost" in said[0]
    assert laboratory.version == "v0"
    assert uid in laboratory.parts.queue.due()


def test_project_that_was_forgotten_meanwhile_is_not_published(laboratory: Laboratory) -> None:
    laboratory.label(0)
    laboratory.parts.records.delete(laboratory.uid)
    assert "was never set up" in laboratory.train()
    assert laboratory.version == "v0"


def test_project_that_is_gone_from_label_studio_is_no_failure(laboratory: Laboratory) -> None:
    laboratory.label(0)
    laboratory.train()
    laboratory.project.studio.call("DELETE", f"/api/projects/{laboratory.project.id}/")
    assert "gone from Label Studio" in laboratory.train()
    assert laboratory.version == "v1"


def test_damaged_snapshots_hold_no_training_up(laboratory: Laboratory) -> None:
    laboratory.label(0)
    laboratory.train()
    for chunk in Path(laboratory.parts.settings.store_address).rglob("chunks/*"):
        chunk.write_bytes(b"damaged")
    laboratory.label(1)
    assert laboratory.train().startswith("v2 serves, taught by 2 labelled tasks")
    assert sorted(laboratory.snapshot()) == laboratory.tasks[:2]


def test_crash_at_any_write_loses_nothing_and_publishes_once(laboratory: Laboratory) -> None:
    """Killed before its nth write to the store, for every n: the next run of the job completes the version."""
    annotation, *_ = laboratory.label(0, 1, 2)
    laboratory.train()
    uid, stopped = laboratory.uid, True
    writes = -1
    while stopped:
        writes += 1
        before = laboratory.parts.versions.names(uid)
        topic = TOPICS[writes % 2 + 1]
        laboratory.project.update_annotation(annotation, topic)
        stopping = laboratory.on_store(StoppingStore(laboratory.parts.settings.store_address, writes))
        try:
            Training(stopping.parts, uid).run()
            stopped = False
        except Stopped:
            pass
        for part in laboratory.manifest.controls.values():  # complete at every moment
            assert laboratory.parts.artifacts.fetch(part.artifact)
        laboratory.train()
        assert laboratory.parts.versions.names(uid) == [*before, laboratory.version], f"after {writes} writes"
        (found,) = laboratory.snapshot()[laboratory.tasks[0]].annotations
        assert found.result[0]["value"]["choices"] == [topic]
        assert laboratory.project.get()["model_version"] == laboratory.version or refreshes(laboratory)
    assert writes > 5, "nothing was interrupted"
    told = [event.detail["version"] for event in events(laboratory, "publish")]
    assert len(told) == len(set(told))
    judged = [(entry.annotation, entry.control) for entry in laboratory.parts.ledger.judgements(uid)]
    assert len(judged) == len(set(judged)) == 3


def test_versions_are_found_by_another_process(laboratory: Laboratory) -> None:
    laboratory.label(0)
    laboratory.train()
    assert Versions(laboratory.parts.store).current_name(laboratory.uid) == "v1"
