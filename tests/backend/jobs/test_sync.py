"""Reading annotations of a real Label Studio, without webhooks: what changed, what went, and what was predicted."""

from __future__ import annotations

import time
from itertools import islice
from typing import Any

import pytest

from backend.interactive.ids import key_of, new_ids
from backend.interactive.ready import READY
from backend.jobs.shown import ShownLog
from backend.projects.judgement import Outcome
from backend.projects.provenance import Provenance
from backend.projects.record import ProjectRecord
from backend.projects.roles import Role, RolePolicy
from backend.store.ledger import Judged
from tests.backend.jobs.laboratory import SAMPLES, Laboratory

pytestmark = pytest.mark.label_studio

VERSION = "v1"


def judged(laboratory: Laboratory) -> dict[int, Judged]:
    """The last word on each task."""
    return {entry.task: entry for entry in laboratory.parts.ledger.judgements(laboratory.uid)}


def taken_over(laboratory: Laboratory, row: int, task: int) -> dict[str, Any]:
    """What the page sends for a prediction that is submitted as it is."""
    (stored,) = [stored for stored in laboratory.project.predictions(task) if stored["id"] == row]
    return {"result": stored["result"], "parent_prediction": row}


def test_first_sync_reads_every_labelled_task(laboratory: Laboratory) -> None:
    laboratory.label(0, 3, 5)
    synced = laboratory.sync()
    assert sorted(synced.records) == sorted(laboratory.tasks[at] for at in (0, 3, 5))
    assert synced.changed
    assert synced.total == len(SAMPLES)
    record = synced.records[laboratory.tasks[3]]
    assert record.data["text"] == SAMPLES[3][0]
    (annotation,) = record.annotations
    assert annotation.provenance is Provenance.HUMAN
    assert annotation.result[0]["value"]["choices"] == [SAMPLES[3][1]]
    assert annotation.lead_time == 1.5
    assert laboratory.snapshot() == dict(synced.records)


def test_sync_of_nothing_new_changes_nothing(laboratory: Laboratory) -> None:
    laboratory.label(0)
    first = laboratory.sync()
    again = laboratory.sync()
    assert not again.changed
    assert again.records == first.records
    assert again.snapshot == first.snapshot


def test_damaged_snapshot_is_replaced_by_what_label_studio_has(laboratory: Laboratory) -> None:
    laboratory.label(0, 3)
    first = laboratory.sync()
    store = laboratory.parts.store
    for damaged in (
        *store.list(f"projects/{laboratory.uid}/chunks"),
        *store.list(f"projects/{laboratory.uid}/snapshots"),
    ):
        store.write(damaged, b"{}")
        laboratory.label(5)
        again = laboratory.sync()
        assert laboratory.snapshot() == dict(again.records)
        assert first.records.items() <= again.records.items()


def test_changes_and_deletions_are_found(laboratory: Laboratory) -> None:
    kept, changed, deleted = laboratory.label(0, 1, 2)
    laboratory.sync()
    laboratory.project.update_annotation(changed, "other")
    laboratory.project.delete_annotation(deleted)
    laboratory.label(3)
    records = laboratory.sync().records
    assert sorted(records) == sorted(laboratory.tasks[at] for at in (0, 1, 3))
    assert records[laboratory.tasks[1]].annotations[0].result[0]["value"]["choices"] == ["other"]
    assert records[laboratory.tasks[0]].annotations[0].id == kept


def test_deleted_tasks_are_found(laboratory: Laboratory) -> None:
    laboratory.label(0, 1)
    laboratory.sync()
    laboratory.project.act("delete_tasks", [laboratory.tasks[1]])
    synced = laboratory.sync()
    assert list(synced.records) == [laboratory.tasks[0]]
    assert synced.changed
    assert synced.total == len(SAMPLES) - 1


def test_everything_deleted(laboratory: Laboratory) -> None:
    for annotation in laboratory.label(0, 1):
        laboratory.project.delete_annotation(annotation)
    assert dict(laboratory.sync().records) == {}
    annotation = laboratory.label(0)[0]
    assert len(laboratory.sync().records) == 1
    laboratory.project.delete_annotation(annotation)
    assert dict(laboratory.sync().records) == {}


def test_skipped_tasks_teach_nothing(laboratory: Laboratory) -> None:
    laboratory.project.skip(laboratory.tasks[0])
    laboratory.label(1)
    assert list(laboratory.sync().records) == [laboratory.tasks[1]]
    assert list(judged(laboratory)) == [laboratory.tasks[1]]


def test_imported_and_accepted_annotations_are_not_human(laboratory: Laboratory) -> None:
    project = laboratory.project
    (imported,) = project.import_tasks(
        [{"data": {"text": "imported"}, "annotations": [{"result": project.regions("billing")}]}]
    )
    project.predict(laboratory.tasks[0], "technical", VERSION)
    project.act("predictions_to_annotations", [laboratory.tasks[0]])
    laboratory.label(1)
    records = laboratory.sync().records
    provenance = {task: record.annotations[0].provenance for task, record in records.items()}
    assert provenance == {
        imported: Provenance.IMPORTED,
        laboratory.tasks[0]: Provenance.ACCEPTED,
        laboratory.tasks[1]: Provenance.HUMAN,
    }
    assert list(judged(laboratory)) == [laboratory.tasks[1]], "only people judge"


