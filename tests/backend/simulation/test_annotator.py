"""Whatever is shown, the annotator's answer is right in the end, and no action goes uncounted or is counted twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.converters import CONVERTERS
from backend.evaluation.kinds import EVALUATIONS
from backend.labelstudio.config import Control, parse_config
from backend.simulation.annotator import Work, alone, annotate
from backend.simulation.costs import Costs, default_costs
from backend.simulation.labelled import Kind, labelling_config
from backend.simulation.regions import boxes, choice, keypoints, masks, spans
from model_zoo.types import Box, TaskKind

LABELS = ("a", "b", "c")
BOXES = parse_config(labelling_config(Kind.OBJECT_DETECTION, LABELS)).controls[0]
ONE = parse_config(labelling_config(Kind.TEXT_CLASSIFICATION, LABELS)).controls[0]
SEVERAL = parse_config(
    labelling_config(Kind.TEXT_CLASSIFICATION, LABELS).replace('choice="single"', 'choice="multiple"')
).controls[0]

SPANS = parse_config(labelling_config(Kind.NAMED_ENTITIES, LABELS)).controls[0]
CAPTION = parse_config(
    '<View><Image name="image" value="$image"/><TextArea name="says" toName="image"/></View>'
).controls[0]
POINTS = parse_config(labelling_config(Kind.KEYPOINTS, LABELS)).controls[0]

SIZE = (100, 100)

drawn = st.builds(
    lambda left, top, width, height, label: Box(left, top, left + width, top + height, label),
    *[st.integers(0, 70)] * 2,
    *[st.integers(4, 30)] * 2,
    st.sampled_from(LABELS),
)
pictures = st.lists(drawn, max_size=6).map(lambda found: boxes(found, SIZE))
named = st.sets(st.sampled_from(LABELS)).map(lambda found: choice(*sorted(found)) if found else [])
single = st.sampled_from(LABELS).map(choice)


sentences = st.lists(st.sampled_from(["A cat.", "A dog.", "Cats"]), min_size=1, unique=True).map(
    lambda texts: [{"from_name": "says", "to_name": "image", "type": "textarea", "value": {"text": texts}}]
)


def decoded(control: Control, result: Any) -> Any:
    return CONVERTERS[control.tag].decode(control, result)


def counted(work: Work, shown: int, true: int) -> None:
    """Each shown region is left, changed or taken away; each true one is there, by being left, changed or drawn."""
    changed = shown - work.accept - work.delete
    assert changed == true - work.accept - work.add
    assert changed <= work.move + work.relabel <= 2 * changed
    assert work.labels == true
    assert 0 <= work.efficiency <= 1


marked = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 9), st.sampled_from(LABELS)), max_size=6).map(
    lambda found: spans("x" * 30, [(start, start + length, label) for start, length, label in found])
)


@given(marked, marked)
def test_spans_are_corrected(shown: Any, truth: Any) -> None:
    submitted = annotate(SPANS, shown, truth)
    evaluation = EVALUATIONS[TaskKind.NAMED_ENTITIES]
    before, after, true = (decoded(SPANS, result) for result in (shown, submitted.result, truth))
    assert evaluation.edits(after, true) == 0
    counted(submitted.work, len(shown), len(truth))
    edits = evaluation.edits(before, true)
    assert submitted.work.move + submitted.work.relabel >= edits - submitted.work.add - submitted.work.delete
    assert alone(SPANS, truth).actions == len(truth)


@given(pictures, pictures)
def test_boxes_are_corrected(shown: Any, truth: Any) -> None:
    submitted = annotate(BOXES, shown, truth)
    evaluation = EVALUATIONS[TaskKind.OBJECT_DETECTION]
    before, after, true = (decoded(BOXES, result) for result in (shown, submitted.result, truth))
    assert evaluation.edits(after, true) == 0
    counted(submitted.work, len(shown), len(truth))
    edits = evaluation.edits(before, true)
    both = submitted.work.actions - edits
    assert 0 <= both <= submitted.work.move  # what is moved and renamed is one edit and two actions
    assert annotate(BOXES, submitted.result, truth).work.actions == 0


@given(pictures, pictures)
def test_untouched_regions_stay_as_they_were_shown(shown: Any, truth: Any) -> None:
    submitted = annotate(BOXES, shown, truth)
    untouched = [region for region in submitted.result if region in shown]
    assert len(untouched) >= submitted.work.accept
    assert len({region["id"] for region in submitted.result if "score" in region}) == 0


@st.composite
def animals(draw: st.DrawFn) -> Any:
    """Up to three animals in boxes, each with some of its points."""
    found: list[Any] = []
    for _ in range(draw(st.integers(0, 3))):
        box = draw(drawn)
        names = draw(st.lists(st.sampled_from(LABELS), unique=True))
        place = st.integers(0, 100)
        found.append(([(name, draw(place), draw(place), draw(st.booleans())) for name in names], box))
    return keypoints(found, SIZE)


@given(animals(), animals())
def test_points_are_corrected(shown: Any, truth: Any) -> None:
    submitted = annotate(POINTS, shown, truth)
    evaluation = EVALUATIONS[TaskKind.KEYPOINTS]
    before, after, true = (decoded(POINTS, result) for result in (shown, submitted.result, truth))
    assert evaluation.edits(after, true) == 0
    assert submitted.work.actions == evaluation.edits(before, true)
    assert submitted.work.labels == sum(len(pose.points) + 1 for pose in true)
    assert annotate(POINTS, submitted.result, truth).work.actions == 0


@given(named, named)
def test_choices_are_corrected(shown: Any, truth: Any) -> None:
    submitted = annotate(SEVERAL, shown, truth)
    before, after, true = (decoded(SEVERAL, result) for result in (shown, submitted.result, truth))
    assert after == true
    counted(submitted.work, len(before), len(true))
    assert submitted.work.actions == EVALUATIONS[TaskKind.TEXT_CLASSIFICATION].edits(before, true)
    assert submitted.work.move == 0


@given(sentences, sentences)
def test_captions_are_written_anew_where_they_are_not_right(shown: Any, truth: Any) -> None:
    submitted = annotate(CAPTION, shown, truth)
    before, true = (decoded(CAPTION, result) for result in (shown, truth))
    assert decoded(CAPTION, submitted.result) == true or set(before.texts) == set(true.texts)
    counted(submitted.work, len(before.texts), len(true.texts))
    assert submitted.work.actions == EVALUATIONS[TaskKind.CAPTIONS].edits(before, true)


@given(st.one_of(st.just([]), single), single)
def test_one_choice_is_left_renamed_or_made(shown: Any, truth: Any) -> None:
    work = annotate(ONE, shown, truth).work
    right = decoded(ONE, shown) == decoded(ONE, truth)
    expected = Work(accept=1, labels=1) if right else Work(relabel=1, labels=1) if shown else Work(add=1, labels=1)
    assert work == expected


@given(pictures)
def test_by_hand_everything_is_drawn(truth: Any) -> None:
    assert alone(BOXES, truth) == Work(add=len(truth), labels=len(truth))
    assert annotate(BOXES, truth, truth).work == Work(accept=len(truth), labels=len(truth))


@given(st.lists(st.builds(Work, *[st.integers(0, 9)] * 6), max_size=5))
def test_work_adds_up(parts: list[Work]) -> None:
    costs = Costs(1.0, 2.0, 3.0, 4.0, 5.0)
    whole = sum(parts, Work())
    assert whole.actions == sum(part.actions for part in parts)
    assert whole.seconds(costs) == pytest.approx(sum(part.seconds(costs) for part in parts))


@pytest.mark.parametrize(
    ("shown", "work"),
    [
        (Box(0, 0, 20, 20, "a"), Work(accept=1, labels=1)),
        (Box(0, 0, 20, 11, "a"), Work(accept=1, labels=1)),
        (Box(0, 0, 20, 9, "a"), Work(move=1, labels=1)),
        (Box(0, 0, 20, 20, "b"), Work(relabel=1, labels=1)),
        (Box(0, 0, 20, 9, "b"), Work(move=1, relabel=1, labels=1)),
        (Box(50, 50, 70, 70, "a"), Work(add=1, delete=1, labels=1)),
    ],
)
def test_each_action(shown: Box, work: Work) -> None:
    truth = boxes([Box(0, 0, 20, 20, "a")], SIZE)
    assert annotate(BOXES, boxes([shown], SIZE), truth).work == work


def test_masks_are_corrected_by_their_pixels() -> None:
    control = parse_config(labelling_config(Kind.INSTANCE_SEGMENTATION, LABELS)).controls[0]

    def painted(top: int, bottom: int, label: str) -> Any:
        mask = np.zeros(SIZE, np.bool_)
        mask[top:bottom, 0:20] = True
        return masks([(mask, label)], SIZE)

    truth = painted(0, 20, "a")
    for shown, work in [
        (painted(0, 12, "a"), Work(accept=1, labels=1)),
        (painted(0, 8, "a"), Work(move=1, labels=1)),
        (painted(0, 20, "b"), Work(relabel=1, labels=1)),
        (painted(50, 70, "a"), Work(add=1, delete=1, labels=1)),
    ]:
        submitted = annotate(control, shown, truth)
        assert submitted.work == work
        assert annotate(control, submitted.result, truth).work.actions == 0


def test_a_moved_region_loses_its_confidence_and_keeps_its_id() -> None:
    shown = [{**region, "id": "ours", "score": 0.9} for region in boxes([Box(0, 0, 20, 9, "a")], SIZE)]
    truth = boxes([Box(0, 0, 20, 20, "a")], SIZE)
    (region,) = annotate(BOXES, shown, truth).result
    assert region["id"] == "ours"
    assert "score" not in region
    assert region["value"] == truth[0]["value"]


def test_drawing_costs_more_than_looking() -> None:
    for kind in Kind:
        costs = default_costs(kind)
        assert 0 < costs.accept < costs.add
