"""Looks for what nothing announced, at a real Label Studio: a job where something differs, and none elsewhere."""

from __future__ import annotations

import time

import pytest

from backend.jobs.policy import Rules
from backend.jobs.queue import job_id
from backend.jobs.reconcile import Reconciler
from backend.jobs.view import JobKind
from tests.backend.jobs.laboratory import Laboratory

pytestmark = pytest.mark.label_studio


@pytest.fixture
def trained(laboratory: Laboratory) -> Laboratory:
    """A project that was looked at, trained and refreshed."""
    look(laboratory)
    laboratory.label(0, 1, 2)
    laboratory.train()
    laboratory.refresh()
    return laboratory


def look(laboratory: Laboratory, rules: Rules | None = None) -> list[str]:
    return Reconciler(laboratory.parts, rules or Rules()).look_at_all()


def test_first_look_and_each_after_an_hour_read_everything(laboratory: Laboratory) -> None:
    assert look(laboratory) == [laboratory.uid]
    laboratory.train()
    assert look(laboratory) == []
    laboratory.parts.redis.delete(f"prelabel:look:{laboratory.uid}")
    assert look(laboratory) == [laboratory.uid]


def test_no_change_makes_no_job_and_our_own_predictions_are_none(trained: Laboratory) -> None:
    assert look(trained) == []
    assert trained.parts.queue.due() == {}


def test_each_change_makes_one(trained: Laboratory) -> None:
    project, tasks = trained.project, trained.tasks
    (annotation,) = trained.label(3)
    changes = (
        lambda: None,
        lambda: project.update_annotation(annotation, "other"),
        lambda: project.delete_annotation(annotation),
        lambda: project.act("delete_tasks", [tasks[5]]),
        lambda: project.import_texts(["Where is my parcel?"]),
        lambda: project.patch(label_config=str(project.get()["label_config"]).replace("other", "rest")),
    )
    for change in changes:
        change()
        assert look(trained) == [trained.uid]
        trained.train()
        assert look(trained) == []


def test_what_a_person_cancelled_waits_for_a_change_or_an_hour(trained: Laboratory) -> None:
    queue, connection = trained.parts.queue, trained.parts.redis
    trained.label(3)
    assert look(trained) == [trained.uid]
    queue.tick(time.time() + 1)
    queue.cancel(job_id(JobKind.TRAIN, trained.uid))
    connection.delete(f"prelabel:look:{trained.uid}")  # neither the hourly look
    assert [look(trained) for _ in range(3)] == [[], [], []]
    assert queue.due() == {}

    connection.expire(f"prelabel:cancelled:{trained.uid}", 0)  # the hour is over
    assert look(trained) == [trained.uid]
    queue.tick(time.time() + 1)
    queue.cancel(job_id(JobKind.TRAIN, trained.uid))
    assert look(trained) == []
    trained.label(4)
    assert look(trained) == [trained.uid], "all that is new since the last training"
    trained.train()
    assert trained.snapshot().keys() == {trained.tasks[at] for at in (0, 1, 2, 3, 4)}
    assert look(trained) == []


def test_few_changes_of_much_wait_for_more(trained: Laboratory) -> None:
    trained.label(3)
    look(trained, Rules(always_below=2, growth=0.5, quiet=1000.0))
    (due,) = trained.parts.queue.due().values()
    assert trained.parts.queue.tick(due - 1) == []
    assert trained.parts.queue.tick(due) == [trained.uid]


def test_training_that_failed_is_not_taken_for_done(trained: Laboratory) -> None:
    trained.label(3)
    versions = trained.parts.versions
    trained.parts.records.delete(trained.uid)  # the training will know nothing of the project
    trained.train()
    trained.record()
    assert versions.current_name(trained.uid) == "v0"
    assert look(trained) == [trained.uid]


def test_project_that_is_gone_is_left_to_the_job_to_say(trained: Laboratory) -> None:
    trained.project.studio.call("DELETE", f"/api/projects/{trained.project.id}/")
    assert look(trained) == [trained.uid]
    assert "is gone" in trained.train()