def test_role_is_given_once_and_kept(laboratory: Laboratory) -> None:
    everything = RolePolicy(fraction=1.0, after=2, blind=1.0)
    laboratory.label(0, 1, 2)
    roles = {task: record.role for task, record in laboratory.sync(everything).records.items()}
    assert list(roles.values()) == [Role.TRAIN, Role.TRAIN, Role.HOLDOUT_BLIND]
    laboratory.project.update_annotation(laboratory.label(3)[0], "other")
    again = {task: record.role for task, record in laboratory.sync(RolePolicy(fraction=0.0)).records.items()}
    assert {task: again[task] for task in roles} == roles
    assert again[laboratory.tasks[3]] is Role.TRAIN


def test_ledger_says_what_became_of_each_prediction(laboratory: Laboratory) -> None:
    project, tasks = laboratory.project, laboratory.tasks
    accepted = project.predict(tasks[0], "billing", VERSION)
    corrected = project.predict(tasks[1], "billing", VERSION)
    project.annotate(tasks[0], **taken_over(laboratory, accepted, tasks[0]))
    project.annotate(tasks[1], "technical", parent_prediction=corrected)
    project.annotate(tasks[2], "other")
    laboratory.sync()
    found = judged(laboratory)
    assert [(found[task].outcome, found[task].edits, found[task].version) for task in tasks[:3]] == [
        (Outcome.ACCEPTED, 0, VERSION),
        (Outcome.CORRECTED, 1, VERSION),
        (Outcome.UNSEEN, None, None),
    ]
    assert found[tasks[0]].prediction == accepted
    assert found[tasks[0]].lead_time == 1.5
    assert found[tasks[0]].annotator is not None


def test_judged_by_what_was_on_the_page_although_it_was_overwritten(laboratory: Laboratory) -> None:
    project, task = laboratory.project, laboratory.tasks[0]
    row = project.predict(task, "billing", "v1")
    page = taken_over(laboratory, row, task)
    (before,) = project.predictions(task)
    ShownLog(laboratory.parts.redis, laboratory.uid).overwritten(before)
    newer = [{**region, "id": "r2", "value": {"choices": ["other"]}} for region in before["result"]]
    body = {"task": task, "result": newer, "score": 0.5, "model_version": "v2"}
    project.studio.call("PATCH", f"/api/predictions/{row}/", json=body)
    project.annotate(task, **page)
    laboratory.sync()
    entry = judged(laboratory)[task]
    assert (entry.outcome, entry.version) == (Outcome.ACCEPTED, "v1")


def test_same_facts_told_twice_are_one(laboratory: Laboratory) -> None:
    """A crash between ledger and snapshot has the next sync judge again."""
    laboratory.label(0, 1)
    uid, snapshots = laboratory.uid, laboratory.parts.snapshots
    laboratory.sync()
    first = laboratory.parts.ledger.read(uid)
    snapshots.set_head(uid, snapshots.write(uid, None, []))
    again = laboratory.sync()
    assert len(again.records) == 2
    assert laboratory.parts.ledger.read(uid) == first


def test_annotation_saved_again_is_judged_again(laboratory: Laboratory) -> None:
    task = laboratory.tasks[0]
    row = laboratory.project.predict(task, "billing", VERSION)
    annotation = int(laboratory.project.annotate(task, "billing", parent_prediction=row)["id"])
    laboratory.sync()
    assert judged(laboratory)[task].outcome is Outcome.ACCEPTED
    time.sleep(0.01)
    laboratory.project.update_annotation(annotation, "other")
    laboratory.sync()
    assert judged(laboratory)[task].outcome is Outcome.CORRECTED
    assert len(laboratory.parts.ledger.read(laboratory.uid)) == 2


def test_a_span_and_what_was_proposed_for_it_are_one_action(laboratory: Laboratory) -> None:
    """Marked by hand, each is one."""
    project, (task, other) = laboratory.project, laboratory.tasks[:2]
    xml = READY["spans"].xml
    project.patch(label_config=xml)
    laboratory.parts.records.put(ProjectRecord(laboratory.uid, "test", xml))
    by_hand = [f"byhand000{number}" for number in range(4)]
    proposed = list(islice(new_ids(key_of(task, "entity", by_hand[1]), ()), 2))
    for one, ids in ((task, [*by_hand[:2], *proposed]), (other, by_hand)):
        regions = [
            {
                "id": identifier, "from_name": "entity", "to_name": "text", "type": "labels",
                "value": {"start": at, "end": at + 1, "labels": ["Place"]},
            }
            for at, identifier in enumerate(ids)
        ]  # fmt: skip
        body = {"task": one, "result": regions[:1], "score": 0.5, "model_version": VERSION}
        row = project.studio.call("POST", "/api/predictions/", json=body)["id"]
        project.annotate(one, result=regions, parent_prediction=row)
    laboratory.sync()
    assert [(judged(laboratory)[one].outcome, judged(laboratory)[one].edits) for one in (task, other)] == [
        (Outcome.CORRECTED, 1),
        (Outcome.CORRECTED, 3),
    ]


def test_thorough_sync_gives_the_same(laboratory: Laboratory) -> None:
    laboratory.label(0, 1, 2)
    quick = laboratory.sync()
    assert laboratory.sync(thorough=True).records == quick.records
