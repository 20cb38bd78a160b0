from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_zoo.calibration import Calibration
from model_zoo.errors import CheckpointError
from model_zoo.oriented import oriented
from model_zoo.postprocess import DetectionPostprocess, postprocess_of
from model_zoo.postprocess.objects import UNSEEN, USUAL
from model_zoo.types import Box, Boxes, ClassificationOutput, DetectionOutput, LabelSpace, OrientedOutput, TaskKind

TWO = LabelSpace(("car", "sign"))
PLAIN = DetectionPostprocess.uncalibrated(TWO)

number = st.floats(0.01, 5, allow_nan=False)
Row = tuple[float, float, float, float, float, float]


def found(*rows: Row, size: tuple[int, int] = (100, 80)) -> DetectionOutput:
    """Corners, then the probabilities of both labels."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return DetectionOutput(table[:, :4], table[:, 4:], *size)


def shown(postprocess: DetectionPostprocess, output: DetectionOutput, minimum: float | None = None) -> list[str]:
    decision = postprocess.decide(output, TWO, minimum)
    return [
        f"{box.label} {box.left:.0f} {score:.2f}" for box, score in zip(decision.boxes, decision.scores, strict=True)
    ]


@given(st.lists(st.tuples(number, number, number), max_size=4), number, st.booleans(), number, st.integers(1, 500))
def test_round_trips_through_json(
    rows: list[tuple[float, float, float]], overlap: float, agnostic: bool, smallest: float, most: int
) -> None:
    slopes, shifts, thresholds = (tuple(row[k] for row in rows) for k in range(3))
    made = DetectionPostprocess(Calibration(1.0, slopes, shifts), thresholds, overlap, agnostic, smallest, most)
    assert DetectionPostprocess.from_json(json.loads(json.dumps(made.to_json()))) == made


@pytest.mark.parametrize("change", [{"thresholds": "x"}, {"overlap": None}, {"slopes": [1.0, 2.0, 3.0]}])
def test_damaged_json_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match="train again"):
        DetectionPostprocess.from_json({**PLAIN.to_json(), **change})
    with pytest.raises(CheckpointError, match="train again"):
        DetectionPostprocess.from_json({})


def test_of_overlapping_boxes_of_one_label_the_best_stays() -> None:
    output = found((0, 0, 40, 40, 0.8, 0), (2, 0, 42, 40, 0.9, 0), (50, 0, 90, 40, 0.7, 0))
    assert shown(PLAIN, output) == ["car 2 0.90", "car 50 0.70"]


def test_other_labels_stay_unless_labels_exclude_each_other() -> None:
    output = found((0, 0, 40, 40, 0.8, 0), (2, 0, 42, 40, 0, 0.9))
    assert shown(PLAIN, output) == ["sign 2 0.90", "car 0 0.80"]
    agnostic = DetectionPostprocess(Calibration(), (0.3, 0.3), agnostic=True)
    assert shown(agnostic, output) == ["sign 2 0.90"]


def test_a_box_has_one_label() -> None:
    assert shown(PLAIN, found((0, 0, 40, 40, 0.6, 0.7))) == ["sign 0 0.70"]


def test_thresholds_are_each_labels_own_and_a_persons_wish_replaces_them() -> None:
    output = found((0, 0, 20, 20, 0.4, 0), (30, 0, 50, 20, 0, 0.4))
    assert shown(DetectionPostprocess(Calibration(), (0.5, 0.35)), output) == ["sign 30 0.40"]
    assert shown(PLAIN, output, minimum=0.45) == []
    assert len(shown(PLAIN, output, minimum=0.01)) == 2
    assert USUAL == 0.3


def test_too_small_and_too_many_are_left_out() -> None:
    output = found((0, 0, 4, 50, 0.9, 0), (20, 0, 60, 50, 0.8, 0), (70, 0, 90, 50, 0.7, 0))
    narrow = DetectionPostprocess(Calibration(), (0.3, 0.3), smallest=0.05)
    assert shown(narrow, output) == ["car 20 0.80", "car 70 0.70"]
    assert shown(DetectionPostprocess(Calibration(), (0.3, 0.3), most=1), output) == ["car 0 0.90"]


def test_an_image_without_candidates() -> None:
    decision = PLAIN.decide(found(), TWO)
    assert decision.boxes == decision.target == ()
    assert decision.confidence.tolist() == [0, 0]
    assert decision.uncertainty == UNSEEN
    assert (decision.width, decision.height) == (100, 80)


def test_no_labels_at_all() -> None:
    nothing = LabelSpace(())
    output = DetectionOutput(np.zeros((2, 4), np.float32), np.zeros((2, 0), np.float32), 9, 9)
    assert DetectionPostprocess.uncalibrated(nothing).decide(output, nothing).boxes == ()


def test_confidence_of_an_image_is_that_of_each_labels_best_box_shown_or_not() -> None:
    decision = PLAIN.decide(found((0, 0, 20, 20, 0.2, 0), (30, 0, 50, 20, 0, 0.9)), TWO)
    np.testing.assert_allclose(decision.confidence, [0.2, 0.9], rtol=1e-6)
    assert decision.uncertainty == pytest.approx(0.4)


def test_labels_are_no_boxes() -> None:
    with pytest.raises(TypeError, match="wanted a DetectionOutput"):
        PLAIN.decide(ClassificationOutput(np.float32([0.5, 0.5])), TWO)


def example(count: int, right: float, wrong: float, seed: int = 0) -> tuple[list[DetectionOutput], list[Boxes]]:
    """Images of one car each, found with confidence `right`, beside a phantom of confidence `wrong`."""
    random = np.random.default_rng(seed)
    outputs, truths = [], []
    for left in random.integers(0, 40, count):
        outputs.append(found((left, 0, left + 20, 20, right, 0), (70, 40, 90, 60, wrong, 0)))
        truths.append((Box(left, 0, left + 20, 20, "car"),))
    return outputs, truths


def fitted(outputs: Sequence[DetectionOutput | None], truths: Sequence[Boxes]) -> DetectionPostprocess:
    return DetectionPostprocess.fit(outputs, truths, TWO)


def test_confidences_are_calibrated_to_what_held_out_boxes_were_worth() -> None:
    """A model too modest, whose boxes of 0.3 are all right, and those of 0.05 all wrong."""
    outputs, truths = example(40, 0.3, 0.05)
    after = fitted(outputs, truths)
    decision = after.decide(outputs[0], TWO)
    assert [box.label for box in decision.boxes] == ["car"]
    assert decision.scores[0] > 0.5
    assert PLAIN.decide(outputs[0], TWO, minimum=0.31).boxes == ()


def test_thresholds_hide_what_is_mostly_wrong() -> None:
    outputs, truths = example(40, 0.8, 0.6)
    assert len(PLAIN.decide(outputs[0], TWO).boxes) == 2
    assert len(fitted(outputs, truths).decide(outputs[0], TWO).boxes) == 1


def test_a_label_with_few_boxes_follows_the_others() -> None:
    after = fitted(*example(40, 0.8, 0.6))
    assert after.thresholds[0] == after.thresholds[1]
    assert after.calibration.slopes[0] == pytest.approx(after.calibration.slopes[1], abs=1e-3)


def test_crowded_truths_loosen_suppression_and_small_ones_lower_the_least_size() -> None:
    outputs, truths = example(12, 0.8, 0.01)
    apart = fitted(outputs, truths)
    assert apart.overlap == 0.6
    assert apart.smallest == pytest.approx(20 / 100 / 2)
    crowd: list[Boxes] = [(*boxes, Box(boxes[0].left + 4, 0, boxes[0].left + 24, 20, "car")) for boxes in truths]
    assert fitted(outputs, crowd).overlap > 0.7


def test_labels_that_never_share_a_place_suppress_each_other() -> None:
    outputs, truths = example(12, 0.8, 0.01)
    beside: list[Boxes] = [(*boxes, Box(80, 40, 95, 60, "sign")) for boxes in truths]
    within: list[Boxes] = [(*boxes, Box(boxes[0].left, 0, boxes[0].left + 19, 20, "sign")) for boxes in truths]
    assert fitted(outputs, beside).agnostic
    assert not fitted(outputs, within).agnostic
    assert not fitted(outputs, truths).agnostic, "one label says nothing of others"


def test_fitting_to_nothing_is_the_usual() -> None:
    outputs, truths = example(3, 0.8, 0.6)
    assert fitted([], []) == PLAIN
    assert fitted([None] * 3, truths) == PLAIN
    assert fitted(outputs, [()] * 3) == PLAIN
    assert fitted(outputs, [(Box(0, 0, 9, 9, "left the config"),)] * 3) == PLAIN


@pytest.mark.parametrize("kind", list(TaskKind))
def test_each_kind_of_task_has_its_own(kind: TaskKind) -> None:
    made = postprocess_of(kind).uncalibrated(TWO)
    assert postprocess_of(kind).from_json(made.to_json()) == made


def test_two_guesses_at_how_a_long_thing_lies_are_one() -> None:
    """Bars of 60 by 15 pixels, 25 degrees apart, share two fifths of what they cover: upright boxes that did would be
    two objects."""

    def bar(degrees: float) -> list[list[float]]:
        turn = np.radians(degrees)
        across = 30 * np.array([np.cos(turn), np.sin(turn)])
        down = 7.5 * np.array([-np.sin(turn), np.cos(turn)])
        centre = np.array([50, 40])
        corners = (centre - across - down, centre + across - down, centre + across + down, centre - across + down)
        return [corner.tolist() for corner in corners]

    points = np.array([bar(10), bar(35)], np.float32)
    boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    output = OrientedOutput(boxes, np.array([[0.9, 0], [0.6, 0]], np.float32), 100, 80, points)
    true = oriented(bar(12), "car", 100, 80)
    assert true is not None
    assert len(PLAIN.decide(output, TWO, 0.1).boxes) == 2
    fitted = DetectionPostprocess.fit([output] * 12, [(true,)] * 12, TWO)
    assert len(fitted.decide(output, TWO, 0.1).boxes) == 1
    both = (true, oriented(bar(35), "car", 100, 80) or true)
    assert len(DetectionPostprocess.fit([output] * 12, [both] * 12, TWO).decide(output, TWO, 0.1).boxes) == 2
