"""Measures against figures worked out by hand or by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from backend.evaluation.measures import item_scores, measure
from model_zoo.postprocess import Decision
from model_zoo.types import LabelSpace

SINGLE = LabelSpace(("a", "b", "c"))
MULTIPLE = LabelSpace(("a", "b", "c"), multiple=True)


def single(*confidence: float) -> Decision:
    best = int(np.argmax(confidence))
    return Decision(((SINGLE.names[best], confidence[best]),), np.array(confidence, np.float32), 0.5)


def multiple(*confidence: float) -> Decision:
    labels = tuple((name, value) for name, value in zip(MULTIPLE.names, confidence, strict=True) if value >= 0.5)
    return Decision(labels, np.array(confidence, np.float32), 0.5)


def truth(*names: str) -> frozenset[str]:
    return frozenset(names)


def test_single_choice() -> None:
    decisions = [single(0.9, 0.1, 0), single(0.6, 0.4, 0), single(0.2, 0.8, 0), single(0.3, 0.7, 0)]
    measured = measure(decisions, [truth("a"), truth("b"), truth("b"), truth("b")], SINGLE)
    assert measured is not None
    assert measured.metrics.items == 4
    assert measured.metrics.accuracy == 0.75
    assert measured.metrics.macro_f1 == pytest.approx(np.mean([2 / 3, 4 / 5]))
    assert measured.scores.tolist() == [1, 0, 1, 1]
    assert measured.metrics.calibration_error == pytest.approx(np.mean([0.1, 0.6, 0.2, 0.3]))


def test_multiple_choice() -> None:
    decisions = [multiple(0.9, 0.8, 0.1), multiple(0.2, 0.1, 0.3), multiple(0.9, 0.1, 0.1)]
    measured = measure(decisions, [truth("a"), truth(), truth("a", "c")], MULTIPLE)
    assert measured is not None
    assert measured.metrics.accuracy == pytest.approx(1 / 3)
    assert measured.scores.tolist() == pytest.approx([0.5, 1.0, 0.5])
    assert measured.metrics.macro_f1 == pytest.approx(1 / 3)


def test_macro_f1_is_scikit_learn_s_over_labels_that_occur() -> None:
    random = np.random.default_rng(0)
    truths, answers = random.integers(3, size=(2, 200))
    decisions = [single(*np.eye(3)[answer]) for answer in answers]
    measured = measure(decisions, [truth(SINGLE.names[index]) for index in truths], SINGLE)
    assert measured is not None
    assert measured.metrics.macro_f1 == pytest.approx(f1_score(truths, answers, average="macro"))


def test_calibrated_confidences_have_a_small_error_and_boasting_ones_a_large_one() -> None:
    random = np.random.default_rng(0)
    sure = random.uniform(0.5, 1.0, 4000)
    truths = [truth("a") if random.random() < value else truth("b") for value in sure]
    honest = measure([single(value, 1 - value, 0) for value in sure], truths, SINGLE)
    boasting = measure([single(0.99, 0.01, 0) for _ in sure], truths, SINGLE)
    assert honest is not None
    assert boasting is not None
    assert honest.metrics.calibration_error < 0.03
    assert boasting.metrics.calibration_error == pytest.approx(0.24, abs=0.02)


def test_nothing_to_measure_is_none_and_a_wrong_count_is_refused() -> None:
    assert measure([], [], SINGLE) is None
    with pytest.raises(ValueError, match="1 answers, 1 confidences and 0 truths"):
        measure([single(1, 0, 0)], [], SINGLE)


def test_figures_for_the_manifest_are_plain_numbers() -> None:
    measured = measure([single(1, 0, 0)], [truth("a")], SINGLE)
    assert measured is not None
    assert measured.to_json() == {"items": 1.0, "accuracy": 1.0, "macro_f1": 1.0, "calibration_error": 0.0}


def test_two_empty_answers_agree() -> None:
    assert item_scores([truth(), truth("a")], [truth(), truth()]).tolist() == [1.0, 0.0]
