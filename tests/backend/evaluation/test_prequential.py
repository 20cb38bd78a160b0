"""The running accuracy."""

from __future__ import annotations

from dataclasses import replace

from backend.evaluation.prequential import running, running_accuracy
from backend.projects.judgement import Outcome
from backend.projects.provenance import Provenance
from backend.store.ledger import Judged


def judged(annotation: int, version: str | None, edits: int | None, shown: bool = True) -> Judged:
    outcome = (Outcome.CORRECTED if edits else Outcome.ACCEPTED) if shown else Outcome.UNSEEN
    return Judged(annotation, annotation, "topic", outcome, float(annotation), version, 5, edits, float(annotation))


LEDGER = [
    judged(1, None, None, shown=False),
    judged(2, "v1", 1),
    judged(3, "v1", 0),
    judged(4, "v1", 2, shown=False),
    judged(5, "v2", 0),
    judged(6, "v2", 0, shown=False),
]


def test_each_version_is_judged_by_what_replaced_its_predictions() -> None:
    first, second = running_accuracy(LEDGER)
    assert (first.version, first.judged, first.accuracy) == ("v1", 3, 1 / 3)
    assert (first.edits, first.lead_time) == (1.0, 3.0)
    assert (first.unseen, first.accuracy_unseen) == (1, 0.0)
    assert (second.version, second.judged, second.accuracy, second.accuracy_unseen) == ("v2", 2, 1.0, 1.0)
    assert first.interval[0] < 1 / 3 < first.interval[1]


def test_annotations_without_a_prediction_judge_nothing() -> None:
    assert running(LEDGER[:1]) is None
    assert running([]) is None
    assert running_accuracy(LEDGER[:1]) == []


def test_only_people_judge() -> None:
    accepted = [replace(entry, provenance=Provenance.ACCEPTED) for entry in LEDGER]
    assert running_accuracy(accepted) == []


def test_the_last_so_many_and_one_control() -> None:
    last = running(LEDGER, last=2)
    assert last is not None
    assert (last.judged, last.accuracy, last.version) == (2, 1.0, "")
    other = [replace(entry, control="tone", edits=1) for entry in LEDGER]
    only = running(LEDGER + other, control="tone")
    assert only is not None
    assert (only.judged, only.accuracy) == (6, 0.0)
    assert running(LEDGER, control="nothing") is None


def test_untimed_annotations_have_no_lead_time() -> None:
    summed = running([replace(LEDGER[1], lead_time=None)])
    assert summed is not None
    assert summed.lead_time is None
