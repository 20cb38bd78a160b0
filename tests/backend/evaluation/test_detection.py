"""Judging detections, against figures worked out by hand."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.evaluation.average_precision import precision_figures
from backend.evaluation.detection import DetectionEvaluation
from backend.evaluation.kinds import EVALUATIONS
from model_zoo.detection_metrics import rankings
from model_zoo.postprocess import DetectionPostprocess
from model_zoo.types import Box, Boxes, DetectionOutput, LabelSpace, TaskKind
from tests.processes import within

EVALUATION = DetectionEvaluation()
LABELS = LabelSpace(("car", "sign"))


def box(left: float, top: float = 0, side: float = 10, label: str = "car") -> Box:
    return Box(left, top, left + side, top + side, label)


def test_every_kind_of_task_is_judged() -> None:
    assert set(EVALUATIONS) == set(TaskKind)


class TestEdits:
    @pytest.mark.parametrize(
        ("predicted", "answered", "edits"),
        [
            ((), (), 0),
            ((box(0),), (box(0),), 0),
            ((box(0), box(50)), (box(50), box(0)), 0),
            ((box(0),), (box(2),), 0),  # overlap 8/12
            ((box(0),), (box(5),), 1),  # overlap 1/3: moved
            ((box(0),), (box(40),), 2),  # one taken away, one drawn
            ((box(0),), (box(0, label="sign"),), 1),  # renamed
            ((box(0),), (), 1),
            ((), (box(0), box(20)), 2),
            ((box(0), box(0, label="sign")), (box(0),), 1),
            ((box(0), box(1)), (box(0),), 1),  # found twice
        ],
    )
    def test_by_hand(self, predicted: Boxes, answered: Boxes, edits: int) -> None:
        assert EVALUATION.edits(predicted, answered) == edits

    def test_each_box_is_taken_once_and_the_closest_wins(self) -> None:
        assert EVALUATION.edits((box(2), box(0)), (box(0), box(2))) == 0

    @given(st.permutations([box(at * 7, label=label) for at in range(4) for label in LABELS.names]), st.integers(0, 8))
    def test_order_does_not_matter_and_neither_does_the_unit(self, boxes: list[Box], count: int) -> None:
        first, second = tuple(boxes[:count]), tuple(box(at * 7 + 1) for at in range(4))
        edits = EVALUATION.edits(first, second)
        assert EVALUATION.edits(first[::-1], second) == edits

        def wider(boxes: Boxes) -> Boxes:
            return tuple(Box(b.left * 3, b.top * 0.5, b.right * 3, b.bottom * 0.5, b.label) for b in boxes)

        assert EVALUATION.edits(wider(first), wider(second)) == edits


def test_scores_are_each_image_s_f1() -> None:
    answers = [(box(0),), (box(0), box(50)), (), (), (box(0, label="sign"),)]
    truths = [(box(1),), (box(0),), (), (box(0),), (box(0),)]
    assert EVALUATION.scores(answers, truths) == pytest.approx([1, 2 / 3, 1, 0, 0])


def output(*found: tuple[Box, float]) -> DetectionOutput:
    probabilities = np.zeros((len(found), 2), np.float32)
    for row, (one, score) in enumerate(found):
        probabilities[row, LABELS.names.index(one.label)] = score
    corners = np.array([one.corners for one, _ in found], np.float32).reshape(-1, 4)
    return DetectionOutput(corners, probabilities, 100, 100)


def test_measures() -> None:
    outputs = [output((box(0), 0.9), (box(50), 0.6), (box(80), 0.01)), output((box(0, label="sign"), 0.8)), output()]
    truths: list[Boxes] = [(box(0),), (box(0, label="sign"), box(30)), ()]
    measured = EVALUATION.measure(outputs, truths, DetectionPostprocess.uncalibrated(LABELS), LABELS)
    assert measured["items"] == 3
    assert measured["objects"] == 3
    assert measured["recall"] == pytest.approx(2 / 3)
    assert measured["precision"] == pytest.approx(2 / 3)
    assert measured["accuracy"] == pytest.approx(1 / 3)
    car, sign = 51 / 101, 1.0  # the car that is missed leaves the 51 recalls up to one half
    assert measured["map50"] == measured["map50_95"] == pytest.approx((car + sign) / 2)
    assert measured["f1"] == pytest.approx(2 / 3)
    assert measured["map50"] >= measured["map50_95"] > 0
    for name in ("accuracy", "recall", "precision", "f1", "map50", "map50_95"):
        assert measured[f"{name}_low"] <= measured[name] <= measured[f"{name}_high"]
    assert {type(value) for value in measured.values()} == {float}


def test_nothing_to_measure_gives_no_figures_and_a_wrong_count_is_refused() -> None:
    usual = DetectionPostprocess.uncalibrated(LABELS)
    assert EVALUATION.measure([], [], usual, LABELS) == {}
    with pytest.raises(ValueError, match="Got 1 outputs and 0 truths"):
        EVALUATION.measure([output()], [], usual, LABELS)


def test_images_without_objects_have_no_average_precision() -> None:
    measured = EVALUATION.measure([output((box(0), 0.9))], [()], DetectionPostprocess.uncalibrated(LABELS), LABELS)
    assert not {"map50", "map50_95"} & measured.keys()
    assert measured["accuracy"] == 0


def test_labels_are_refused() -> None:
    with pytest.raises(TypeError, match="wanted boxes or masks"):
        EVALUATION.edits(frozenset({"car"}), ())


def test_many_images_take_no_time() -> None:
    """A training waits for it, twice."""
    random = np.random.default_rng(0)
    outputs, truths = [], []
    for _ in range(100):
        corner = random.uniform(0, 400, (300, 2))
        boxes = np.concatenate([corner, corner + random.uniform(20, 90, (300, 2))], axis=1).astype(np.float32)
        outputs.append(DetectionOutput(boxes, random.random((300, 2)).astype(np.float32), 500, 500))
        truths.append(tuple(Box(*map(float, one), label=LABELS.names[at % 2]) for at, one in enumerate(boxes[:10])))
    usual = DetectionPostprocess.uncalibrated(LABELS)
    ranked = rankings([usual.candidates(one) for one in outputs], truths, LABELS)
    begun = time.perf_counter()
    figures = precision_figures(ranked, len(truths))
    assert time.perf_counter() - begun < within(1.0)
    assert 0 < figures["map50_low"] < figures["map50"] < figures["map50_high"] < 1
