"""The ledger: facts added once, by any number of processes."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import pytest

from backend.errors import StoreError
from backend.projects.judgement import Outcome
from backend.projects.provenance import Provenance
from backend.projects.roles import Role
from backend.store.ledger import Event, Judged, Ledger
from backend.store.objects import ObjectStore
from tests.backend.store.running import running

UID = "1.1795149789"
JUDGED = Judged(
    task=1,
    annotation=11,
    control="topic „x“",
    outcome=Outcome.CORRECTED,
    at=100.5,
    version="v3",
    prediction=7,
    edits=1,
    lead_time=2.5,
    confidence=0.75,
    annotator=4,
    role=Role.HOLDOUT,
    provenance=Provenance.ACCEPTED,
)


@pytest.fixture
def ledger(store: ObjectStore) -> Ledger:
    return Ledger(store)


def test_facts_come_back_by_time(ledger: Ledger, store: ObjectStore) -> None:
    event = Event("train", 50.0, {"version": "v3", "seconds": 1.5})
    ledger.append(UID, [JUDGED])
    ledger.append(UID, [event, Event("publish", 200.0)])
    assert Ledger(store).read(UID) == ledger.read(UID) == [event, JUDGED, Event("publish", 200.0)]
    assert ledger.judgements(UID) == [JUDGED]
    assert ledger.events(UID, "train") == [event]
    assert len(ledger.events(UID)) == 2
    assert ledger.read("2.2") == []


def test_a_fact_told_twice_is_one(ledger: Ledger) -> None:
    for _ in range(3):
        ledger.append(UID, [JUDGED, Event("train", 1.0)])
    assert len(ledger.read(UID)) == 2


def test_nothing_to_tell_writes_nothing(ledger: Ledger, store: ObjectStore) -> None:
    ledger.append(UID, [])
    assert store.list("projects") == []


def test_the_last_word_on_an_annotation_counts(ledger: Ledger) -> None:
    later = replace(JUDGED, at=200.0, outcome=Outcome.ACCEPTED, edits=0)
    other = replace(JUDGED, control="tone", at=150.0)
    ledger.append(UID, [later, JUDGED, other])
    assert ledger.judgements(UID) == [other, later]


def test_one_that_no_longer_knows_the_prediction_does_not_count(ledger: Ledger) -> None:
    blank = replace(JUDGED, at=200.0, outcome=Outcome.UNSEEN, edits=None, version=None, prediction=None)
    ledger.append(UID, [JUDGED, blank])
    assert ledger.judgements(UID) == [JUDGED]
    only = replace(blank, annotation=12)
    ledger.append(UID, [only])
    assert ledger.judgements(UID) == [JUDGED, only]


@pytest.mark.parametrize(("edits", "correct"), [(0, True), (2, False), (None, None)])
def test_correct_means_no_edits(edits: int | None, correct: bool | None) -> None:
    assert replace(JUDGED, edits=edits).correct is correct


def test_many_segments_are_merged_without_loss(ledger: Ledger, store: ObjectStore) -> None:
    for number in range(150):
        ledger.append(UID, [Event("train", number, {"number": number})])
    assert [event.detail["number"] for event in ledger.events(UID)] == list(range(150))
    assert len(store.list("projects")) < 70
    assert Ledger(store).read(UID) == ledger.read(UID)


def test_several_processes_lose_nothing(local: ObjectStore) -> None:
    with ExitStack() as stack:
        kinds = ("train", "publish", "accept")
        processes = [stack.enter_context(running("record_events", local.url, UID, kind, 100)) for kind in kinds]
        assert [process.wait() for process in processes] == [0, 0, 0]
    ledger = Ledger(local)
    for kind in ("train", "publish", "accept"):
        assert sorted(event.detail["number"] for event in ledger.events(UID, kind)) == list(range(100))
    assert len(local.list("projects")) < 300


def test_keys_of_later_releases_are_ignored(ledger: Ledger, store: ObjectStore) -> None:
    store.write(f"projects/{UID}/ledger/0-a.jsonl", b'{"type":"event","kind":"x","at":1,"detail":{},"colour":"red"}\n')
    assert ledger.read(UID) == [Event("x", 1)]


def test_a_damaged_segment_is_named(ledger: Ledger, store: ObjectStore) -> None:
    store.write(f"projects/{UID}/ledger/0-a.jsonl", b'{"type":"ev')
    with pytest.raises(StoreError, match="ledger is damaged"):
        ledger.read(UID)
