"""Snapshots: what was labelled at a moment, sharing what did not change."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from dataclasses import replace

import pytest

from backend.errors import StoreError
from backend.projects.provenance import Provenance
from backend.projects.roles import Role
from backend.store.objects import ObjectStore
from backend.store.records import Annotation, Record
from backend.store.snapshots import Snapshots

UID = "1.1795149789"


def record(task: int, choice: str = "a", role: Role = Role.TRAIN) -> Record:
    region = {"id": "r", "from_name": "c", "to_name": "t", "type": "choices", "value": {"choices": [choice]}}
    annotation = Annotation(task * 10, (region,), 1, "2026-11-20T06:27:00Z", "2026-11-20T06:28:00Z", 3.5, 77)
    return Record(task, {"text": f"task {task} „ä“"}, (annotation,), role, "2026-11-20T06:28:00Z")


@pytest.fixture
def snapshots(store: ObjectStore) -> Snapshots:
    return Snapshots(store)


def test_records_come_back_by_task_id_with_the_cursor(snapshots: Snapshots) -> None:
    written = [record(task, role=Role.HOLDOUT if task % 5 == 0 else Role.TRAIN) for task in (900, 1, 130, 127, 128)]
    cursor = {"updated_at": "2026-11-20T06:28:00Z", "ids": [1, 2]}
    snapshot = snapshots.write(UID, None, written, cursor=cursor)
    assert list(snapshots.read(UID, snapshot)) == sorted(written, key=lambda entry: entry.task)
    assert snapshots.index(UID, snapshot).cursor == cursor
    assert snapshots.index(UID, snapshot).tasks == 5


def test_changes_and_deletions_make_a_new_snapshot_and_leave_the_old(snapshots: Snapshots) -> None:
    first = snapshots.write(UID, None, map(record, range(300)))
    second = snapshots.write(UID, first, [record(5, "b"), record(1000)], deleted=[6, 299, 4242])
    now = {entry.task: entry for entry in snapshots.read(UID, second)}
    assert now.keys() == ({*range(300)} | {1000}) - {6, 299}
    assert now[5] == record(5, "b")
    assert list(snapshots.read(UID, first)) == [record(task) for task in range(300)]


def test_a_task_deleted_and_read_again_is_there(snapshots: Snapshots) -> None:
    snapshot = snapshots.write(UID, None, [record(1)], deleted=[1])
    assert [entry.task for entry in snapshots.read(UID, snapshot)] == [1]


def test_the_id_is_that_of_the_content(snapshots: Snapshots) -> None:
    tasks = list(range(400))
    one = snapshots.write(UID, None, map(record, tasks), cursor=1)
    random.Random(0).shuffle(tasks)
    half = snapshots.write(UID, None, map(record, tasks[:200]))
    assert snapshots.write(UID, half, map(record, tasks[200:]), cursor=1) == one
    assert snapshots.write(UID, one, [], cursor=2) != one


def test_deleting_everything_leaves_an_empty_snapshot(snapshots: Snapshots) -> None:
    first = snapshots.write(UID, None, [record(1)])
    assert list(snapshots.read(UID, snapshots.write(UID, first, [], deleted=[1]))) == []


def test_ten_changes_in_twenty_thousand_tasks_rewrite_at_most_ten_chunks(local: ObjectStore) -> None:
    snapshots = Snapshots(local)
    small = replace(record(1), data={"text": "x"}, annotations=())
    base = snapshots.write(UID, None, (replace(small, task=task) for task in range(20_000)))
    before = set(local.list(f"projects/{UID}"))
    changed = random.Random(1).sample(range(20_000), 10)
    snapshots.write(UID, base, map(record, changed))
    new = set(local.list(f"projects/{UID}")) - before
    assert 2 <= len(new) <= 11
    assert sum(len(local.read(name)) for name in new) < 100_000


def test_some_tasks_can_be_picked(snapshots: Snapshots) -> None:
    snapshot = snapshots.write(UID, None, map(record, range(0, 2000, 2)))
    assert snapshots.pick(UID, snapshot, {4, 5, 1998, 9999}) == {4: record(4), 1998: record(1998)}


def test_the_head_is_remembered(snapshots: Snapshots) -> None:
    assert snapshots.head(UID) is None
    snapshot = snapshots.write(UID, None, [record(1)])
    snapshots.set_head(UID, snapshot)
    assert snapshots.head(UID) == snapshot


def test_any_text_and_number_of_a_task_is_kept(snapshots: Snapshots) -> None:
    """One strange task must not keep the others from being learnt."""
    odd = Record(
        1, {"text": "\ud800 \u2028 \r\n \0 😀" + "x" * 10_000, "number": float("inf"), "deep": [None, {"a": 1}]}
    )
    snapshot = snapshots.write(UID, None, [odd, record(2)])
    assert list(snapshots.read(UID, snapshot)) == [odd, record(2)]


def test_damage_is_refused(snapshots: Snapshots, store: ObjectStore) -> None:
    snapshot = snapshots.write(UID, None, [record(1)])
    (chunk,) = store.list(f"projects/{UID}/chunks")
    store.write(chunk, store.read(chunk)[:-5])
    with pytest.raises(StoreError, match="damaged"):
        list(snapshots.read(UID, snapshot))
    store.write(f"projects/{UID}/snapshots/{snapshot}.json", b"{}")
    with pytest.raises(StoreError, match="damaged"):
        snapshots.index(UID, snapshot)


def test_chunks_are_manifests_in_the_shape_of_ground_truth(snapshots: Snapshots, store: ObjectStore) -> None:
    image = replace(record(2), data={"about": "a street", "photo": "s3://photos/2.jpg"})
    written = [record(1), image, Record(3, {"n": 1})]
    snapshots.write(UID, None, written)
    (chunk,) = store.list(f"projects/{UID}/chunks")
    text, photo, nothing = map(json.loads, gzip.decompress(store.read(chunk)).splitlines())
    assert text["source"] == "task 1 „ä“"
    assert photo["source-ref"] == "s3://photos/2.jpg"
    assert photo["data"] == {"about": "a street"}
    assert photo["labels"][0][0]["value"] == {"choices": ["a"]}
    metadata = photo["labels-metadata"]
    assert (metadata["human-annotated"], metadata["creation-date"]) == ("yes", "2026-11-20T06:28:00Z")
    assert (metadata["type"], metadata["job-name"]) == ("groundtruth/custom", "prelabel")
    (who,) = metadata["annotations"]
    assert (who["completed_by"], who["provenance"], who["lead_time"]) == (1, "human", 3.5)
    assert not {"source", "source-ref"} & set(nothing)
    assert nothing["labels-metadata"]["human-annotated"] == "no"


def test_what_an_earlier_release_wrote_is_read_and_goes_on(snapshots: Snapshots, store: ObjectStore) -> None:
    """Format 1 had the annotations with their regions within, and all data in one object."""
    annotation = record(1).annotations[0]
    line = {
        "task": 1,
        "data": dict(record(1).data),
        "annotations": [{**annotation.metadata, "result": list(annotation.result)}],
        "role": "train",
        "updated_at": "2026-11-20T06:28:00Z",
    }
    data = json.dumps(line).encode() + b"\n"
    digest = hashlib.sha256(data).hexdigest()
    store.write(f"projects/{UID}/chunks/{digest}.jsonl.gz", gzip.compress(data))
    index = json.dumps({"format": 1, "cursor": 7, "chunks": {"0": [digest, 1]}}).encode()
    old = hashlib.sha256(index).hexdigest()
    store.write(f"projects/{UID}/snapshots/{old}.json", index)
    assert list(snapshots.read(UID, old)) == [record(1)]
    new = snapshots.write(UID, old, [record(2), record(500)], cursor=8)
    assert list(snapshots.read(UID, new)) == [record(1), record(2), record(500)]
    assert [change.task for change in snapshots.diff(UID, old, new)] == [2, 500]


@pytest.mark.parametrize("snapshot", ["../../x", "", "abc"])
def test_what_is_no_id_is_refused(snapshots: Snapshots, snapshot: str) -> None:
    with pytest.raises(StoreError, match="64 hexadecimal digits"):
        snapshots.index(UID, snapshot)


def test_annotations_are_taken_from_label_studio_as_they_come() -> None:
    value = {
        "id": 7,
        "result": [{"id": "r", "type": "choices"}, "nonsense"],
        "completed_by": {"id": 3, "email": "a@b.c"},
        "updated_by": 3,
        "created_at": "2026-11-20T06:27:00Z",
        "updated_at": None,
        "lead_time": 2.5,
        "parent_prediction": 9,
        "was_cancelled": True,
    }
    annotation = Annotation.from_label_studio(value)
    assert annotation == Annotation(
        7, ({"id": "r", "type": "choices"},), 3, "2026-11-20T06:27:00Z", "", 2.5, 9, Provenance.HUMAN, True
    )
    assert Annotation.from_label_studio({"id": 8, "result": None, "completed_by": 4}).completed_by == 4


def test_a_skip_answers_nothing() -> None:
    answered = record(1).annotations[0]
    skipped = replace(answered, id=2, was_cancelled=True)
    assert replace(record(1), annotations=(skipped, answered)).submitted == (answered,)


def test_an_incomplete_record_is_a_store_error() -> None:
    with pytest.raises(StoreError, match="incomplete"):
        Record.from_json({"task": 1, "data": {}})
