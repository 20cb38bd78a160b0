from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_zoo.calibration import Calibration
from model_zoo.errors import CheckpointError
from model_zoo.postprocess import ClassificationPostprocess as Postprocess
from model_zoo.types import ClassificationOutput, DetectionOutput, LabelSpace

ONE = LabelSpace(("a", "b", "c"))
SEVERAL = LabelSpace(("a", "b", "c"), multiple=True)

finite = st.floats(0.01, 10, allow_nan=False)


def output(*probabilities: float) -> ClassificationOutput:
    return ClassificationOutput(np.float32(probabilities))


def shown(
    postprocess: Postprocess, labels: LabelSpace, *probabilities: float, minimum: float | None = None
) -> list[str]:
    return [name for name, _ in postprocess.decide(output(*probabilities), labels, minimum).labels]


@given(finite, st.lists(st.tuples(finite, finite, finite), max_size=5))
def test_round_trips_through_json(temperature: float, rows: list[tuple[float, float, float]]) -> None:
    slopes, shifts, thresholds = (tuple(row[k] for row in rows) for k in range(3))
    postprocess = Postprocess(Calibration(temperature, slopes, shifts), thresholds)
    assert Postprocess.from_json(postprocess.to_json()) == postprocess


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"temperature": "x", "slopes": [], "shifts": [], "thresholds": []}'])
def test_damaged_json_is_refused(text: str) -> None:
    with pytest.raises(CheckpointError, match="train again"):
        Postprocess.from_json(text)


def test_one_label_shows_the_best() -> None:
    usual = Postprocess.uncalibrated(ONE)
    decision = usual.decide(output(0.2, 0.5, 0.3), ONE)
    assert decision.labels == (("b", 0.5),)
    assert decision.uncertainty == pytest.approx(0.8)
    assert shown(usual, ONE, 0.2, 0.5, 0.3, minimum=0.6) == []
    assert shown(usual, ONE, 0.2, 0.7, 0.1, minimum=0.6) == ["b"]


def test_equal_bests_show_one() -> None:
    assert shown(Postprocess.uncalibrated(ONE), ONE, 0.4, 0.4, 0.2) == ["a"]


def test_several_labels_show_all_above_their_thresholds() -> None:
    usual = Postprocess.uncalibrated(SEVERAL)
    assert shown(usual, SEVERAL, 0.6, 0.2, 0.9) == ["c", "a"]
    assert shown(usual, SEVERAL, 0.1, 0.2, 0.3) == []
    assert shown(usual, SEVERAL, 0.1, 0.2, 0.3, minimum=0.15) == ["c", "b"]
    assert shown(Postprocess(Calibration(), (0.7, 0.1, 0.95)), SEVERAL, 0.6, 0.2, 0.9) == ["b"]


def test_an_untrained_models_threshold_hides_what_is_below() -> None:
    untrained = Postprocess.uncalibrated(ONE, 0.4)
    assert shown(untrained, ONE, 0.39, 0.1, 0.1) == []
    assert shown(untrained, ONE, 0.41, 0.1, 0.1) == ["a"]


@pytest.mark.parametrize(
    ("labels", "probabilities", "expected"),
    [
        (ONE, (1.0, 0.0, 0.0), 0.0),
        (ONE, (0.5, 0.5, 0.0), 1.0),
        (SEVERAL, (1.0, 0.0, 1.0), 0.0),
        (SEVERAL, (1.0, 0.5, 0.0), 1.0),
        (LabelSpace(()), (), 1.0),
        (LabelSpace(("only",)), (1.0,), 0.0),
    ],
)
def test_uncertainty(labels: LabelSpace, probabilities: tuple[float, ...], expected: float) -> None:
    assert Postprocess.uncalibrated(labels).decide(output(*probabilities), labels).uncertainty == pytest.approx(
        expected
    )


def test_confidence_is_calibrated_for_every_label() -> None:
    decision = Postprocess(Calibration(temperature=2.0), (0.0,) * 3).decide(output(0.64, 0.32, 0.04), ONE)
    np.testing.assert_allclose(
        decision.confidence, np.sqrt([0.64, 0.32, 0.04]) / np.sqrt([0.64, 0.32, 0.04]).sum(), rtol=1e-4
    )
    assert decision.labels[0][1] == pytest.approx(float(decision.confidence[0]))


def test_fitting_leaves_out_what_cannot_be_judged() -> None:
    outputs = [output(0.9, 0.05, 0.05), None, output(0.1, 0.8, 0.1), output(0.3, 0.3, 0.4)]
    truths = [frozenset("a"), frozenset("b"), frozenset({"left the config"}), frozenset[str]()]
    only = Postprocess.fit(outputs[:1], truths[:1], ONE)
    assert Postprocess.fit(outputs, truths, ONE) == only != Postprocess.uncalibrated(ONE)


def test_fitting_to_nothing_is_the_usual() -> None:
    assert Postprocess.fit([], [], ONE) == Postprocess.uncalibrated(ONE)
    assert Postprocess.fit([None], [frozenset("a")], SEVERAL) == Postprocess.uncalibrated(SEVERAL)


def test_thresholds_follow_f1_once_there_is_enough() -> None:
    """A label that holds half the time at a confidence of 0.4 is better shown than hidden."""
    space = LabelSpace(("a",), multiple=True)
    rows = [output(0.4)] * 40 + [output(0.02)] * 60
    truths = [frozenset("a")] * 18 + [frozenset[str]()] * 82
    fitted = Postprocess.fit(rows, truths, space)
    assert shown(fitted, space, 0.4) == ["a"]
    assert shown(fitted, space, 0.02) == []
    assert Postprocess.fit(rows[:45], [frozenset("a")] * 5 + [frozenset[str]()] * 40, space).thresholds == (0.5,)


def test_boxes_are_no_classification() -> None:
    boxes = DetectionOutput(np.zeros((0, 4), np.float32), np.zeros((0, 3), np.float32), 10, 10)
    with pytest.raises(TypeError, match="DetectionOutput, wanted a ClassificationOutput"):
        Postprocess.uncalibrated(ONE).decide(boxes, ONE)
    assert Postprocess.fit([boxes], [()], ONE) == Postprocess.uncalibrated(ONE)
