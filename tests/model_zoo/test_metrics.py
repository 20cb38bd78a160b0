from __future__ import annotations

import numpy as np
import pytest

from model_zoo.metrics import accuracy, calibration_error, classification_metrics, macro_f1
from model_zoo.types import LabelSpace

ONE = LabelSpace(("a", "b", "c"))


def test_matches_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    for multiple in (False, True):
        true, given = (random.random((200, 3)) < 0.4, random.random((200, 3)) < 0.5)
        if not multiple:
            true, given = (np.eye(3, dtype=np.bool_)[random.integers(0, 3, 200)] for _ in range(2))
        assert macro_f1(given, true) == pytest.approx(sklearn.f1_score(true, given, average="macro"))


def test_accuracy_wants_the_whole_set() -> None:
    answers = [frozenset("ab"), frozenset("a"), frozenset[str]()]
    assert accuracy(answers, [frozenset("ab"), frozenset("ab"), frozenset()]) == pytest.approx(2 / 3)


def test_f1_counts_only_labels_that_occur() -> None:
    true = np.array([[True, False, False]] * 4)
    assert macro_f1(true, true) == 1.0
    assert macro_f1(np.zeros_like(true), np.zeros_like(true)) == 1.0
    assert macro_f1(np.roll(true, 1, axis=1), true) == 0.0


def test_calibration_error_of_known_cases() -> None:
    confidences = np.float32([[0.8, 0.2]] * 10)
    right = np.array([[True, False]] * 8 + [[False, True]] * 2)
    assert calibration_error(confidences, right, multiple=False) == pytest.approx(0.0, abs=1e-6)
    assert calibration_error(confidences, ~right, multiple=False) == pytest.approx(0.6, abs=1e-6)
    assert calibration_error(np.float32([[1.0, 0.0]]), np.array([[True, False]]), multiple=True) == 0.0


def test_all_together() -> None:
    confidences = np.float32([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])
    found = classification_metrics([frozenset("a"), frozenset("b")], confidences, [frozenset("a"), frozenset("a")], ONE)
    assert found.accuracy == 0.5
    assert found.macro_f1 == pytest.approx((2 / 3 + 0) / 2)
    assert found.items == 2
    assert found.calibration_error == pytest.approx((0.1 + 0.8) / 2)


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        classification_metrics([], np.empty((0, 3), np.float32), [], ONE)
