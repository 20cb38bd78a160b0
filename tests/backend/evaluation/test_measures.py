"""What the ledger says of versions, and of the time that predictions save."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backend.evaluation.matching import Matches, matches
from backend.evaluation.measures import measures, spoken, spoken_time, time_saved
from backend.projects.judgement import Outcome
from backend.projects.provenance import Provenance
from backend.projects.roles import Role
from backend.store.ledger import Judged
from model_zoo.types import Box


def judged(
    number: int,
    edits: int | None,
    regions: tuple[int, int, int] | None = None,
    *,
    version: str | None = "v1",
    control: str = "topic",
    seen: bool = True,
    seconds: float | None = 6.0,
) -> Judged:
    outcome = Outcome.UNSEEN if not seen or edits is None else Outcome.CORRECTED if edits else Outcome.ACCEPTED
    return Judged(number, number, control, outcome, number, version, 1, edits, seconds, regions=regions)


def test_figures_are_those_worked_out_by_hand() -> None:
    (found,) = measures(
        [
            judged(1, 0, (1, 1, 1), seconds=4.0),
            judged(2, 1, (1, 1, 0)),
            judged(3, 2, (3, 4, 2), seconds=20.0),
            judged(4, 0, (0, 0, 0), seen=False, seconds=None),
        ]
    )
    assert (found.version, found.control, found.judged, found.shown) == ("v1", "topic", 4, 3)
    assert found.accepted == pytest.approx(1 / 3)
    assert found.interval[0] < 1 / 3 < found.interval[1]
    assert (found.exact, found.edits, found.seconds) == (0.5, 0.75, 6.0)
    assert found.precision == pytest.approx(3 / 5)
    assert found.recall == pytest.approx(3 / 6)
    assert found.f1 == pytest.approx(6 / 11)
    assert found.efficiency == pytest.approx(1 - 3 / 6)
    assert spoken(found) == "v1, topic: 33% of 3 predictions accepted, 0.8 edits a task, F1 0.55, 6 s a task"


def test_versions_and_controls_are_measured_apart_and_only_by_people() -> None:
    machine = replace(judged(9, 3), provenance=Provenance.ACCEPTED)
    found = measures([judged(1, 0), judged(2, 1, version="v2"), judged(2, 0, control="tone"), machine])
    assert [(one.version, one.control, one.exact) for one in found] == [
        ("v1", "topic", 1.0),
        ("v2", "topic", 0.0),
        ("v1", "tone", 1.0),
    ]


def test_what_nobody_knows_is_none() -> None:
    (found,) = measures([judged(1, 1, None, seen=False, seconds=None)])
    assert (found.accepted, found.precision, found.recall, found.f1, found.efficiency, found.seconds) == (None,) * 6
    assert found.interval == (0.0, 1.0)
    assert spoken(found) == "v1, topic: 1.0 edits a task"
    assert measures([judged(1, None, version=None)]) == []


def arm(seconds: list[float], *, alone: bool) -> list[Judged]:
    start = 1000 if alone else 0
    made = [judged(start + number, None if alone else 0, seconds=time) for number, time in enumerate(seconds)]
    return [replace(one, version=None, role=Role.CONTROL) if alone else one for one in made]


def test_time_saved_is_the_difference_between_the_arms() -> None:
    random = np.random.default_rng(0)
    helped = arm(random.normal(5, 1, 60).tolist(), alone=False)
    alone = arm(random.normal(10, 1, 20).tolist(), alone=True)
    blind = [replace(judged(5000, None, version=None, seconds=99.0), role=Role.HOLDOUT_BLIND)]
    found = time_saved([*helped, *alone, *blind])
    assert found is not None
    assert found.counts == (60, 20)
    assert found.saved == pytest.approx(0.5, abs=0.05)
    assert found.interval[0] < found.saved < found.interval[1]
    assert found.interval[1] - found.interval[0] < 0.15
    assert spoken_time(found).startswith("5 s a task with predictions, 10 s without: ")


def test_an_annotation_of_two_controls_is_timed_once() -> None:
    helped = arm([5.0, 7.0], alone=False)
    doubled = [*helped, *(replace(one, control="tone") for one in helped)]
    found = time_saved([*doubled, *arm([12.0], alone=True)])
    assert found is not None
    assert found.counts == (2, 1)


def test_without_both_arms_no_time_is_saved() -> None:
    assert time_saved(arm([5.0], alone=False)) is None
    assert time_saved(arm([5.0], alone=True)) is None
    assert time_saved([*arm([5.0], alone=False), *arm([0.0], alone=True)]) is None


def test_pieces_match_by_label_and_place() -> None:
    assert matches(frozenset("ab"), frozenset("bc")) == Matches(2, 2, 1)
    box = Box(0, 0, 10, 10, "cat")
    moved, other = replace(box, right=9.0), replace(box, label="dog")
    assert matches((box, other), (moved,)) == Matches(2, 1, 1)
    assert matches((), ()) == Matches(0, 0, 0)
    with pytest.raises(TypeError, match="two of a kind"):
        matches(frozenset(), (box,))
